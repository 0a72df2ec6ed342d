"""Fixtures that two or more rooms share: settings in an empty folder, and a database of each kind."""

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from ner.database import Database
from ner.migrations import migrate
from ner.settings import Settings
from ner.tables import metadata

CI = os.environ.get("CI", "").lower() == "true"
POSTGRES = os.environ.get("NER_TEST_DATABASE_URL", "postgresql+psycopg2://postgres@127.0.0.1:5432/test")
REDIS = os.environ.get("NER_TEST_REDIS_URL", "redis://127.0.0.1:6379/15")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests go first, so that no process is left alone with one of them at the end.

    What is slow is tried on SQLite, and on PostgreSQL too among the heavy tests.
    """
    for item in items:
        if item.get_closest_marker("slow") and item.get_closest_marker("postgres"):
            item.add_marker("heavy")
    slow = {item.path for item in items if item.get_closest_marker("slow") or item.get_closest_marker("browser")}
    items.sort(key=lambda item: item.path not in slow)


def missing(reason: str) -> None:
    """Skip with the reason; where nothing may be missing (CI=true), fail with it."""
    if CI:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("NER_") and not name.startswith("NER_TEST_"):
            monkeypatch.delenv(name)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, home=tmp_path / "home", secret_key="a key for tests", capture_sample=0)  # type: ignore[call-arg]


@pytest.fixture(scope="session")
def postgres_server() -> sa.Engine | str:
    """An engine on the test server, or the sentence that says why there is none."""
    engine = sa.create_engine(POSTGRES, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})
    try:
        engine.connect().close()
    except sa.exc.OperationalError as error:
        return f"PostgreSQL does not answer at {engine.url!r}: {str(error.orig).splitlines()[0]}"
    return engine


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with every table and no row, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "empty.db"
    store = Database(f"sqlite:///{path}")
    migrate(store)
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    return path


@pytest.fixture(scope="session")
def postgres_url(postgres_server: sa.Engine | str) -> Iterator[str]:
    """The URL of a migrated schema of this test run's own."""
    if isinstance(postgres_server, str):
        missing(postgres_server)
        return
    name = f"ner_test_{uuid.uuid4().hex[:12]}"
    with postgres_server.connect() as connection:
        connection.execute(sa.text(f"CREATE SCHEMA {name}"))
    url = postgres_server.url.update_query_dict({"options": f"-csearch_path={name}"})
    store = Database(url.render_as_string(hide_password=False))
    migrate(store)
    store.close()
    yield store.url
    with postgres_server.connect() as connection:
        connection.execute(sa.text(f"DROP SCHEMA {name} CASCADE"))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path, migrated_file: Path) -> Iterator[Database]:
    """A migrated, empty database: SQLite always, PostgreSQL where it answers."""
    if request.param == "sqlite":
        shutil.copy(migrated_file, tmp_path / "test.db")
        store = Database(f"sqlite:///{tmp_path / 'test.db'}")
    else:
        store = Database(request.getfixturevalue("postgres_url"))
        _empty(store)
    yield store
    store.close()


def _empty(store: Database) -> None:
    """Truncate the tables that were written to, which are few: to truncate every one takes a quarter of a second."""
    names = [table.name for table in metadata.sorted_tables]
    rows = " UNION ALL ".join(f"SELECT '{name}' AS name WHERE EXISTS (SELECT FROM {name})" for name in names)
    counted = (
        "SELECT t.relname FROM pg_sequences s JOIN pg_class c ON c.relname = s.sequencename AND"
        " c.relnamespace = s.schemaname::regnamespace JOIN pg_depend d ON d.objid = c.oid AND d.deptype IN ('a', 'i')"
        " JOIN pg_class t ON t.oid = d.refobjid WHERE s.schemaname = current_schema() AND s.last_value IS NOT NULL"
    )
    with store.transaction() as connection:
        used = set(connection.scalars(sa.text(f"{rows} UNION {counted}"))) & set(names)
        if used:
            connection.execute(sa.text(f"TRUNCATE {', '.join(sorted(used))} RESTART IDENTITY CASCADE"))


@pytest.fixture
def redis_url() -> str:
    """The test server's address."""
    import redis

    try:
        redis.Redis.from_url(REDIS, socket_connect_timeout=2).ping()
    except redis.RedisError as error:
        missing(f"Redis does not answer at {REDIS}: {error}")
    return REDIS


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of shared corpora, which is never part of the repository."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        missing_corpora = f"The corpora are not at {folder}."
        missing(missing_corpora)
    return folder
