"""The drill: an installation is filled, backed up, destroyed, restored, and is what it was."""

import datetime as dt
import json
import shutil
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from ner import tables
from ner.database import Database, utc_now
from ner.errors import Conflict, InvalidInput, InvalidSetting
from ner.migrations import migrate
from ner.settings import Settings, secret_keys
from registry import audit
from registry.sealing import Seals
from tests.conftest import missing
from tests.drills import contents, destroy, files, objects
from tests.objects import OwnObjects
from tests.populated import populate
from training.upkeep.alone import alone
from training.upkeep.backups import LOCK, Schedule, back_up, last_backup, open_repository
from training.upkeep.restic import BackupFailed, is_installed
from training.upkeep.restoring import restore, verify

KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(autouse=True)
def _restic() -> None:
    if not is_installed():
        missing("restic is not installed.")


@pytest.fixture(params=KINDS)
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Settings of an installation of its own, with a repository beside it."""
    url = ""
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        if isinstance(server, str):
            missing(server)
        schema = f"ner_drill_{uuid.uuid4().hex[:12]}"
        with server.connect() as connection:
            connection.execute(sa.text(f"CREATE SCHEMA {schema}"))
        url = server.url.update_query_dict({"options": f"-csearch_path={schema}"}).render_as_string(False)
    yield Settings(
        _env_file=None,  # type: ignore[call-arg]
        home=tmp_path / "home",
        database_url=url,
        backup_repository=str(tmp_path / "repository"),
        backup_password="kept elsewhere",
    )
    if url:
        with server.connect() as connection:
            connection.execute(sa.text(f"DROP SCHEMA {schema} CASCADE"))


@pytest.fixture
def database(installation: Settings, tmp_path: Path) -> Iterator[Database]:
    store = Database(installation.database)
    migrate(store)
    populate(store, installation, tmp_path / "drafts")
    yield store
    store.close()


def test_everything_is_back_after_everything_was_destroyed(installation: Settings, database: Database) -> None:
    made = back_up(database, installation)
    before, stored = contents(database), files(installation.artifacts)
    secret = (installation.home / "secret.key").read_text()
    destroy(database, installation)

    outcome = restore(installation)

    assert outcome.rows == made.rows
    assert (outcome.versions, outcome.rows["documents"], outcome.rows["captured_texts"]) == (3, 20, 5)
    restored = Database(installation.database)
    assert contents(restored) == before
    assert files(installation.artifacts) == stored
    assert (installation.home / "secret.key").read_text() == secret
    assert (installation.home / "signing.key").stat().st_mode & 0o777 == 0o600
    with restored.transaction() as connection:
        assert audit.verify(connection).entries == outcome.audit_entries > 0
        # It goes on: what comes next has the next number.
        audit.append(connection, actor="ada", action="drill", subject="")
        row = connection.execute(sa.select(tables.captured_texts)).first()
        assert row is not None
        seals = Seals(*secret_keys(installation))
        assert seals.open(connection, row.sealed, context=row.request_id).startswith("private")
        connection.execute(tables.revisions.insert().values(**_a_revision(connection)))
    restored.close()


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
def test_artifacts_in_a_bucket_are_back_after_the_bucket_was_lost_too(
    installation: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "objects"
    folder.mkdir()
    with OwnObjects(folder, "artifacts") as store:
        for name, value in store.environment().items():
            monkeypatch.setenv(name, value)
        place = {"artifacts_url": "s3://artifacts/ner", "s3_endpoint_url": store.url}
        settings = installation.model_copy(update=place)
        database = Database(settings.database)
        migrate(database)
        populate(database, settings, tmp_path / "drafts")
        # The machine that makes the backup need not have fetched what others trained.
        shutil.rmtree(settings.artifacts)
        back_up(database, settings)
        before, stored = contents(database), objects(settings, tmp_path / "before")
        assert len(stored) == 3
        destroy(database, settings)
        assert objects(settings, tmp_path / "lost") == {}

        assert restore(settings).versions == 3

        restored = Database(settings.database)
        assert contents(restored) == before
        assert objects(settings, tmp_path / "after") == stored
        restored.close()


def _a_revision(connection: sa.Connection) -> dict[str, object]:
    document = connection.scalar(sa.select(tables.documents.c.id).limit(1))
    return {
        **{"document_id": document, "revision": 99, "base_revision": 98, "operation_id": "after the drill"},
        **{"author": "bo", "kind": "correction", "spans": [], "created_at": utc_now()},
    }


def test_a_backup_is_consistent_when_people_go_on_working(installation: Settings, database: Database) -> None:
    stopping = threading.Event()

    def work() -> None:
        while not stopping.is_set():
            with database.transaction() as connection:
                audit.append(connection, actor="ada", action="worked", subject=uuid.uuid4().hex)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        made = back_up(database, installation)
    finally:
        stopping.set()
        worker.join()
    destroy(database, installation)
    outcome = restore(installation)
    assert outcome.rows["audit"] == outcome.audit_entries == made.rows["audit"]


def test_what_was_changed_in_the_repository_or_on_the_way_is_noticed(
    installation: Settings, database: Database
) -> None:
    back_up(database, installation)
    destroy(database, installation)
    restore(installation)
    restored = Database(installation.database)
    manifest = json.loads(_manifest(installation))
    with restored.transaction() as connection:
        connection.execute(tables.predictions.delete().where(tables.predictions.c.request_id == "request 3"))
        connection.execute(tables.audit.update().where(tables.audit.c.entry == 2).values(actor="mallory"))
    (installation.artifacts / "versions" / "1.2.0" / "weights.bin").write_bytes(b"other")
    with pytest.raises(InvalidInput, match=r"predictions has 39 rows and had 40.*Entry 2 was changed.*1\.2\.0"):
        verify(restored, installation, manifest)
    restored.close()


def _manifest(settings: Settings) -> str:
    scratch = settings.home.parent / "look"
    open_repository(settings).restore("latest", scratch)
    return next(scratch.rglob("backup/manifest.json")).read_text()


def test_an_installation_is_never_overwritten(installation: Settings, database: Database) -> None:
    back_up(database, installation)
    with pytest.raises(Conflict, match="empty"):
        restore(installation)
    if not database.is_sqlite:
        shutil.rmtree(installation.home)
        with pytest.raises(Conflict, match="holds tables already"):
            restore(installation)


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
def test_the_repository_says_nothing_without_its_password(installation: Settings, database: Database) -> None:
    back_up(database, installation)
    stored = b"".join(
        path.read_bytes() for path in (installation.home.parent / "repository").rglob("*") if path.is_file()
    )
    for private in (b"John 1 met Ada", (installation.home / "secret.key").read_bytes().strip(), b"BEGIN PRIVATE KEY"):
        assert private not in stored
    with pytest.raises(BackupFailed, match="NER_BACKUP_PASSWORD"):
        open_repository(installation.model_copy(update={"backup_password": "guessed"})).snapshots()
    with pytest.raises(BackupFailed, match="no backup repository"):
        open_repository(installation.model_copy(update={"backup_repository": "/nowhere/at/all"})).snapshots()
    with pytest.raises(InvalidSetting, match="NER_BACKUP_REPOSITORY"):
        open_repository(installation.model_copy(update={"backup_repository": ""}))


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
def test_a_backup_is_due_twice_a_day_and_again_an_hour_after_it_failed(
    installation: Settings, database: Database
) -> None:
    schedule = Schedule(database, installation)
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    made, hour = [], dt.timedelta(hours=1)
    for number in range(0, 49, 4):
        now = start + number * hour
        if schedule.keep(now) is not None:
            made.append(number)
    assert made == [0, 12, 24, 36, 48]
    with database.reading() as connection:
        assert last_backup(connection) == start + 48 * hour
    # The repository is away: the attempt is made again after an hour, and the backup of the day is not lost.
    away = Path(installation.backup_repository)
    away.rename(away.with_name("moved"))
    away.write_text("not a folder")
    with pytest.raises(BackupFailed):
        schedule.keep(start + 60 * hour)
    assert schedule.keep(start + 60.5 * hour) is None
    away.unlink()
    away.with_name("moved").rename(away)
    assert schedule.keep(start + 61 * hour) is not None


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
def test_nothing_is_backed_up_while_something_is_tidied_away(installation: Settings, database: Database) -> None:
    with alone(database, installation, LOCK) as mine, pytest.raises(Conflict, match="runs already"):
        assert mine
        back_up(database, installation)
