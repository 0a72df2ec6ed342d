"""The table of roll-ups: written with the rows that they count, folded as they age, read by the pages.

Every request is counted in exactly one row of it. New rows come in the transaction of their log batch; folding puts
one row in the place of several, in one transaction; so neither a crash nor a second process counts anything twice.
"""

import dataclasses
import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from ner import tables
from ner.database import lock_for_appending, utc_now
from registry.logged import LoggedPrediction
from registry.rollups import HOUR_SECONDS, MINUTE_SECONDS, Rollup, added, count_up, start_of

MINUTES_KEPT_HOURS = 49
"""How long minutes are told apart; older ones are hours."""

_rollups, _backlog, _predictions = tables.rollups, tables.rollup_backlog, tables.predictions
_ARM = (_rollups.c.version, _rollups.c.variant, _rollups.c.stood_in_for, _rollups.c.covered_by)
_FIELDS = tuple(field.name for field in dataclasses.fields(Rollup))
_LOGGED = tuple(field.name for field in dataclasses.fields(LoggedPrediction))
_QUIET = dt.timedelta(minutes=2)
_GROUPS_AT_ONCE = 200
_ROWS_AT_ONCE = 5_000
_LOCK = "rollups"


def write_rollups(connection: Connection, rollups: Iterable[Rollup]) -> None:
    """Add rows. Call it in the transaction that writes what they count."""
    rows = [{name: getattr(rollup, name) for name in _FIELDS} for rollup in rollups]
    if rows:
        connection.execute(_rollups.insert(), rows)


def read_rollups(
    connection: Connection,
    *,
    since: dt.datetime,
    until: dt.datetime | None = None,
    version: str | None = None,
    only: str | None = None,
) -> list[Rollup]:
    """Roll-ups whose minute or hour begins in [since, until), oldest first; several may share a minute. `only` names
    the one histogram that is wanted: the others are then neither sent nor added up.
    """
    columns = [_rollups.c[name] if name != "counts" or only is None else _part(only) for name in _FIELDS]
    asked = sa.select(*columns).where(_rollups.c.at >= since)
    if until is not None:
        asked = asked.where(_rollups.c.at < until)
    if version is not None:
        asked = asked.where(_rollups.c.version == version)
    found = [_rollup(row) for row in connection.execute(asked.order_by(_rollups.c.at))]
    for rollup in found if only is not None else ():
        rollup.counts = {only: rollup.counts or {}}  # type: ignore[dict-item]
    return found


def _part(name: str) -> sa.ColumnElement[Any]:
    return _rollups.c.counts[name].label("counts")


def fold_minutes(connection: Connection, *, now: dt.datetime | None = None) -> int:
    """Put one row in the place of those that share a minute and arm; returns how many rows went.

    Run it in a writing transaction. At most 200 minutes are folded at once; call it again while it returns a number.
    """
    lock_for_appending(connection, _LOCK)
    key = (_rollups.c.at, *_ARM)
    crowded = (
        sa.select(*key)
        .where(_rollups.c.seconds == MINUTE_SECONDS, _rollups.c.at < (now or utc_now()) - _QUIET)
        .group_by(*key)
        .having(sa.func.count() > 1)
        .order_by(*key)
        .limit(_GROUPS_AT_ONCE)
    )
    gone = 0
    for at, *arm in connection.execute(crowded).all():
        gone += _fold(connection, MINUTE_SECONDS, at, at + dt.timedelta(seconds=1), arm)
    return gone


def fold_hours(connection: Connection, *, now: dt.datetime | None = None) -> int:
    """Put one row for an hour in the place of its minutes, once they are two days old; returns how many rows went."""
    lock_for_appending(connection, _LOCK)
    before = start_of((now or utc_now()) - dt.timedelta(hours=MINUTES_KEPT_HOURS), HOUR_SECONDS)
    aged = (_rollups.c.seconds == MINUTE_SECONDS, _rollups.c.at < before)
    oldest = connection.scalar(sa.select(sa.func.min(_rollups.c.at)).where(*aged))
    if oldest is None:
        return 0
    hour = start_of(oldest, HOUR_SECONDS)
    end = hour + dt.timedelta(seconds=HOUR_SECONDS)
    arms = connection.execute(sa.select(*_ARM).where(_rollups.c.at >= hour, _rollups.c.at < end).distinct()).all()
    return sum(_fold(connection, HOUR_SECONDS, hour, end, arm) for arm in arms)


def count_backlog(connection: Connection) -> int:
    """Count the next rows that were written before there were roll-ups; returns how many, 0 when all are counted."""
    lock_for_appending(connection, _LOCK)
    owed = connection.execute(sa.select(_backlog)).first()
    if owed is None:
        return 0
    asked = _predictions.c.id >= owed.next_id, _predictions.c.id <= owed.last_id
    columns = (_predictions.c.id, *(_predictions.c[name] for name in _LOGGED))
    rows = connection.execute(sa.select(*columns).where(*asked).order_by(_predictions.c.id).limit(_ROWS_AT_ONCE)).all()
    write_rollups(connection, count_up(LoggedPrediction(*row[1:]) for row in rows))
    if len(rows) < _ROWS_AT_ONCE:
        connection.execute(_backlog.delete())
    else:
        connection.execute(_backlog.update().values(next_id=rows[-1].id + 1))
    return len(rows)


def forget_rows(connection: Connection, *, before: dt.datetime) -> int:
    """Delete the oldest rows of the log, at most 5,000 at once, as far as they are counted; returns how many."""
    waiting = connection.scalar(sa.select(_backlog.c.next_id))
    oldest = sa.select(_predictions.c.id).where(_predictions.c.at < before)
    if waiting is not None:
        oldest = oldest.where(_predictions.c.id < waiting)
    chosen = oldest.order_by(_predictions.c.id).limit(_ROWS_AT_ONCE)
    return connection.execute(_predictions.delete().where(_predictions.c.id.in_(chosen))).rowcount


def forget_rollups(connection: Connection, *, before: dt.datetime) -> int:
    """Delete roll-ups of before a moment; returns how many."""
    return connection.execute(_rollups.delete().where(_rollups.c.at < before)).rowcount


def _fold(
    connection: Connection, seconds: int, start: dt.datetime, end: dt.datetime, arm: Sequence[str] | Row[Any]
) -> int:
    these = (
        *(_rollups.c.at >= start, _rollups.c.at < end, _rollups.c.seconds <= seconds),
        *(column == value for column, value in zip(_ARM, arm, strict=True)),
    )
    rows = connection.execute(sa.select(_rollups.c.id, *(_rollups.c[name] for name in _FIELDS)).where(*these)).all()
    connection.execute(_rollups.delete().where(_rollups.c.id.in_([row.id for row in rows])))
    write_rollups(connection, added([_rollup(row[1:]) for row in rows], seconds))
    return len(rows) - 1 if seconds == MINUTE_SECONDS else len(rows)


def _rollup(row: Sequence[object] | Row[tuple[object, ...]]) -> Rollup:
    return Rollup(*row)
