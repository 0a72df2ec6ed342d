"""Batches of log entries: how they are written into the database, each exactly once.

A batch has an id, and its id is written in the transaction of its rows. A batch whose commit was not heard of is
simply sent again: where its id is there already, nothing happens.
"""

import dataclasses
import datetime as dt
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner import tables
from ner.database import utc_now
from registry.logged import CapturedText, LoggedPrediction, RefusedRequests
from registry.rollup_table import write_rollups
from registry.rollups import count_up

Entry = LoggedPrediction | CapturedText
"""What the log takes."""
KeepText = Callable[[Connection, CapturedText], None]
"""Stores one captured text on the given connection."""

_KEPT_DAYS = 30
_COLUMNS = tuple(field.name for field in dataclasses.fields(LoggedPrediction))
_NAMES = ", ".join(_COLUMNS)
# The interpreter is shared with the answers of the moment: values are taken out by the row, not one by one.
_JSON = ("entities", "confidences", "word_sample")
_PLAIN = tuple(name for name in _COLUMNS if name not in {"at", *_JSON})
_ORDERED = (*_PLAIN, "at", *_JSON)
_plain_values, _json_values = attrgetter(*_PLAIN), attrgetter(*_JSON)
# One statement for many rows: the driver then needs the interpreter once, and not for every row.
_FROM_JSON = sa.text(
    f"INSERT INTO predictions ({_NAMES}) "
    f"SELECT {_NAMES} FROM json_populate_recordset(NULL::predictions, CAST(:rows AS json))"
)
# SQLite binds at most 32,766 values.
_ROWS_AT_ONCE = 500
_MARK = sa.text("INSERT INTO log_batches (id, at) VALUES (:id, :at) ON CONFLICT DO NOTHING").bindparams(
    sa.bindparam("at", type_=tables.log_batches.c.at.type)
)


@dataclass(frozen=True, slots=True)
class LogBatch:
    """Entries that are written together, in their order."""

    id: str
    rows: Sequence[LoggedPrediction]
    texts: Sequence[CapturedText]
    refused: Sequence[RefusedRequests] = ()

    def __len__(self) -> int:
        return len(self.rows) + len(self.texts) + len(self.refused)

    def pack(self) -> bytes:
        """The batch as JSON."""
        return orjson.dumps(self)


def batch_of(entries: Sequence[Entry], refused: Sequence[RefusedRequests] = ()) -> LogBatch:
    """A new batch."""
    return LogBatch(
        uuid.uuid4().hex,
        [entry for entry in entries if isinstance(entry, LoggedPrediction)],
        [entry for entry in entries if isinstance(entry, CapturedText)],
        refused,
    )


def unpack(packed: bytes) -> LogBatch:
    """What `pack` packed. Raises ValueError, KeyError or TypeError when it is anything else."""
    stored = orjson.loads(packed)
    return LogBatch(
        stored["id"],
        [LoggedPrediction(**_dated(row)) for row in stored["rows"]],
        [CapturedText(**text) for text in stored["texts"]],
        [RefusedRequests(**_dated(request)) for request in stored.get("refused", ())],
    )


def write(connection: Connection, batch: LogBatch, keep_text: KeepText) -> bool:
    """Write a batch on a connection in a transaction; False where it was written before."""
    if connection.execute(_MARK, {"id": batch.id, "at": utc_now()}).rowcount == 0:
        return False
    kept = [row for row in batch.rows if row.weight]
    if connection.dialect.name == "sqlite":
        for first in range(0, len(kept), _ROWS_AT_ONCE):
            _insert_values(connection, kept[first : first + _ROWS_AT_ONCE])
    elif kept:
        rows = orjson.dumps(kept, default=_moment, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()
        connection.execute(_FROM_JSON, {"rows": rows})
    for text in batch.texts:
        keep_text(connection, text)
    write_rollups(connection, count_up(batch.rows, batch.refused))
    return True


def forget_old_batches(connection: Connection) -> None:
    """Delete the ids of batches that nobody will send again."""
    before = utc_now() - dt.timedelta(days=_KEPT_DAYS)
    connection.execute(tables.log_batches.delete().where(tables.log_batches.c.at < before))


def _dated(stored: dict[str, Any]) -> dict[str, Any]:
    return stored | {"at": dt.datetime.fromisoformat(stored["at"])}


def _insert_values(connection: Connection, rows: Sequence[LoggedPrediction]) -> None:
    places = ", ".join([f"({', '.join('?' * len(_ORDERED))})"] * len(rows))
    values = tuple(chain.from_iterable(map(_sqlite_values, rows)))
    connection.exec_driver_sql(f"INSERT INTO predictions ({', '.join(_ORDERED)}) VALUES {places}", values)


def _sqlite_values(row: LoggedPrediction) -> tuple[object, ...]:
    """What SQLite keeps of a row, in the order of `_ORDERED`."""
    at = row.at.astimezone(dt.UTC).isoformat(" ", "microseconds")[:26]
    return (*_plain_values(row), at, *[orjson.dumps(value).decode() for value in _json_values(row)])


def _moment(value: object) -> str:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat(" ", "microseconds")
    raise TypeError(f"{type(value).__name__} is not JSON")
