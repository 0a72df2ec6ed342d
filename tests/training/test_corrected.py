"""Versions are scored on what people settled of a sample of traffic, each document once for each gold."""

import datetime as dt
import uuid
from collections.abc import Sequence

import pytest
import sqlalchemy as sa

from annotation.capture import adopt_captured, keep_text
from annotation.corrections import save_correction
from ner import tables
from ner.database import Database, utc_now
from ner.documents import EntitySpan
from ner.predictions import ConfidenceKind, ScoredSpan, Tagged
from registry.logged import CapturedText
from registry.sealing import Seals
from registry.versions import VersionRecord, register
from tests.builders import a_version
from training.corrected import score_corrections

SEALS = Seals(b"a key for tests")
JOHN, OSLO = EntitySpan(0, 4, "per"), EntitySpan(8, 12, "geo")


class OnlyNames:
    """Finds John, and never Oslo."""

    labels = ("geo", "per")
    confidence_kind: ConfidenceKind = "none"

    def __init__(self) -> None:
        self.read: list[str] = []

    def tag(self, texts: Sequence[str]) -> list[Tagged]:
        self.read.extend(texts)
        return [Tagged((ScoredSpan(0, 4, "per", 0.8),), 3, 0, (), 1.9) for _ in texts]


@pytest.fixture
def record(database: Database) -> VersionRecord:
    made = a_version("1.0.0", training_completed_at=utc_now() - dt.timedelta(hours=1))
    with database.transaction() as connection:
        register(connection, made)
    return made


def settled(database: Database, text: str, *spans: EntitySpan, reason: str = "sample") -> str:
    """The id of a document of traffic that a person has settled."""
    request = uuid.uuid4().hex
    with database.transaction() as connection:
        keep_text(connection, SEALS, CapturedText(request, text, "1.0.0", 0.8, reason))  # type: ignore[arg-type]
        document = adopt_captured(connection, SEALS, request, "ada")
    corrected(database, document.id, 0, *spans)
    return str(document.id)


def corrected(database: Database, document_id: str, base: int, *spans: EntitySpan) -> None:
    with database.transaction() as connection:
        operation = uuid.uuid4().hex
        save_correction(connection, document_id, base_revision=base, spans=spans, operation_id=operation, author="ada")


def scores(database: Database) -> dict[str, tuple[int, int, int]]:
    columns = tables.corrected_scores.c
    with database.reading() as connection:
        rows = connection.execute(sa.select(columns.document_id, columns.correct, columns.predicted, columns.gold))
        return {row[0]: (row[1], row[2], row[3]) for row in rows}


def test_a_document_is_scored_once_and_again_when_its_gold_changes(database: Database, record: VersionRecord) -> None:
    tagger = OnlyNames()
    one = settled(database, "John in Oslo", JOHN, OSLO)
    two = settled(database, "Kari in Oslo", OSLO)

    assert score_corrections(database, record, lambda: tagger) == 2
    assert scores(database) == {one: (1, 1, 2), two: (0, 1, 1)}
    assert score_corrections(database, record, lambda: tagger) == 0
    assert len(tagger.read) == 2

    corrected(database, one, 1, JOHN)
    assert score_corrections(database, record, lambda: tagger) == 1
    assert scores(database) == {one: (1, 1, 1), two: (0, 1, 1)}


def test_texts_that_were_kept_for_their_doubts_and_old_ones_are_left_out(
    database: Database, record: VersionRecord
) -> None:
    def never() -> OnlyNames:
        raise AssertionError("nothing is to be scored")

    settled(database, "John in Oslo", JOHN, OSLO, reason="low confidence")
    assert score_corrections(database, record, never) == 0
    settled(database, "Kari in Oslo", OSLO)
    late = a_version("1.1.0", training_completed_at=utc_now() + dt.timedelta(hours=1))
    with database.transaction() as connection:
        register(connection, late)
    assert score_corrections(database, late, never) == 0
