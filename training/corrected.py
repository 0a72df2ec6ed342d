"""Versions scored on what people settled of a random sample of traffic: the only F1 that says how good answers are now.

Texts that were kept because a version was unsure would give an F1 that is too low; they are left out.
"""

from collections.abc import Callable, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner import tables
from ner.database import Database
from ner.documents import EntitySpan
from ner.predictions import Tagged, Tagger
from registry.versions import VersionRecord

MOST_AT_ONCE = 200
_SAMPLED = "sample"
_scores, _documents, _revisions, _kept = (
    tables.corrected_scores,
    tables.documents,
    tables.revisions,
    tables.captured_texts,
)


def score_corrections(database: Database, record: VersionRecord, load: Callable[[], Tagger]) -> int:
    """Score a version on the documents that were settled since it was trained and that it was not scored on yet, at
    most 200 at once, newest first; how many there were. The tagger is loaded only where there is something to score.
    """
    with database.reading() as connection:
        waiting = connection.execute(_waiting(record)).all()
    if not waiting:
        return 0
    answers = load().tag([row.text for row in waiting])
    with database.transaction() as connection:
        for row, answer in zip(waiting, answers, strict=True):
            _store(connection, record.version, row, answer)
    return len(waiting)


def _waiting(record: VersionRecord) -> sa.Select[tuple[object, ...]]:
    settled_at = (
        sa.select(sa.func.max(_revisions.c.created_at))
        .where(_revisions.c.document_id == _documents.c.id, _revisions.c.revision <= _documents.c.gold_revision)
        .scalar_subquery()
    )
    is_scored = sa.exists().where(
        _scores.c.document_id == _documents.c.id,
        _scores.c.version == record.version,
        _scores.c.revision == _documents.c.gold_revision,
    )
    sampled = sa.exists().where(_kept.c.document_id == _documents.c.id, _kept.c.reason == _SAMPLED)
    return (
        sa.select(
            _documents.c.id,
            _documents.c.text,
            _documents.c.gold,
            _documents.c.gold_revision,
            settled_at.label("settled_at"),
        )
        .where(_documents.c.gold.is_not(None), settled_at > record.training_completed_at, sampled, ~is_scored)
        .order_by(settled_at.desc())
        .limit(MOST_AT_ONCE)
    )


def _store(connection: Connection, version: str, row: sa.Row[tuple[object, ...]], answer: Tagged) -> None:
    gold = spans_of(row.gold)
    predicted = {scored.span for scored in answer.spans}
    connection.execute(_scores.delete().where(_scores.c.version == version, _scores.c.document_id == row.id))
    connection.execute(
        _scores.insert().values(
            version=version,
            document_id=row.id,
            revision=row.gold_revision,
            settled_at=row.settled_at,
            correct=len(gold & predicted),
            predicted=len(predicted),
            gold=len(gold),
            expected_correct=sum(scored.confidence for scored in answer.spans),
            expected_entities=answer.expected_entities,
        )
    )


def spans_of(stored: Sequence[Sequence[object]]) -> set[EntitySpan]:
    """The spans of a document's `gold`."""
    return {EntitySpan(int(str(start)), int(str(end)), str(label)) for start, end, label in stored}
