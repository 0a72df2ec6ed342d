"""Fixtures of the screens' tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ner.database import Database
from ner.migrations import migrate
from ner.settings import Settings
from tests.workbench.world import World
from workbench import browser


@pytest.fixture
def world(tmp_path: Path, settings: Settings) -> Iterator[World]:
    """An empty workbench on SQLite: what the screens show does not depend on the kind of database."""
    database = Database(f"sqlite:///{tmp_path / 'world.db'}")
    migrate(database)
    folder = tmp_path / "made"
    folder.mkdir()
    yield World(settings, database, folder)
    browser.connect(None)
    database.close()
