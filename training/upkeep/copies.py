"""A database as files and back: SQLite's online backup, and COPY in one transaction of PostgreSQL.

Both are one consistent state, taken while others write.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.migration import MigrationContext

from ner.database import Database
from ner.errors import Conflict
from ner.migrations import is_index_of_words, migrate

TABLES = "tables"
SQLITE = "workbench.db"


def copy_sqlite(source: Path, target: Path) -> None:
    """A copy of a SQLite file that is in use."""
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as into:
        live.backup(into)
        into.execute("PRAGMA journal_mode=DELETE")


def write_copy(database: Database, folder: Path) -> dict[str, Any]:
    """Write everything below `folder` and return what the copy holds (see `described`)."""
    if database.is_sqlite:
        path = sa.make_url(database.url).database
        assert path is not None
        copy_sqlite(Path(path), folder / SQLITE)
        return described(Database(f"sqlite:///{folder / SQLITE}"))
    (folder / TABLES).mkdir()
    with database.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        cursor = connection.connection.cursor()
        for table in _tables(connection):
            with (folder / TABLES / table.name).open("wb") as stream:
                cursor.copy_expert(f"COPY {_listed(table)} TO STDOUT", stream)
        return _described(connection)


def read_copy(database: Database, folder: Path, revision: str) -> None:
    """Put a copy back into an empty database of the kind that it was taken from. Raises Conflict."""
    if database.is_sqlite:
        path = Path(str(sa.make_url(database.url).database))
        if path.exists():
            raise Conflict(f"{path} is there already; restore into an empty NER_HOME.")
        (folder / SQLITE).rename(path)
        return
    if sa.inspect(database.engine).has_table("versions"):
        raise Conflict("The database holds tables already; restore into an empty one, or drop them first.")
    migrate(database, revision)
    with database.transaction() as connection:
        cursor = connection.connection.cursor()
        for table in _tables(connection):
            with (folder / TABLES / table.name).open("rb") as stream:
                cursor.copy_expert(f"COPY {_listed(table)} FROM STDIN", stream)
            _follow_sequences(connection, table)


def described(database: Database) -> dict[str, Any]:
    """Kind, revision of the schema, rows by table, digests of versions, and the end of the audit trail."""
    with database.reading() as connection:
        return _described(connection)


def _described(connection: sa.Connection) -> dict[str, Any]:
    counts = {
        table.name: connection.scalar(sa.select(sa.func.count()).select_from(table)) for table in _tables(connection)
    }
    revision = MigrationContext.configure(connection).get_current_revision()
    last = connection.execute(sa.text("SELECT entry, hash FROM audit ORDER BY entry DESC LIMIT 1")).first()
    versions = connection.execute(sa.text("SELECT version, package_hash FROM versions")).all()
    return {
        "kind": connection.dialect.name,
        "revision": revision,
        "rows": counts,
        "versions": {row.version: row.package_hash for row in versions},
        "audit": {"entries": last.entry, "hash": last.hash} if last is not None else None,
    }


def _tables(connection: sa.Connection) -> list[sa.Table]:
    """What is there, whatever version of the software made it; a table comes after those that it refers to."""
    present = sa.MetaData()
    present.reflect(connection, only=lambda name, _: not is_index_of_words(name))
    return [table for table in present.sorted_tables if table.name != "alembic_version"]


def _listed(table: sa.Table) -> str:
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    return f'"{table.name}" ({columns})'


def _follow_sequences(connection: sa.Connection, table: sa.Table) -> None:
    for column in table.primary_key.columns:
        if isinstance(column.type, sa.Integer):
            sequence = connection.scalar(
                sa.text("SELECT pg_get_serial_sequence(:table, :column)"),
                {"table": table.name, "column": column.name},
            )
            highest = connection.scalar(sa.select(sa.func.max(column)))
            if sequence is not None and highest is not None:
                connection.execute(sa.select(sa.func.setval(sequence, highest)))
