"""A process that starts before its database does waits for it."""

import logging
import time
from collections.abc import Callable

import sqlalchemy as sa

from ner.database import Database

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 5.0
_log = logging.getLogger(__name__)


def wait_for_database(database: Database, who: str, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Return when the database answers, however long that takes; the log says once that `who` waits, and when the
    database is there. `meanwhile` is called before each pause.
    """
    pause, is_late = _FIRST_PAUSE_SECONDS, False
    while (problem := _problem(database)) is not None:
        meanwhile()
        if not is_late:
            _log.warning("The database does not answer, so the %s waits for it: %s", who, problem)
        is_late = True
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
    if is_late:
        _log.info("The database answers; the %s goes on.", who)


def _problem(database: Database) -> str | None:
    """Why the database does not answer, in a line; None where it does."""
    try:
        with database.reading():
            return None
    except sa.exc.OperationalError as error:
        return str(error.orig).strip().splitlines()[0]
