"""Many rows in one statement: the same on both kinds of database, with every type of column that tables have."""

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

from ner import tables
from ner.database import Database
from ner.row_sets import insert_rows, is_among, update_rows

NOW = dt.datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=dt.UTC)
DATASET = {
    "id": "d" * 32,
    "name": 'the "daily" \\ news\n東京 😀',
    "labels": ["per", "q'ote"],
    "nesting": "flat",
    "annotators_required": 1,
    "created_at": NOW,
    "created_by": "ada",
}


def a_document(number: int, **values: Any) -> dict[str, Any]:
    return {
        "id": f"{number:032}",
        "dataset_id": DATASET["id"],
        "position": 2**40 + number,
        "text": f"Text {number} \t\r\n é",
        "text_hash": f"{number:064}",
        "import_key": str(number),
        "meta": {"source": {"page": number}},
        "revision": 0,
        "gold": None,
        "gold_revision": None,
        "created_at": NOW,
        **values,
    }


def rows_of(database: Database, table: sa.Table) -> list[dict[str, Any]]:
    with database.reading() as connection:
        return [dict(row) for row in connection.execute(sa.select(table).order_by(table.c.id)).mappings()]


@pytest.fixture
def filled(database: Database) -> Database:
    with database.transaction() as connection:
        insert_rows(connection, tables.datasets, [DATASET])
        insert_rows(connection, tables.documents, [a_document(1), a_document(2, gold=[[0, 4, "per"]]), a_document(3)])
    return database


def test_rows_are_read_as_they_were_inserted(filled: Database) -> None:
    stored = rows_of(filled, tables.datasets)[0]
    assert {name: stored[name] for name in DATASET} == DATASET
    assert rows_of(filled, tables.documents) == [a_document(1), a_document(2, gold=[[0, 4, "per"]]), a_document(3)]


def test_rows_are_changed_where_their_key_is_and_nowhere_else(filled: Database) -> None:
    changes = [
        {"id": a_document(1)["id"], "revision": 4, "gold": [[0, 1, "q'ote"]], "gold_revision": 4},
        {"id": a_document(2)["id"], "revision": 5, "gold": None, "gold_revision": None},
    ]
    with filled.transaction() as connection:
        update_rows(connection, tables.documents, "id", changes)
    assert rows_of(filled, tables.documents) == [a_document(1) | changes[0], a_document(2) | changes[1], a_document(3)]
    with filled.reading() as connection:
        empty = sa.select(sa.func.count()).where(tables.documents.c.gold.is_(None))
        assert connection.scalar(empty) == 2


def test_nothing_is_done_for_no_rows(filled: Database) -> None:
    with filled.transaction() as connection:
        insert_rows(connection, tables.documents, [])
        update_rows(connection, tables.documents, "id", [])
    assert len(rows_of(filled, tables.documents)) == 3


@pytest.mark.parametrize("wanted", [[], [1], [3, 1, 99]])
def test_a_column_is_looked_for_among_many_values(filled: Database, wanted: list[int]) -> None:
    identifiers = [f"{number:032}" for number in wanted]
    chosen = sa.select(tables.documents.c.id)
    with filled.reading() as connection:
        found = set(connection.scalars(chosen.where(is_among(connection, tables.documents.c.id, identifiers))))
    assert found == set(identifiers) - {f"{99:032}"}
