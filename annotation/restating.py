"""What was said about a document, said again with other labels: revisions behind those there are."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from annotation.relabelling import Spans
from annotation.search_index import note_labels_again
from annotation.stored import CORRECTIONS, labels_of, pairs_of, spans_of
from ner import tables
from ner.database import utc_now
from ner.row_sets import insert_rows, is_among, update_rows

_documents, _revisions = tables.documents, tables.revisions
_ROWS = 2000
AGAIN = "relabelled "


@dataclass(frozen=True, slots=True)
class Answer:
    """A revision that counts: the newest one, the one that is gold, or somebody's newest correction."""

    revision: int
    author: str
    kind: str
    spans: Spans


Rewrite = Callable[[str, Answer], Spans]
"""From a text and an answer about it to the answer's new spans."""


@dataclass(frozen=True, slots=True)
class Restated:
    """A document and its answers in their order, each with its spans as they shall be."""

    document: Row[Any]
    answers: list[tuple[Answer, Spans]]

    @property
    def before(self) -> Spans:
        """The newest spans as they are."""
        return self.answers[-1][0].spans

    @property
    def after(self) -> Spans:
        """The newest spans as they shall be."""
        return self.answers[-1][1]

    @property
    def is_touched(self) -> bool:
        """Whether any answer changes."""
        return any(answer.spans != spans for answer, spans in self.answers)


def restate(
    connection: Connection, identifiers: Sequence[str], rewrite_of: Callable[[str], Rewrite], *, lock: bool = False
) -> Iterator[list[Restated]]:
    """The documents that a rewriting touches, some at a time. `rewrite_of` gives the rewriting of a document."""
    for first in range(0, len(identifiers), _ROWS):
        some = identifiers[first : first + _ROWS]
        if lock:
            lock_documents(connection, some)
        rows = connection.execute(_answers().where(is_among(connection, _documents.c.id, some)))
        found = (_restated(list(group), rewrite_of(name)) for name, group in groupby(rows, lambda row: row.id))
        yield [one for one in found if one.is_touched]


def lock_documents(connection: Connection, identifiers: Sequence[str]) -> None:
    """Let nobody else write to the documents until the transaction ends.

    A statement on its own, so that what is read next holds what others said while this waited for them.
    """
    are_chosen = is_among(connection, _documents.c.id, identifiers)
    locked = sa.select(_documents.c.id).where(are_chosen).order_by(_documents.c.position)
    connection.execute(locked.with_for_update())


def store(connection: Connection, touched: Iterable[Restated], operation: str) -> None:
    """Append each answer that changes as a revision of its author's, and the newest answer behind them all."""
    now = utc_now()
    revisions: list[dict[str, Any]] = []
    updates: list[dict[str, Any]] = []
    noted: list[tuple[Row[Any], set[str], set[str]]] = []
    for one in touched:
        document = one.document
        revision, gold, gold_revision = document.revision, None, document.gold_revision
        for answer, spans in one.answers:
            stored = pairs_of(spans)
            if answer.spans != spans or answer.revision == document.revision:
                revision += 1
                revisions.append(_revision(document, revision, answer, stored, operation, now))
                gold_revision = revision if answer.revision == document.gold_revision else gold_revision
            gold = stored if answer.revision == document.gold_revision else gold
        told = {"id": document.id, "revision": revision, "gold": gold, "gold_revision": gold_revision}
        updates.append(told)
        had, has = labels_of(one.before), labels_of(one.after)
        if had != has:
            noted.append((document, had, has))
    insert_rows(connection, _revisions, revisions)
    update_rows(connection, _documents, "id", updates)
    if noted:
        documents, before, after = zip(*noted, strict=True)
        note_labels_again(connection, documents, before, after)


def _answers() -> sa.Select[Any]:
    """Each document with the answers that may count, in their order."""
    counts = sa.or_(
        _revisions.c.revision == _documents.c.revision,
        _revisions.c.revision == _documents.c.gold_revision,
        _revisions.c.kind.in_(CORRECTIONS),
    )
    columns: list[sa.ColumnElement[Any]] = [
        *(_documents.c[name] for name in ("id", "dataset_id", "position", "text", "revision", "gold_revision")),
        *(_revisions.c[name] for name in ("author", "kind", "spans")),
        _revisions.c.revision.label("said_in"),
    ]
    joined = sa.select(*columns).join(_revisions, _revisions.c.document_id == _documents.c.id).where(counts)
    return joined.order_by(_documents.c.position, _documents.c.id, _revisions.c.revision)


def _restated(rows: Sequence[Row[Any]], rewrite: Rewrite) -> Restated:
    """A document of its rows: of each author the newest correction counts, and the newest and the gold revision."""
    last = {row.author: row.said_in for row in rows if row.kind in CORRECTIONS}
    told = [
        Answer(row.said_in, row.author, row.kind, spans_of(row.spans))
        for row in rows
        if row.said_in in (row.revision, row.gold_revision)
        or (row.kind in CORRECTIONS and last[row.author] == row.said_in)
    ]
    return Restated(rows[0], [(answer, rewrite(rows[0].text, answer)) for answer in told])


def _revision(
    document: Row[Any], revision: int, answer: Answer, stored: list[Any], operation: str, now: dt.datetime
) -> dict[str, Any]:
    # It stays the answer of who gave it; who changed its labels is in the audit trail.
    return {
        "document_id": document.id,
        "revision": revision,
        "base_revision": answer.revision,
        # In the order of the documents, so that an index of operations grows at its end.
        "operation_id": f"{operation} {document.position:012} {revision}",
        "author": answer.author,
        "kind": answer.kind if answer.kind.startswith(AGAIN) else AGAIN + answer.kind,
        "spans": stored,
        "model_version": None,
        "created_at": now,
    }
