"""What a change of labels does to the spans of one document, and to the label set."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from annotation.formats.shapes import fit_label
from annotation.patterns import Pattern
from annotation.stored import Dataset
from ner.documents import EntitySpan
from ner.errors import InvalidInput

Kind = Literal["rename", "merge", "split", "delete", "relabel", "remove"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Spans = tuple[EntitySpan, ...]
Rewrite = Callable[[str, Spans], Spans]


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a dataset's labels or spans.

    rename: one label becomes `target`, a new one. merge: several labels become `target`. delete: labels go, with their
    spans. split: of one label, the spans whose surface matches `pattern` become `target`. relabel: every span that
    matches becomes `target`, whatever its label, or of these labels alone. remove: the spans that match go, the labels
    stay. `pattern` is a regular expression that is searched for in a span's surface.
    """

    kind: Kind
    labels: tuple[str, ...] = ()
    target: str | None = None
    pattern: str | None = None


_NEEDS: dict[Kind, tuple[range, bool, bool]] = {  # how many labels; a target; a pattern
    "rename": (range(1, 2), True, False),
    "merge": (range(1, 1000), True, False),
    "split": (range(1, 2), True, True),
    "delete": (range(1, 1000), False, False),
    "relabel": (range(1000), True, True),
    "remove": (range(1000), False, True),
}


def check_change(change: Change, dataset: Dataset) -> None:
    """Raises InvalidInput, in one sentence, for a change that does not fit its kind or the dataset."""
    if change.kind not in KINDS:
        raise InvalidInput(f"'{change.kind}' is no change of labels; choose one of {', '.join(KINDS)}.")
    labels, target, pattern = _NEEDS[change.kind]
    if len(change.labels) not in labels:
        raise InvalidInput(f"To {change.kind}, name {'one label' if labels.stop == 2 else 'the labels'}.")
    for name, value, is_needed in (("target", change.target, target), ("pattern", change.pattern, pattern)):
        if bool(value) != is_needed:
            raise InvalidInput(f"To {change.kind} takes {'a' if is_needed else 'no'} {name}.")
    unknown = [label for label in change.labels if label not in dataset.labels]
    if unknown:
        raise InvalidInput(f"'{unknown[0]}' is not in the label set: {', '.join(dataset.labels)}.")
    if change.target and not fit_label(change.target):
        raise InvalidInput(f"'{change.target}' cannot be a label: use 1 to 100 characters, no blanks around them.")
    if change.kind == "rename" and change.target in dataset.labels:
        raise InvalidInput(f"There is a label '{change.target}' already; merge the two instead.")


def rewriting(change: Change) -> Rewrite:
    """The function from a text's spans to its new spans. Two spans that became the same are one."""
    pattern = Pattern(change.pattern, seconds=60) if change.pattern else None
    chosen = set(change.labels)

    def is_meant(text: str, span: EntitySpan) -> bool:
        return (not chosen or span.label in chosen) and (pattern is None or pattern.is_in(span.surface(text)))

    def rewrite(text: str, spans: Spans) -> Spans:
        meant = [is_meant(text, span) for span in spans]
        if not any(meant):
            return spans
        written: dict[EntitySpan, None] = {}
        for span, is_changed in zip(spans, meant, strict=True):
            if not is_changed:
                written[span] = None
            elif change.target:
                written[EntitySpan(span.start, span.end, change.target)] = None
        return _ordered(written)

    return rewrite


def undoing(before: Sequence[tuple[Spans, Spans]]) -> Rewrite:
    """The function that takes a change of one document back. `before`: (spans it found, spans it left) of each
    revision that it changed.

    What people said since stays: a span they removed or relabelled is not brought back.
    """
    left = {span for _, after in before for span in after}
    gone = {span for found, after in before for span in set(found) - set(after)}
    come = {span for found, after in before for span in set(after) - set(found)}
    replaced = {(span.start, span.end) for span in left}

    def rewrite(_: str, spans: Spans) -> Spans:
        present = {(span.start, span.end) for span in spans if span in left}
        since = [span for span in spans if span not in left]
        written = dict.fromkeys(span for span in spans if span not in come)
        for span in sorted(gone):
            place = (span.start, span.end)
            if place in present or (place not in replaced and not _is_covered(span, since)):
                written[span] = None
        return _ordered(written)

    return rewrite


def changed_labels(change: Change, labels: Sequence[str]) -> list[str]:
    """The label set after the change. A new label stands where the first of those that it replaces stood."""
    goes = set(change.labels) - {change.target} if change.kind in {"rename", "merge", "delete"} else set()
    after: list[str] = []
    for label in labels:
        if label not in goes:
            after.append(label)
        elif change.target and change.target not in labels and change.target not in after:
            after.append(change.target)
    if change.target and change.target not in after:
        after.append(change.target)
    return after


def _is_covered(span: EntitySpan, spans: Sequence[EntitySpan]) -> bool:
    return any(span.start < other.end and other.start < span.end for other in spans)


def _ordered(spans: dict[EntitySpan, None]) -> Spans:
    return tuple(sorted(spans, key=lambda span: (span.start, -span.end, span.label)))
