"""What is wrong with labelled texts before anything learns from them: each kind of fault with a count and examples."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ner.documents import EntitySpan, LabelledText
from training.leaks import near_duplicates
from training.splits import split

FaultKind = Literal[
    "span outside the text",
    "overlapping spans",
    "unknown label",
    "same text labelled differently",
    "near-duplicate across parts",
]
FAULTS: tuple[FaultKind, ...] = (
    "span outside the text",
    "overlapping spans",
    "unknown label",
    "same text labelled differently",
    "near-duplicate across parts",
)
EXAMPLES = 5
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault: how often it occurs, and up to five sentences that show where."""

    kind: FaultKind
    count: int
    examples: list[str]


def validate(documents: Sequence[LabelledText], *, labels: Collection[str] | None = None) -> list[Fault]:
    """The faults that occur, in the order of `FAULTS`. Without `labels` every label is known."""
    found: list[tuple[FaultKind, str]] = []
    for document in documents:
        found += _span_faults(document, labels)
    found += _contradictions(documents)
    found += _near_duplicates(documents)
    counts = Counter(kind for kind, _ in found)
    return [
        Fault(kind, counts[kind], list(itertools.islice((text for one, text in found if one == kind), EXAMPLES)))
        for kind in FAULTS
        if counts[kind]
    ]


def _span_faults(document: LabelledText, labels: Collection[str] | None) -> Iterator[tuple[FaultKind, str]]:
    ordered = sorted(document.spans)
    for span in ordered:
        if span.end > len(document.text):
            yield "span outside the text", f"{_span(span)} of a text with {len(document.text)} characters"
        if labels is not None and span.label not in labels:
            yield "unknown label", f"{_span(span)} in {_shown(document.text)}"
    reach: EntitySpan | None = None
    for span in ordered:
        if reach is not None and span.start < reach.end:
            yield "overlapping spans", f"{_span(reach)} and {_span(span)} in {_shown(document.text)}"
        if reach is None or span.end > reach.end:
            reach = span


def _contradictions(documents: Sequence[LabelledText]) -> Iterator[tuple[FaultKind, str]]:
    answers: dict[str, set[tuple[EntitySpan, ...]]] = defaultdict(set)
    for document in documents:
        answers[document.text].add(tuple(sorted(document.spans)))
    for text, different in answers.items():
        if len(different) > 1:
            yield "same text labelled differently", f"{len(different)} ways: {_shown(text)}"


def _near_duplicates(documents: Sequence[LabelledText]) -> Iterator[tuple[FaultKind, str]]:
    parts = split(documents)
    held = [document.text for document in [*parts.dev, *parts.test]]
    train = [document.text for document in parts.train]
    for place, other in near_duplicates(train, held):
        yield "near-duplicate across parts", f"{_shown(train[place])} and {_shown(held[other])}"


def _span(span: EntitySpan) -> str:
    return f"[{span.start}, {span.end}) {span.label}"


def _shown(text: str) -> str:
    return f"“{text}”" if len(text) <= _SHOWN else f"“{text[:_SHOWN]}…”"
