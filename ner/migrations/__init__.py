"""Alembic environment; `migrate()` brings a database to the newest revision."""

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from ner.database import Database
from ner.errors import NerError

_log = logging.getLogger(__name__)


def alembic_config(database: Database) -> Config:
    """An Alembic configuration that uses the given database's engine."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["engine"] = database.engine
    return config


def known_revisions(database: Database) -> list[str]:
    """Every revision of the schema that this software has, the newest first."""
    script = ScriptDirectory.from_config(alembic_config(database))
    return [one.revision for one in script.walk_revisions()]


def migrate(database: Database, revision: str = "head") -> None:
    """Upgrade to `revision`; the newest unless said otherwise. Running it again changes nothing.

    A database that a newer release has brought further is left as it is, so that a release can be taken back: revisions
    only add, and what they add has a default. Raises NerError for a revision that only a newer release has.
    """
    known = known_revisions(database)
    if revision != "head" and revision not in known:
        raise NerError(f"The revision {revision} of the database is of a newer release than this; use that release.")
    with database.engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and found not in known:
        _log.warning(
            "A newer release has brought the database to revision %s; this one, which knows %s, goes on with it.",
            found,
            known[0],
        )
        return
    command.upgrade(alembic_config(database), revision)


def is_index_of_words(name: str | None) -> bool:
    """Whether a table or an index is what the database searches texts with: not of the code's tables, and not for all
    databases.
    """
    return name is not None and (name.startswith("search_") or name.endswith("_trigrams"))
