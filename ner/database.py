"""The SQL database: one engine per process, and transactions that the edge commits once."""

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import NullPool

from ner.errors import InvalidSetting
from ner.turns import Turns

_BUSY_SECONDS = 30
_CONNECT_SECONDS = 5
# There is one writer at a time, and a long change writes all over its indexes.
_WRITER_CACHE_KILOBYTES = 32_768


class Database:
    """Reading and writing on one SQL database, SQLite or PostgreSQL.

    A transaction commits when its block ends and rolls back when the block raises. On SQLite a writing transaction
    takes the write lock when it begins, so that two writers wait for each other rather than fail half-way.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self.engine = _sqlite_engine(url) if self.is_sqlite else _server_engine(url)
        self._turns = Turns(_BUSY_SECONDS) if self.is_sqlite else None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one consistent state and leaves nothing behind."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection whose changes are committed together when the block ends."""
        with (
            self._turns.turn() if self._turns else nullcontext(),
            self.engine.connect().execution_options(ner_writes=True) as connection,
        ):
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()


def lock_for_appending(connection: Connection, name: str) -> None:
    """Let one transaction at a time append to `name` until it commits (SQLite writers are alone already)."""
    if connection.dialect.name == "postgresql":
        # Locks are of the whole database, and several installations may share it, each in a schema.
        lock = sa.text("SELECT pg_advisory_xact_lock(hashtext(concat(current_schema(), ':', CAST(:name AS text))))")
        connection.execute(lock, {"name": name})


def utc_now() -> dt.datetime:
    """The present moment, with its time zone."""
    return dt.datetime.now(dt.UTC)


class UtcDateTime(sa.types.TypeDecorator[dt.datetime]):
    """A moment in UTC. SQLite keeps no time zone, so it is put back on the way out."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, _dialect: Any) -> dt.datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("A moment without its time zone cannot be stored.")
        return value.astimezone(dt.UTC) if value is not None else None

    def process_result_value(self, value: dt.datetime | None, _dialect: Any) -> dt.datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


def _read_json(stored: str | bytes) -> Any:
    """What a JSON column holds. Pages read tens of thousands of them, and the standard library is three times slower;
    it alone reads what older rows may hold (NaN, halves of surrogate pairs)."""
    try:
        return orjson.loads(stored)
    except orjson.JSONDecodeError:
        return json.loads(stored)


def _server_engine(url: str) -> Engine:
    # Parameters are texts and hashes of keys: an error that is written down must not quote them.
    try:
        limits = {"connect_timeout": _CONNECT_SECONDS} if sa.make_url(url).get_backend_name() == "postgresql" else {}
        # Many rows go to the server in a few messages rather than in one each.
        batched = {"executemany_mode": "values_plus_batch"} if sa.make_url(url).get_driver_name() == "psycopg2" else {}
        options = {"pool_pre_ping": True, "pool_size": 10, "max_overflow": 20, "hide_parameters": True, **batched}
        options["json_deserializer"] = _read_json
        return sa.create_engine(url, connect_args=limits, **options)
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError) as error:
        raise InvalidSetting(
            f"NER_DATABASE_URL is not a database URL such as postgresql+psycopg2://user:password@host/name: {error}"
        ) from None


def _sqlite_engine(url: str) -> Engine:
    path = sa.make_url(url).database
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    # SQLite connections are cheap, and none of them then outlives its thread.
    engine = sa.create_engine(
        url,
        poolclass=NullPool,
        connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
        hide_parameters=True,
        json_deserializer=_read_json,
    )

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA busy_timeout={_BUSY_SECONDS * 1000}")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("ner_writes", False)
        if writes:
            connection.exec_driver_sql(f"PRAGMA cache_size=-{_WRITER_CACHE_KILOBYTES}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
