"""A worker that starts before its database does waits for it."""

import logging
import time

import sqlalchemy as sa

from ner.database import Database
from ner.settings import Settings

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 5.0
_log = logging.getLogger(__name__)


def wait_for_database(database: Database, settings: Settings) -> None:
    """Return when the database answers, however long that takes; the log says once that it is waited for, and when it
    is there. Meanwhile the sign of life is kept fresh, so that nobody ends a process that does what it should.
    """
    pause, is_late = _FIRST_PAUSE_SECONDS, False
    while (problem := _problem(database)) is not None:
        if not is_late:
            _log.warning("The database does not answer, so the worker waits for it: %s", problem)
        is_late = True
        settings.home.mkdir(parents=True, exist_ok=True)
        (settings.home / "worker.alive").touch()
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
    if is_late:
        _log.info("The database answers; the worker goes on.")


def _problem(database: Database) -> str | None:
    """Why the database does not answer, in a line; None where it does."""
    try:
        with database.reading():
            return None
    except sa.exc.OperationalError as error:
        return str(error.orig).strip().splitlines()[0]
