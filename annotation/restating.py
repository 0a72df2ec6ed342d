"""What was said about a document, said again with other labels: revisions behind those there are."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from annotation.relabelling import Spans
from annotation.search_index import note_labels_again
from annotation.stored import CORRECTIONS, labels_of, pairs_of, spans_of
from ner import tables
from ner.database import utc_now

_documents, _revisions = tables.documents, tables.revisions
_ROWS = 500
_AGAIN = "relabelled "


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
    names = ("id", "dataset_id", "position", "text", "revision", "gold_revision")
    columns: list[sa.ColumnElement[Any]] = [_documents.c[name] for name in names]
    for first in range(0, len(identifiers), _ROWS):
        chunk = identifiers[first : first + _ROWS]
        chosen = sa.select(*columns).where(_documents.c.id.in_(chunk)).order_by(_documents.c.position)
        rows = connection.execute(chosen.with_for_update() if lock else chosen).all()
        answers = _answers(connection, chunk)
        found = [_restated(row, answers[row.id], rewrite_of(row.id)) for row in rows if row.id in answers]
        yield [one for one in found if one.is_touched]


def store(connection: Connection, touched: Iterable[Restated], operation: str) -> None:
    """Append each answer that changes as a revision of its author's, and the newest answer behind them all."""
    now = utc_now()
    revisions: list[dict[str, Any]] = []
    updates: list[dict[str, Any]] = []
    relabelled: list[Restated] = []
    for one in touched:
        document = one.document
        revision, gold, gold_revision = document.revision, None, document.gold_revision
        for answer, spans in one.answers:
            stored = pairs_of(spans)
            if answer.spans != spans or answer.revision == document.revision:
                revision += 1
                revisions.append(_revision(document, revision, answer, stored, operation) | {"created_at": now})
                gold_revision = revision if answer.revision == document.gold_revision else gold_revision
            gold = stored if answer.revision == document.gold_revision else gold
        told = {"the_id": document.id, "revision": revision, "gold": gold, "gold_revision": gold_revision}
        updates.append(told)
        if labels_of(one.before) != labels_of(one.after):
            relabelled.append(one)
    if revisions:
        connection.execute(_revisions.insert(), revisions)
        connection.execute(_documents.update().where(_documents.c.id == sa.bindparam("the_id")), updates)
    note_labels_again(
        connection,
        [one.document._mapping for one in relabelled],
        [labels_of(one.before) for one in relabelled],
        [labels_of(one.after) for one in relabelled],
    )


def _answers(connection: Connection, identifiers: Sequence[str]) -> dict[str, list[Answer]]:
    """For each document the answers that count, in their order."""
    counts = sa.or_(
        _revisions.c.revision == _documents.c.revision,
        _revisions.c.revision == _documents.c.gold_revision,
        _revisions.c.kind.in_(CORRECTIONS),
    )
    columns: list[sa.ColumnElement[Any]] = [
        *(_revisions.c[name] for name in ("document_id", "revision", "author", "kind", "spans")),
        _documents.c.revision.label("newest"),
        _documents.c.gold_revision,
    ]
    rows = connection.execute(
        sa.select(*columns)
        .join(_documents, _documents.c.id == _revisions.c.document_id)
        .where(_revisions.c.document_id.in_(identifiers), counts)
        .order_by(_revisions.c.document_id, _revisions.c.revision)
    ).all()
    last = {(row.document_id, row.author): row.revision for row in rows if row.kind in CORRECTIONS}
    found: dict[str, list[Answer]] = {}
    for row in rows:
        is_own = row.kind in CORRECTIONS and last[row.document_id, row.author] == row.revision
        if is_own or row.revision in (row.newest, row.gold_revision):
            answer = Answer(row.revision, row.author, row.kind, spans_of(row.spans))
            found.setdefault(row.document_id, []).append(answer)
    return found


def _restated(row: Row[Any], answers: list[Answer], rewrite: Rewrite) -> Restated:
    written = [(answer, rewrite(row.text, answer)) for answer in answers]
    return Restated(row, written)


def _revision(document: Row[Any], revision: int, answer: Answer, stored: list[Any], operation: str) -> dict[str, Any]:
    # It stays the answer of who gave it; who changed its labels is in the audit trail.
    return {
        "document_id": document.id,
        "revision": revision,
        "base_revision": answer.revision,
        # In the order of the documents, so that an index of operations grows at its end.
        "operation_id": f"{operation} {document.position:012} {revision}",
        "author": answer.author,
        "kind": answer.kind if answer.kind.startswith(_AGAIN) else _AGAIN + answer.kind,
        "spans": stored,
        "model_version": None,
    }
