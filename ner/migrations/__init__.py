"""Alembic environment; `migrate()` brings a database to the newest revision."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from ner.database import Database


def alembic_config(database: Database) -> Config:
    """An Alembic configuration that uses the given database's engine."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["engine"] = database.engine
    return config


def migrate(database: Database, revision: str = "head") -> None:
    """Upgrade to `revision`; the newest unless said otherwise. Running it again changes nothing."""
    command.upgrade(alembic_config(database), revision)


def is_index_of_words(name: str | None) -> bool:
    """Whether a table or an index is what the database searches texts with: not of the code's tables, and not for all
    databases.
    """
    return name is not None and (name.startswith("search_") or name.endswith("_trigrams"))
