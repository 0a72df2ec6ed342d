"""How the checks look: into the database, and at what should answer by HTTP."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import sqlalchemy as sa

from ner.database import Database
from ner.errors import NerError
from ner.settings import Settings

TIMEOUT_SECONDS = 5.0

Check = Callable[[Settings], str]
"""Says in a sentence that something is well; raises NerError, with what to do, where it is not."""


@contextmanager
def reading(settings: Settings) -> Iterator[sa.Connection]:
    """A connection on a database of its own, closed afterwards. A SQLite file that is not there is not made."""
    path = sa.make_url(settings.database).database if settings.database.startswith("sqlite") else None
    if path and not Path(path).exists():
        raise NerError(f"There is no database at {path}; 'make up' makes one, 'workbench restore' brings one back.")
    database = Database(settings.database)
    try:
        with database.reading() as connection:
            yield connection
    finally:
        database.close()


def answer_of(url: str) -> httpx.Response | None:
    """What is answered there, whatever it is; None where nothing answers within five seconds. Certificates are not
    checked: what is asked is this machine.
    """
    try:
        return httpx.get(url, timeout=TIMEOUT_SECONDS, verify=False)
    except httpx.HTTPError:
        return None
