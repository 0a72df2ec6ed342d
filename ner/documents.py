"""What this house talks about: a text, and the spans that people or models mark in it."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ner.errors import InvalidSpan, OverlappingSpans, UnknownLabel

Nesting = Literal["flat", "nested", "any"]


@dataclass(frozen=True, slots=True, order=True)
class EntitySpan:
    """Characters `[start, end)` of a document, with a label. Offsets count Python characters.

    Raises InvalidSpan when the span is empty or starts before the text.
    """

    start: int
    end: int
    label: str

    def __post_init__(self) -> None:
        if self.start < 0 or self.end <= self.start:
            raise InvalidSpan(f"A span needs 0 <= start < end; this one is [{self.start}, {self.end}).")
        if not self.label:
            raise InvalidSpan(f"The span [{self.start}, {self.end}) has no label.")

    def surface(self, text: str) -> str:
        """The characters of `text` that the span covers."""
        return text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Document:
    """A stored text. `revision` is 0 until somebody, or an import, has annotated it."""

    id: str
    dataset: str
    text: str
    revision: int = 0
    spans: tuple[EntitySpan, ...] = ()
    is_gold: bool = False
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LabelledText:
    """A text with the spans that are right for it: what models learn from and are scored on."""

    text: str
    spans: tuple[EntitySpan, ...]


def text_digest(text: str) -> str:
    """SHA-256 of the text's UTF-8 bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def check_spans(
    text: str,
    spans: Sequence[EntitySpan],
    *,
    labels: Collection[str] | None = None,
    nesting: Nesting = "flat",
) -> tuple[EntitySpan, ...]:
    """Return the spans sorted, after checking them against the text and the label set.

    `nesting`: "flat" forbids any overlap, "nested" forbids crossing, "any" allows both.
    The same span with the same label twice is never valid.

    Raises InvalidSpan, UnknownLabel or OverlappingSpans with a sentence naming the span.
    """
    ordered = sorted(spans, key=lambda span: (span.start, -span.end, span.label))
    for span in ordered:
        if span.end > len(text):
            raise InvalidSpan(
                f"The span [{span.start}, {span.end}) ends after the text, which has {len(text)} characters."
            )
        if labels is not None and span.label not in labels:
            raise UnknownLabel(f"'{span.label}' is not in the label set: {', '.join(sorted(labels))}.")
    _check_nesting(text, ordered, nesting)
    return tuple(ordered)


def _check_nesting(text: str, ordered: Sequence[EntitySpan], nesting: Nesting) -> None:
    open_spans: list[EntitySpan] = []
    for span in ordered:
        open_spans = [other for other in open_spans if other.end > span.start]
        for other in open_spans:
            crossing = span.end > other.end
            if other == span or nesting == "flat" or (nesting == "nested" and crossing):
                raise OverlappingSpans(
                    f"'{other.surface(text)}' ({other.label}) and '{span.surface(text)}' "
                    f"({span.label}) overlap, which this label set does not allow.",
                    spans=[[other.start, other.end, other.label], [span.start, span.end, span.label]],
                )
        open_spans.append(span)


def outermost(spans: Iterable[EntitySpan]) -> tuple[EntitySpan, ...]:
    """The spans that no other span overlaps from the left or contains: longest first at a start."""
    kept: list[EntitySpan] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end, span.label)):
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return tuple(kept)
