"""What the sources of a dataset suggest for a text, beside what the model does, in one list without contradictions."""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from annotation.patterns import Pattern
from annotation.sources import MODEL, SuggestionSource
from annotation.stored import CORRECTIONS, Dataset
from ner import tables
from ner.documents import EntitySpan, Nesting
from ner.errors import InvalidInput
from ner.tokens import Token, tokenize

_log = logging.getLogger(__name__)
_documents, _revisions = tables.documents, tables.revisions
_RECENT = 500
_LONGEST_REMEMBERED = 100
# Spans are compared with those of the same stretch of characters: a long text has thousands.
_REGION = 256
# Who is heard first where two may not stand beside each other: what a person wrote down, then what people said.
PRECEDENCE = ("pattern", "gazetteer", "memory", MODEL, "endpoint")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A span that is offered. `kind` is of its source, or "model"; `version` is of the source or of the model."""

    start: int
    end: int
    label: str
    source: str
    version: str
    kind: str = MODEL
    confidence: float | None = None

    @property
    def span(self) -> EntitySpan:
        """The span alone."""
        return EntitySpan(self.start, self.end, self.label)


def suggest(
    connection: Connection,
    dataset: Dataset,
    text: str,
    sources: Sequence[SuggestionSource],
    model: Iterable[Suggestion],
) -> list[Suggestion]:
    """What the model and every enabled source but endpoints say about the text, in its order.

    Labels outside of the dataset's label set are left out for sources, not for the model. A pattern that takes too long
    on this text offers nothing for it, and the log says so: nobody has to wait for a source to be mended.
    """
    found = list(model)
    for source in sources:
        if not source.enabled:
            continue
        if source.kind == "gazetteer":
            found += _of_gazetteer(text, source)
        elif source.kind == "pattern":
            found += _of_pattern(text, source)
        elif source.kind == "memory":
            found += _of_memory(connection, dataset, text, source)
    fitting = [one for one in found if one.kind == MODEL or one.label in dataset.labels]
    return without_contradictions(fitting, dataset.nesting)


def without_contradictions(suggestions: Iterable[Suggestion], nesting: Nesting) -> list[Suggestion]:
    """One suggestion a span and label, and under "flat" or "nested" none beside another that forbids it: the source
    that comes first in PRECEDENCE stays, of one source the longer span. What the model also found keeps its confidence.
    """
    ranked = sorted(
        suggestions, key=lambda one: (PRECEDENCE.index(one.kind), one.start - one.end, one.start, one.label)
    )
    kept: dict[EntitySpan, Suggestion] = {}
    near: dict[int, list[Suggestion]] = defaultdict(list)
    for one in ranked:
        same = kept.get(one.span)
        if same is not None:
            if same.confidence is None and one.confidence is not None:
                kept[one.span] = replace(same, confidence=one.confidence)
            continue
        places = range(one.start // _REGION, (one.end - 1) // _REGION + 1)
        if not any(_excludes(other, one, nesting) for place in places for other in near.get(place, ())):
            kept[one.span] = one
            for place in places:
                near[place].append(one)
    return sorted(kept.values(), key=lambda one: (one.start, -one.end, one.label))


def remembered(connection: Connection, dataset: Dataset) -> dict[str, tuple[str, int]]:
    """Surfaces of the newest 500 corrections, each with the label that people gave it most often, and how often."""
    rows = connection.execute(
        sa.select(_documents.c.text, _revisions.c.spans)
        .join(_documents, _documents.c.id == _revisions.c.document_id)
        .where(_documents.c.dataset_id == dataset.id, _revisions.c.kind.in_(CORRECTIONS))
        .order_by(_revisions.c.id.desc())
        .limit(_RECENT)
    )
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for text, spans in rows:
        for start, end, label in spans:
            if end - start <= _LONGEST_REMEMBERED:
                counts[text[start:end]][label] += 1
    return {surface: said.most_common(1)[0] for surface, said in counts.items()}


def _of_gazetteer(text: str, source: SuggestionSource) -> Iterator[Suggestion]:
    folds = source.content["ignore_case"]
    entries = {_folded(entry["text"], folds): entry["label"] for entry in source.content["entries"]}
    for start, end, label in _occurrences(text, entries, folds):
        yield Suggestion(start, end, label, source.name, str(source.version), source.kind)


def _of_pattern(text: str, source: SuggestionSource) -> Iterator[Suggestion]:
    try:
        places = list(Pattern(source.content["pattern"], seconds=1.0).places(text))
    except InvalidInput as error:
        _log.warning("The source '%s' offers nothing for a document. %s", source.name, error)
        return
    for start, end in places:
        yield Suggestion(start, end, source.content["label"], source.name, str(source.version), source.kind)


def _of_memory(connection: Connection, dataset: Dataset, text: str, source: SuggestionSource) -> Iterator[Suggestion]:
    known = remembered(connection, dataset)
    entries = {surface: label for surface, (label, count) in known.items() if count >= source.content["least"]}
    for start, end, label in _occurrences(text, entries, folds=False):
        yield Suggestion(start, end, label, source.name, str(source.version), source.kind)


def _occurrences(text: str, entries: dict[str, str], folds: bool) -> Iterator[tuple[int, int, str]]:
    """(start, end, label) wherever an entry stands between borders of tokens; the longest at each place."""
    lengths: dict[str, set[int]] = defaultdict(set)
    for entry in entries:
        pieces = tokenize(entry)
        if pieces:
            lengths[entry[pieces[0][0] : pieces[0][1]]].add(len(pieces))
    tokens = tokenize(text)
    position = 0
    while position < len(tokens):
        first = tokens[position]
        wanted = lengths.get(_folded(text[first[0] : first[1]], folds), ())
        match = _longest(text, tokens, position, wanted, entries, folds)
        if match is None:
            position += 1
            continue
        count, label = match
        yield first[0], tokens[position + count - 1][1], label
        position += count


def _longest(
    text: str, tokens: Sequence[Token], position: int, counts: Iterable[int], entries: dict[str, str], folds: bool
) -> tuple[int, str] | None:
    for count in sorted(counts, reverse=True):
        if position + count <= len(tokens):
            surface = _folded(text[tokens[position][0] : tokens[position + count - 1][1]], folds)
            if surface in entries:
                return count, entries[surface]
    return None


def _folded(text: str, folds: bool) -> str:
    return text.casefold() if folds else text


def _excludes(one: Suggestion, other: Suggestion, nesting: Nesting) -> bool:
    if one.start >= other.end or other.start >= one.end or nesting == "any":
        return False
    crosses = (one.start < other.start) != (one.end > other.end) and one.start != other.start and one.end != other.end
    return nesting == "flat" or crosses
