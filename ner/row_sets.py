"""Many rows written at once. PostgreSQL gets them as one JSON parameter of one statement, which spares it a message, a
plan and a parsed literal for each row; SQLite, which has no server to talk to, is fastest with one row after another.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.engine import Connection

Rows = Sequence[Mapping[str, Any]]


def insert_rows(connection: Connection, table: sa.Table, rows: Rows) -> None:
    """Insert the rows, which all have the same columns."""
    if not rows:
        return
    if connection.dialect.name != "postgresql":
        connection.execute(table.insert(), list(rows))
        return
    sent = _sent(table, rows)
    connection.execute(table.insert().from_select(list(rows[0]), sa.select(*sent.c)))


def update_rows(connection: Connection, table: sa.Table, key: str, rows: Rows) -> None:
    """Set the columns of each row, found by its column `key`; the rows all have the same columns."""
    if not rows:
        return
    written = [name for name in rows[0] if name != key]
    if connection.dialect.name != "postgresql":
        values = {name: sa.bindparam(f"the_{name}", type_=table.c[name].type) for name in written}
        update = table.update().where(table.c[key] == sa.bindparam(f"the_{key}")).values(values)
        connection.execute(update, [{f"the_{name}": value for name, value in row.items()} for row in rows])
        return
    sent = _sent(table, rows)
    connection.execute(
        table.update().where(table.c[key] == sent.c[key]).values({name: sent.c[name] for name in written})
    )


def is_among(connection: Connection, column: sa.ColumnElement[str], values: Sequence[str]) -> sa.ColumnElement[bool]:
    """Whether a column is one of many texts: one array for PostgreSQL, rather than a parameter for each of them."""
    if connection.dialect.name != "postgresql":
        return column.in_(values)
    return column == sa.any_(sa.literal(list(values), ARRAY(sa.Text())))


def _sent(table: sa.Table, rows: Rows) -> sa.TableValuedAlias:
    """The rows as a table of PostgreSQL, with the types of the columns they are meant for."""
    columns = [sa.column(name, table.c[name].type) for name in rows[0]]
    written = orjson.dumps([dict(row) for row in rows]).decode()
    document = sa.cast(sa.literal(written, sa.Text()), JSONB)
    return sa.func.jsonb_to_recordset(document).table_valued(*columns).render_derived("sent", with_types=True)
