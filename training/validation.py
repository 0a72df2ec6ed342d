"""What is wrong with labelled texts before anything learns from them: each kind of fault with a count, examples, and
what to do about it."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ner.documents import EntitySpan, LabelledText, outermost
from ner.tokens import align, tokenize
from training.leaks import without_leaks
from training.splits import Splits, split

FaultKind = Literal[
    "span outside the text",
    "most spans cut through words",
    "span that cuts through a word",
    "overlapping spans",
    "unknown label",
    "same text labelled differently",
    "near-duplicate across parts",
    "few entities of a label",
    "label that is gone",
    "label that is new",
    "share of a label has moved",
]
Severity = Literal["stops", "warns"]
KINDS: Mapping[FaultKind, tuple[Severity, str]] = {
    "span outside the text": (
        "stops",
        "The offsets do not belong to these texts: import the documents again from a file whose offsets count "
        "characters of the text as it is.",
    ),
    "most spans cut through words": (
        "stops",
        "More than half of the spans do not begin and end where words do, so next to nothing could be learned: check "
        "whether the file counts bytes or UTF-16 units, then import it again.",
    ),
    "span that cuts through a word": ("warns", "It is not learned, and counts as missed: correct its borders."),
    "overlapping spans": ("warns", "The outermost span is learned alone: delete it where an inner one is meant."),
    "unknown label": ("warns", "Add the label to the set, or rename it in the file."),
    "same text labelled differently": ("warns", "The answers contradict each other: settle one for each text."),
    "near-duplicate across parts": (
        "warns",
        "Such texts are left out of the train or dev part of a run, so scores stay honest: nothing has to be done.",
    ),
    "few entities of a label": (
        "warns",
        "Label more documents that hold it: with fewer than {fewest} to learn from, or none to be tuned and scored on, "
        "its score says little.",
    ),
    "label that is gone": ("warns", "The new version will not find it: import what held it, or rename the label back."),
    "label that is new": ("warns", "No earlier version is scored on it: compare the versions label by label."),
    "share of a label has moved": (
        "warns",
        "The data is another mixture than that of the version before: compare the two label by label, not by F1 alone.",
    ),
}
FAULTS: tuple[FaultKind, ...] = tuple(KINDS)
EXAMPLES = 5
FEWEST_ENTITIES = 20
"""Of a label in the train part."""
_MOVED_BY = 0.1
_SHOWN = 80

Found: TypeAlias = tuple[FaultKind, str]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault: how often it occurs, and up to five sentences that show where. One that "stops" is not to be
    trained on."""

    kind: FaultKind
    count: int
    examples: list[str]
    severity: Severity
    advice: str


@dataclass(frozen=True, slots=True)
class Before:
    """The version that was trained before, and how many entities of each label its data held."""

    version: str
    entities: Mapping[str, int]


def validate(documents: Sequence[LabelledText], *, labels: Collection[str] | None = None) -> list[Fault]:
    """The faults of a file's documents, in the order of `FAULTS`. Without `labels` every label is known."""
    _, pairs = without_leaks(split(documents))
    return _counted([*_document_faults(documents, labels), *_leak_faults(pairs)])


def validate_run(
    documents: Sequence[LabelledText],
    parts: Splits[LabelledText],
    leaks: Sequence[tuple[str, str]],
    before: Before | None,
) -> list[Fault]:
    """The faults of a run's data, in the order of `FAULTS`: of its documents as people left them, of the parts they
    were cut into, and against the data of the version before. `leaks`: pairs of texts: left out, of a later part."""
    found = [*_document_faults(documents, None), *_leak_faults(leaks), *_scarce_labels(parts)]
    if before is not None:
        found += _drift(documents, before)
    return _counted(found)


def _counted(found: Sequence[Found]) -> list[Fault]:
    counts = Counter(kind for kind, _ in found)
    return [
        Fault(
            kind,
            counts[kind],
            list(itertools.islice((text for one, text in found if one == kind), EXAMPLES)),
            severity,
            advice.format(fewest=FEWEST_ENTITIES),
        )
        for kind, (severity, advice) in KINDS.items()
        if counts[kind]
    ]


def _document_faults(documents: Sequence[LabelledText], labels: Collection[str] | None) -> list[Found]:
    found: list[Found] = []
    for document in documents:
        found += _span_faults(document, labels)
    found += _cut_words(documents)
    return [*found, *_contradictions(documents)]


def _span_faults(document: LabelledText, labels: Collection[str] | None) -> Iterator[Found]:
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


def _cut_words(documents: Sequence[LabelledText]) -> list[Found]:
    cut, spans = [], 0
    for document in documents:
        flat = [span for span in outermost(document.spans) if span.end <= len(document.text)]
        if flat:
            spans += len(flat)
            cut += [(document.text, span) for span in align(tokenize(document.text), flat)[1]]
    kind: FaultKind = "most spans cut through words" if 2 * len(cut) > spans else "span that cuts through a word"
    return [(kind, f"“{text[span.start : span.end]}” ({span.label}) in {_shown(text)}") for text, span in cut]


def _contradictions(documents: Sequence[LabelledText]) -> Iterator[Found]:
    answers: dict[str, set[tuple[EntitySpan, ...]]] = defaultdict(set)
    for document in documents:
        answers[document.text].add(tuple(sorted(document.spans)))
    for text, different in answers.items():
        if len(different) > 1:
            yield "same text labelled differently", f"{len(different)} ways: {_shown(text)}"


def _leak_faults(pairs: Sequence[tuple[str, str]]) -> list[Found]:
    return [("near-duplicate across parts", f"{_shown(left)} and {_shown(held)}") for left, held in pairs]


def _scarce_labels(parts: Splits[LabelledText]) -> Iterator[Found]:
    train, dev, test = (label_counts(part) for part in (parts.train, parts.dev, parts.test))
    for label in sorted({*train, *dev, *test}):
        if train[label] < FEWEST_ENTITIES or not dev[label] or not test[label]:
            counts = f"{train[label]} in train, {dev[label]} in dev, {test[label]} in test"
            yield "few entities of a label", f"{label}: {counts}"


def _drift(documents: Sequence[LabelledText], before: Before) -> Iterator[Found]:
    now, then = label_counts(documents), Counter(before.entities)
    for label in sorted({*now, *then}):
        if not now[label]:
            yield "label that is gone", f"{label}: {then[label]:,} entities in the data of version {before.version}"
        elif not then[label]:
            yield "label that is new", f"{label}: {now[label]:,} entities, none in the data of version {before.version}"
        else:
            old, new = then[label] / then.total(), now[label] / now.total()
            if abs(new - old) >= _MOVED_BY:
                shares = f"{old:.0%} of the entities of version {before.version}, {new:.0%} now"
                yield "share of a label has moved", f"{label}: {shares}"


def label_counts(documents: Sequence[LabelledText]) -> Counter[str]:
    """Entities by label."""
    return Counter(span.label for document in documents for span in document.spans)


def _span(span: EntitySpan) -> str:
    return f"[{span.start}, {span.end}) {span.label}"


def _shown(text: str) -> str:
    return f"“{text}”" if len(text) <= _SHOWN else f"“{text[:_SHOWN]}…”"
