"""The API on both kinds of database, and on SQLite alone where the kind of database cannot matter."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ner.database import Database
from ner.migrations import migrate
from ner.settings import Settings
from tests.api.rooms import Room, open_room


@pytest.fixture
def room(settings: Settings, database: Database) -> Iterator[Room]:
    """An API with nothing in it."""
    opened = open_room(settings, database)
    with opened.client:
        yield opened


@pytest.fixture
def light_room(settings: Settings, tmp_path: Path) -> Iterator[Room]:
    """An API on SQLite in which version 1.0.0 is stable."""
    store = Database(f"sqlite:///{tmp_path / 'light.db'}")
    migrate(store)
    opened = open_room(settings, store)
    with opened.client:
        opened.stable()
        yield opened
    store.close()
