"""The facts that can go wrong, each with a kind that says what sort of fact it is.

The API maps kinds to status codes in one table (`api/errors.py`); nothing here knows HTTP.
"""

from typing import Any


class NerError(Exception):
    """A fact that a caller can act on. The message is one clear sentence."""

    kind = "failed"

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class InvalidInput(NerError):
    """What was sent cannot be used as it is; the message says what to change."""

    kind = "invalid_input"


class InvalidSpan(InvalidInput):
    """A span that does not fit its text: outside of it, empty, or with another surface."""

    kind = "invalid_span"


class OverlappingSpans(InvalidInput):
    """Two spans cross or nest where the label set forbids it."""

    kind = "overlapping_spans"


class UnknownLabel(InvalidInput):
    """A label that the dataset's label set does not hold."""

    kind = "unknown_label"


class MalformedFile(InvalidInput):
    """A file that cannot be read; `line` is the first bad line, counted from 1."""

    kind = "malformed_file"

    def __init__(self, message: str, *, line: int | None = None, **details: Any) -> None:
        super().__init__(f"Line {line}: {message}" if line is not None else message, line=line, **details)
        self.line = line


class InvalidSetting(NerError):
    """A setting that cannot work; the message names the variable."""

    kind = "invalid_setting"


class TextTooLong(NerError):
    """A text above the configured length."""

    kind = "text_too_long"


class NotFound(NerError):
    """No such document, dataset, run, version, key or user."""

    kind = "not_found"


class StaleCorrection(NerError):
    """Somebody saved a newer revision; details hold both."""

    kind = "stale_correction"


class Conflict(NerError):
    """The request contradicts the present state, for example a promotion without a canary."""

    kind = "conflict"


class NoServingVersion(NerError):
    """No version is stable yet."""

    kind = "no_serving_version"


class BrokenPackage(NerError):
    """A version's package misses a file, or a file is not the one that was registered."""

    kind = "broken_package"


class NotSignedIn(NerError):
    """No key, no session, or one that has expired."""

    kind = "not_signed_in"


class NotAllowed(NerError):
    """The caller's role does not reach this far."""

    kind = "not_allowed"


class RateLimited(NerError):
    """The key's hourly budget is spent; details hold `retry_after_seconds`."""

    kind = "rate_limited"


class DiskFull(NerError):
    """The disk has too little room left for what was asked."""

    kind = "disk_full"


class Overloaded(NerError):
    """Too much work is waiting; details hold `retry_after_seconds`."""

    kind = "overloaded"


class SourceFailed(NerError):
    """A source of suggestions that lies elsewhere did not give a usable answer."""

    kind = "source_failed"


class RunCancelled(NerError):
    """A person stopped the training run."""

    kind = "run_cancelled"
