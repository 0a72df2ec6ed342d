"""What several people said about the same documents, and the documents on which they do not agree."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from annotation.stored import CORRECTIONS, as_document, load_dataset, select_documents, spans_of
from ner import tables
from ner.documents import Document, EntitySpan
from ner.errors import InvalidInput
from registry import audit

Answers = dict[str, tuple[EntitySpan, ...]]
_documents, _revisions = tables.documents, tables.revisions


def answers_of(connection: Connection, document_id: str) -> Answers:
    """The newest answer of each person who corrected the document, by name."""
    return _newest(_corrections().where(_revisions.c.document_id == document_id), connection).get(document_id, {})


def answers_in(connection: Connection, dataset: str) -> list[tuple[str, str, Answers]]:
    """(id, text, answers) of every document of the dataset that somebody corrected. Raises NotFound."""
    rules = load_dataset(connection, dataset)
    found = _newest(
        _corrections()
        .join(_documents, _documents.c.id == _revisions.c.document_id)
        .where(_documents.c.dataset_id == rules.id),
        connection,
    )
    rows = connection.execute(
        sa.select(_documents.c.id, _documents.c.text)
        .where(_documents.c.dataset_id == rules.id)
        .order_by(_documents.c.position)
    )
    return [(row.id, row.text, found[row.id]) for row in rows if row.id in found]


def ask_people(connection: Connection, dataset: str, annotators_required: int, actor: str) -> None:
    """From now on that many people must agree before its documents are gold. Raises NotFound, InvalidInput."""
    if annotators_required < 1:
        raise InvalidInput("A dataset needs at least 1 annotator.")
    rules = load_dataset(connection, dataset)
    if rules.annotators_required == annotators_required:
        return
    row = tables.datasets.update().where(tables.datasets.c.id == rules.id)
    connection.execute(row.values(annotators_required=annotators_required))
    details = {"before": rules.annotators_required, "after": annotators_required}
    audit.append(connection, actor=actor, action="dataset.people", subject=dataset, details=details)


def next_disagreement(
    connection: Connection, dataset: str, *, exclude: Collection[str] = ()
) -> tuple[Document | None, str, int]:
    """(document or None, why it was chosen, how many are left with it): as many people as the dataset asks for have
    corrected it, they do not agree, and nobody has decided. Raises NotFound.
    """
    rules = load_dataset(connection, dataset)
    corrected = (
        sa.select(_revisions.c.document_id)
        .where(_revisions.c.kind.in_(CORRECTIONS))
        .group_by(_revisions.c.document_id)
        .having(sa.func.count(sa.distinct(_revisions.c.author)) >= rules.annotators_required)
    )
    decided = sa.select(_revisions.c.document_id).where(_revisions.c.kind == "decision")
    conditions = [
        _documents.c.dataset_id == rules.id,
        _documents.c.id.in_(corrected),
        _documents.c.id.not_in(decided),
        sa.or_(_documents.c.gold_revision.is_(None), _documents.c.gold_revision < _documents.c.revision),
    ]
    if exclude:
        conditions.append(_documents.c.id.not_in(exclude))
    remaining = connection.scalar(sa.select(sa.func.count()).select_from(_documents).where(*conditions)) or 0
    row = connection.execute(select_documents().where(*conditions).order_by(_documents.c.position).limit(1)).first()
    if row is None:
        return None, "Nothing waits for a decision here.", 0
    return as_document(row), _who(answers_of(connection, row.id)), remaining


def _who(answers: Iterable[str]) -> str:
    names = sorted(answers)
    return f"{', '.join(names[:-1])} and {names[-1]} do not agree." if len(names) > 1 else "It waits for a decision."


def _corrections() -> sa.Select[Any]:
    return (
        sa.select(_revisions.c.document_id, _revisions.c.author, _revisions.c.spans)
        .where(_revisions.c.kind.in_(CORRECTIONS))
        .order_by(_revisions.c.revision)
    )


def _newest(query: sa.Select[Any], connection: Connection) -> dict[str, Answers]:
    found: dict[str, Answers] = defaultdict(dict)
    for row in connection.execute(query):
        found[row.document_id][row.author] = spans_of(row.spans)
    return dict(found)
