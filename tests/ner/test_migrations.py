"""Migrations on databases that hold something: nothing is lost on the way up, and the way down is open."""

import ast
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from ner.database import Database
from ner.errors import NerError
from ner.migrations import alembic_config, is_index_of_words, known_revisions, migrate

MOMENT = dt.datetime(2024, 2, 29, 12, 30, tzinfo=dt.UTC)
REVISIONS = known_revisions(Database("sqlite://"))
SCRIPTS = sorted((Path(__file__).parents[2] / "ner" / "migrations" / "versions").glob("0*.py"))


def _value(column: sa.Column[Any], table: str, row: int) -> Any:
    """Something that fits the column, different in every row where it has to be."""
    kind = column.type
    if column.name == "document_id":
        return f"documents {row}"
    if column.foreign_keys:
        (key,) = column.foreign_keys
        return f"{key.column.table.name} {row}"
    if isinstance(kind, sa.DateTime):
        return MOMENT + dt.timedelta(minutes=row)
    if isinstance(kind, sa.Boolean):
        return row % 2 == 0
    if isinstance(kind, sa.Integer | sa.Float):
        return row
    if isinstance(kind, sa.LargeBinary):
        return bytes([row, 255 - row])
    if column.name == "spans":
        return [[0, 1, f"label {row}"], [1, 2, f"label {row}"]]
    if isinstance(kind, sa.JSON):
        return {"row": row, "ä": [1, None]}
    return f"{table} {row}"


def _fill(database: Database, rows: int = 3) -> dict[str, int]:
    """Put rows into every table that is there now; how many there are in each."""
    present = sa.MetaData()
    present.reflect(database.engine, only=lambda name, _: not is_index_of_words(name))
    counts = {}
    with database.transaction() as connection:
        for table in present.sorted_tables:
            if table.name == "alembic_version":
                continue
            values = [
                {column.name: _value(column, table.name, row) for column in table.columns} for row in range(1, rows + 1)
            ]
            connection.execute(table.insert(), values)
            counts[table.name] = rows
    return counts


def _contents(database: Database) -> dict[str, list[dict[str, Any]]]:
    present = sa.MetaData()
    present.reflect(database.engine, only=lambda name, _: not is_index_of_words(name))
    with database.reading() as connection:
        return {
            table.name: [
                dict(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key)).mappings()
            ]
            for table in present.sorted_tables
            if table.name != "alembic_version"
        }


def _comparable(value: Any) -> Any:
    if isinstance(value, memoryview):
        return bytes(value)
    return json.dumps(value, sort_keys=True) if isinstance(value, dict | list) else value


@pytest.fixture
def first_release(database: Database) -> Database:
    """A database of the earliest schema, with rows in every table."""
    command.downgrade(alembic_config(database), "base")
    migrate(database, "0001")
    _fill(database)
    return database


def test_nothing_is_lost_when_the_earliest_schema_is_upgraded(first_release: Database) -> None:
    before = _contents(first_release)
    assert {len(rows) for rows in before.values()} == {3}
    migrate(first_release)
    after = _contents(first_release)
    for table, rows in before.items():
        for old, new in zip(rows, after[table], strict=True):
            assert {name: _comparable(new[name]) for name in old} == {name: _comparable(old[name]) for name in old}


def test_every_step_goes_back_and_forth_when_all_tables_hold_rows(database: Database) -> None:
    command.downgrade(alembic_config(database), "base")
    migrate(database)
    _fill(database)
    for revision in REVISIONS:
        command.downgrade(alembic_config(database), f"{revision}-1" if revision != REVISIONS[-1] else "base")
    migrate(database)
    _fill(database)
    assert {len(rows) for rows in _contents(database).values()} == {3}


def test_the_migrations_are_one_line() -> None:
    assert sorted(REVISIONS, reverse=True) == REVISIONS


def test_a_release_that_is_taken_back_goes_on_with_the_schema_of_the_newer_one(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(sa.text("ALTER TABLE versions ADD COLUMN mood TEXT NOT NULL DEFAULT 'fine'"))
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        migrate(database)
        _fill(database)
        with database.reading() as connection:
            assert connection.scalar(sa.text("SELECT version_num FROM alembic_version")) == "9999"
    finally:
        with database.transaction() as connection:
            connection.execute(sa.text("ALTER TABLE versions DROP COLUMN mood"))
            connection.execute(sa.text("UPDATE alembic_version SET version_num = :newest"), {"newest": REVISIONS[0]})


def test_a_copy_of_a_newer_release_is_refused_with_what_to_do() -> None:
    with pytest.raises(NerError, match="use that release"):
        migrate(Database("sqlite://"), "9999")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem[:4])
def test_a_migration_only_adds_so_that_the_release_before_goes_on_working(script: Path) -> None:
    (upgrade,) = [
        node
        for node in ast.parse(script.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name == "upgrade"
    ]
    calls = [node for node in ast.walk(upgrade) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    names = {node.func.attr for node in calls if isinstance(node.func, ast.Attribute)}
    assert {name for name in names if name.startswith(("drop_", "rename_"))} == set()
    for added in (node for node in calls if isinstance(node.func, ast.Attribute) and node.func.attr == "add_column"):
        said = ast.unparse(added)
        assert "nullable=True" in said or "server_default" in said, said
