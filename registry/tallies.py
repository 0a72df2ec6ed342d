"""How many requests the two versions of a trial have answered, and how many of them exceeded each limit."""

import datetime as dt
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner.tables import predictions
from registry.evidence import Tally
from registry.policy import Criterion

_FIRST_FAILURE = 500
_SETTLED_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Trialled:
    """Whose requests are counted, and since when."""

    canary: str
    stable: str
    began_at: dt.datetime
    step_began_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Tallies:
    """Counts by criterion: the canary's since the trial began, both versions' since the step began.

    `newest` is when the canary answered last; None where it has not in this step.
    """

    life: Mapping[str, Tally]
    step: Mapping[str, Tally]
    stable: Mapping[str, Tally]
    newest: dt.datetime | None


@dataclass(slots=True)
class _Sums:
    """Requests, then those that exceed each criterion."""

    life: list[int]
    step: list[int]
    stable: list[int]
    newest: dt.datetime | None = None

    @classmethod
    def empty(cls, criteria: int) -> "_Sums":
        zeros = [0] * (criteria + 1)
        return cls(zeros, zeros, zeros)


Counters = dict[tuple[Criterion, ...], "TallyCounter"]
"""Counters that are kept from question to question, by what they count."""


@dataclass(slots=True)
class TallyCounter:
    """Counts a trial again and again, reading each time only what was logged since.

    PostgreSQL numbers rows before they are committed, so what was logged in the last half minute is always read anew
    there. SQLite has one writer, whose numbers are committed in their order. Any thread may ask.
    """

    criteria: Sequence[Criterion]
    _whose: Trialled | None = None
    _sums: _Sums = field(default_factory=lambda: _Sums.empty(0))
    _counted_to: int = 0
    _marks: deque[tuple[float, int]] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, connection: Connection, whose: Trialled) -> Tallies:
        """The tallies of now."""
        with self._lock:
            return self._count(connection, whose)

    def _count(self, connection: Connection, whose: Trialled) -> Tallies:
        self._turn_to(whose)
        highest = connection.scalar(sa.select(sa.func.max(predictions.c.id))) or 0
        self._marks.append((time.monotonic(), highest))
        self._settle(connection, whose)
        recent = self._read(connection, whose, self._counted_to, None)
        return self._tallies(_added(self._sums, recent))

    def _turn_to(self, whose: Trialled) -> None:
        known = self._whose
        if known is None or (known.canary, known.stable, known.began_at) != (
            *(whose.canary, whose.stable, whose.began_at),
        ):
            self._sums = _Sums.empty(len(self.criteria))
            self._counted_to = 0
            self._marks.clear()
        elif known.step_began_at != whose.step_began_at:
            # Whatever was counted so far was logged before this step.
            empty = _Sums.empty(len(self.criteria))
            self._sums = _Sums(self._sums.life, empty.step, empty.stable)
        self._whose = whose

    def _settle(self, connection: Connection, whose: Trialled) -> None:
        """Count for good what nothing can be added to any more."""
        in_flight_seconds = 0.0 if connection.dialect.name == "sqlite" else _SETTLED_SECONDS
        before = time.monotonic() - in_flight_seconds
        settled = self._counted_to
        while self._marks and self._marks[0][0] <= before:
            settled = self._marks.popleft()[1]
        if settled > self._counted_to:
            self._sums = _added(self._sums, self._read(connection, whose, self._counted_to, settled))
            self._counted_to = settled

    def _read(self, connection: Connection, whose: Trialled, above: int, up_to: int | None) -> _Sums:
        row = predictions.c
        in_step = (row.at >= whose.step_began_at).label("in_step")
        is_canary = sa.and_(row.variant == "canary", row.version == whose.canary)
        # Where the stable version stood in, its latency holds the wait for the canary, whose failure has its own row.
        on_its_own = sa.and_(row.variant == "stable", row.stood_in_for == "")
        is_stable = sa.and_(on_its_own, row.version == whose.stable, row.at >= whose.step_began_at)
        wanted = (
            sa.select(row.variant, in_step, sa.func.count(), sa.func.max(row.at), *map(_exceeding, self.criteria))
            .where(row.at >= whose.began_at, sa.or_(is_canary, is_stable))
            .group_by(row.variant, in_step)
        )
        # A young trial on an old log is found by its moments; the number would lead through all that was ever logged.
        if above:
            wanted = wanted.where(row.id > above)
        if up_to is not None:
            wanted = wanted.where(row.id <= up_to)
        sums = _Sums.empty(len(self.criteria))
        for variant, is_in_step, requests, newest, *exceeded in connection.execute(wanted):
            counts = [int(requests), *map(int, exceeded)]
            if variant == "stable":
                sums.stable = counts
                continue
            sums.life = _plus(sums.life, counts)
            if is_in_step:
                sums.step, sums.newest = counts, newest
        return sums

    def _tallies(self, sums: _Sums) -> Tallies:
        life, step, stable = (
            {one.name: Tally(counts[place + 1], counts[0]) for place, one in enumerate(self.criteria)}
            for counts in (sums.life, sums.step, sums.stable)
        )
        return Tallies(life, step, stable, sums.newest)


def _exceeding(criterion: Criterion) -> sa.ColumnElement[int]:
    slow = criterion.slower_than_ms
    condition = predictions.c.status >= _FIRST_FAILURE if slow is None else predictions.c.latency_ms > slow
    return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)


def _added(one: _Sums, other: _Sums) -> _Sums:
    moments = [moment for moment in (one.newest, other.newest) if moment is not None]
    return _Sums(
        _plus(one.life, other.life),
        _plus(one.step, other.step),
        _plus(one.stable, other.stable),
        max(moments, default=None),
    )


def _plus(one: list[int], other: list[int]) -> list[int]:
    return [a + b for a, b in zip(one, other, strict=True)]
