"""One process at a time: a lock that goes with its process, however that ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from ner.database import Database
from ner.settings import Settings

_LOCK = sa.text("SELECT pg_try_advisory_xact_lock(hashtext(concat(current_schema(), ':', CAST(:name AS text))))")


@contextmanager
def alone(database: Database, settings: Settings, name: str) -> Iterator[bool]:
    """Whether this process holds the lock called `name` while the block runs."""
    if not database.is_sqlite:
        with database.reading() as connection:
            yield bool(connection.scalar(_LOCK, {"name": name}))
        return
    settings.home.mkdir(parents=True, exist_ok=True)
    with (settings.home / f"{name}.lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
