"""Which processes are alive: each writes down the moment now and then."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner.database import lock_for_appending
from ner.tables import heartbeats

WORKER = "worker"


def beat(connection: Connection, process: str, now: dt.datetime) -> None:
    """Note that a process is alive."""
    if not connection.execute(heartbeats.update().where(heartbeats.c.process == process).values(seen_at=now)).rowcount:
        lock_for_appending(connection, "heartbeats")
        connection.execute(heartbeats.delete().where(heartbeats.c.process == process))
        connection.execute(heartbeats.insert().values(process=process, seen_at=now))


def last_beats(connection: Connection) -> dict[str, dt.datetime]:
    """When each process was alive last."""
    return {row.process: row.seen_at for row in connection.execute(sa.select(heartbeats))}
