"""Upkeep of the log: old rows are counted, crowded minutes folded, and what has been kept long enough is deleted."""

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy.engine import Connection

from ner.database import Database, utc_now
from registry.log_batches import forget_old_batches
from registry.process_samples import Sampler, forget_samples, write_sample
from registry.rollup_table import count_backlog, fold_hours, fold_minutes, forget_rollups, forget_rows

_FOLD_SECONDS = 60.0
_FORGET_SECONDS = 3600.0
_MOST_ROUNDS = 50


@dataclass(slots=True)
class Upkeep:
    """How long rows and their counts are kept, and when either was last looked after.

    The counts outlive the rows: `row_days` and `rollup_days` have nothing to do with each other. A `sampler` writes
    down each minute what this process needs of its machine.
    """

    row_days: float = 90
    rollup_days: float = 800
    sampler: Sampler | None = None
    _folded_at: float = field(default=float("-inf"), init=False)
    _forgot_at: float = field(default=float("-inf"), init=False)

    def run_if_due(self, database: Database) -> None:
        """Do what is due: fold every minute, forget every hour. Every step is a short transaction of its own."""
        now = time.monotonic()
        if now - self._folded_at >= _FOLD_SECONDS:
            self._folded_at = now
            self._sample(database)
            fold(database)
        if now - self._forgot_at >= _FORGET_SECONDS:
            self._forgot_at = now
            self.forget(database)

    def forget(self, database: Database) -> None:
        """Delete what is older than it shall become."""
        now = utc_now()
        rows_before = now - dt.timedelta(days=self.row_days)
        _while_some(database, lambda connection: forget_rows(connection, before=rows_before))
        with database.transaction() as connection:
            forget_rollups(connection, before=now - dt.timedelta(days=self.rollup_days))
            forget_samples(connection, before=rows_before)
            forget_old_batches(connection)

    def _sample(self, database: Database) -> None:
        if self.sampler is not None:
            with database.transaction() as connection:
                write_sample(connection, self.sampler.sample())


def fold(database: Database) -> None:
    """Count what was written before there were roll-ups, and fold minutes and hours."""
    for step in (count_backlog, fold_minutes, fold_hours):
        _while_some(database, step)


def _while_some(database: Database, step: Callable[[Connection], int]) -> None:
    for _ in range(_MOST_ROUNDS):
        with database.transaction() as connection:
            if step(connection) == 0:
                return
