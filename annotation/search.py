"""Documents by what they say and by what is marked in them. Plain scans: 100,000 documents take less than a second."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from annotation.patterns import Pattern, literal
from annotation.stored import as_document, load_dataset, select_documents
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
    conditions = [_documents.c.dataset_id == load_dataset(connection, dataset).id]
    if text:
        conditions.append(_documents.c.text.icontains(text, autoescape=True))
    if label:
        conditions.append(holds_label(connection, label))
    search = _Search(label, [literal(text)] if text else [], Pattern(pattern) if pattern else None)
    identifiers = _matching(connection, conditions, search, needs_a_look=bool(pattern or (label and text)))
    page = select_documents().where(_documents.c.id.in_(identifiers[offset : offset + limit]))
    found = [as_document(row) for row in connection.execute(page.order_by(_documents.c.position))]
    return [Found(one, list(islice(search.places(one), _MOST_HITS))) for one in found], len(identifiers)


def holds_label(connection: Connection, label: str) -> sa.ColumnElement[bool]:
    """Whether a document's newest spans hold the label, asked of them as they are stored."""
    # A span is stored as `[0, 3, "per"]`. Quotes inside a label are escaped, so this stands at a span's end alone.
    is_sqlite = connection.dialect.name == "sqlite"
    ending = f", {json.dumps(label, ensure_ascii=is_sqlite)}]"
    return newest_spans().contains(ending, autoescape=True)


def newest_spans() -> sa.ColumnElement[str]:
    """A document's newest spans as stored text. Those of gold stand beside the text; only others are looked up."""
    revision = sa.select(sa.cast(_revisions.c.spans, sa.Text)).where(
        _revisions.c.document_id == _documents.c.id, _revisions.c.revision == _documents.c.revision
    )
    is_gold = _documents.c.gold_revision == _documents.c.revision
    return sa.case((is_gold, sa.cast(_documents.c.gold, sa.Text)), else_=revision.scalar_subquery())


@dataclass(frozen=True, slots=True)
class _Search:
    """What is looked for: in spans of the label, or in the text where there is none."""

    label: str | None
    words: list[Pattern]
    pattern: Pattern | None

    def accepts(self, text: str, stored: str | None) -> bool:
        """Whether a document has a place."""
        if self.label is None:
            return self._is_in(text)
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


def _matching(
    connection: Connection, conditions: list[sa.ColumnElement[bool]], search: _Search, *, needs_a_look: bool
) -> list[str]:
    """The names of the documents, in the dataset's order. What SQL has decided already needs no look."""
    columns: list[sa.ColumnElement[Any]] = [_documents.c.id]
    if needs_a_look:
        columns += [_documents.c.text, newest_spans() if search.label else sa.null()]
    rows = connection.execute(
        sa.select(*columns)
        .where(*conditions)
        .order_by(_documents.c.position)
        .execution_options(yield_per=_ROWS_AT_A_TIME)
    )
    if not needs_a_look:
        return list(rows.scalars())
    # The text was looked through by SQL; with a label it is the spans that must hold the words.
    look = search if search.label else _Search(None, [], search.pattern)
    return [identifier for identifier, text, stored in rows if look.accepts(text, stored)]
