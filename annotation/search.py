"""Documents by what they say and by what is marked in them. What the indexes cannot decide is read and looked at."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from annotation.literals import Clause, required_by
from annotation.patterns import Pattern, literal
from annotation.search_index import holds_label, holds_words
from annotation.stored import as_document, is_newest, load_dataset, select_documents
from ner import tables
from ner.documents import Document

_documents, _revisions = tables.documents, tables.revisions
_ROWS_AT_A_TIME = 5_000
_MOST_HITS = 50


@dataclass(frozen=True, slots=True)
class Found:
    """A document, and where in its text the words or the pattern stand, or, with a label, its spans of that label."""

    document: Document
    hits: list[tuple[int, int]]


def search_documents(
    connection: Connection,
    dataset: str,
    *,
    text: str | None = None,
    label: str | None = None,
    pattern: str | None = None,
    offset: int = 0,
    limit: int = 50,
) -> tuple[list[Found], int]:
    """A page of the documents that hold `text` (in either case) and match the regular expression `pattern`, and how
    many there are. With a `label` it is a span of that label that must hold and match them.

    Raises NotFound, or InvalidInput for a pattern that is wrong or takes too long.
    """
    dataset_id = load_dataset(connection, dataset).id
    conditions = [_documents.c.dataset_id == dataset_id]
    clauses: list[Clause] = [(text,)] if text else []
    compiled = Pattern(pattern) if pattern else None
    if pattern:
        clauses += required_by(pattern)
    if clauses:
        conditions.append(holds_words(connection, dataset_id, clauses))
    if label:
        conditions.append(holds_label(dataset_id, label))
    search = _Search(label, [literal(text)] if text else [], compiled)
    page = slice(offset, offset + limit)
    is_decided = not pattern and not (label and text)
    take = _decided if is_decided else _looked_at
    positions, total = take(connection, conditions, search, page)
    chosen = select_documents().where(_documents.c.dataset_id == dataset_id, _documents.c.position.in_(positions))
    found = [as_document(row) for row in connection.execute(chosen.order_by(_documents.c.position))]
    return [Found(one, list(islice(search.places(one), _MOST_HITS))) for one in found], total


@dataclass(frozen=True, slots=True)
class _Search:
    """What is looked for: in spans of the label, or in the text where there is none."""

    label: str | None
    words: list[Pattern]
    pattern: Pattern | None

    def accepts(self, text: str, stored: str | None = None) -> bool:
        """Whether a document has a place, in its text or in its spans as they are stored."""
        if self.label is None:
            # Its words were found by the database already.
            return self.pattern is None or self.pattern.is_in(text)
        return any(
            label == self.label and self._is_in(text[start:end]) for start, end, label in json.loads(stored or "[]")
        )

    def places(self, document: Document) -> Iterator[tuple[int, int]]:
        """The places of one document."""
        if self.label is not None:
            for span in document.spans:
                if span.label == self.label and self._is_in(span.surface(document.text)):
                    yield span.start, span.end
        else:
            for sought in [self.pattern] if self.pattern else self.words:
                yield from sought.places(document.text)

    def _is_in(self, text: str) -> bool:
        return all(sought.is_in(text) for sought in self.words) and (self.pattern is None or self.pattern.is_in(text))


def _decided(
    connection: Connection, conditions: list[sa.ColumnElement[bool]], _: _Search, page: slice
) -> tuple[list[int], int]:
    """The positions of a page of documents, and how many there are, where the conditions say all."""
    total = connection.scalar(sa.select(sa.func.count()).select_from(_documents).where(*conditions)) or 0
    chosen = sa.select(_documents.c.position).where(*conditions).order_by(_documents.c.position)
    return list(connection.scalars(chosen.offset(page.start).limit(page.stop - page.start))), total


def _looked_at(
    connection: Connection, conditions: list[sa.ColumnElement[bool]], search: _Search, page: slice
) -> tuple[list[int], int]:
    """The same where a look at each document that fulfils the conditions has to decide."""
    chosen = sa.select(_documents.c.position, _documents.c.text)
    if search.label is not None:
        chosen = chosen.add_columns(sa.cast(_revisions.c.spans, sa.Text)).join(_revisions, is_newest())
    rows = connection.execute(
        chosen.where(*conditions).order_by(_documents.c.position).execution_options(yield_per=_ROWS_AT_A_TIME)
    )
    found = [row[0] for row in rows if search.accepts(*row[1:])]
    return found[page], len(found)
