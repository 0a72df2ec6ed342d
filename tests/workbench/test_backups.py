import json
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from ner.database import Database
from ner.errors import Conflict, InvalidInput, InvalidSetting
from ner.migrations import migrate
from ner.settings import Settings, secret_key
from registry import audit
from tests.builders import registered
from workbench.backups import back_up, restore


@pytest.fixture
def installation(settings: Settings) -> Settings:
    kept = settings.model_copy(update={"secret_key": ""})
    database = Database(kept.database)
    migrate(database)
    with database.transaction() as connection:
        registered(connection, "1.0.0", "1.1.0")
    secret_key(kept)
    package = kept.artifacts / "versions" / "1.0.0"
    package.mkdir(parents=True)
    (package / "model.onnx").write_bytes(b"weights" * 1000)
    (kept.artifacts / ".draft").mkdir()
    (kept.artifacts / ".draft" / "half").write_text("half written")
    return kept


def test_everything_is_back_when_a_backup_is_restored_elsewhere(installation: Settings, tmp_path: Path) -> None:
    seen: list[int] = []
    summary = back_up(installation, tmp_path / "backup.tar.gz", seen.append)
    assert len(seen) == summary.files
    elsewhere = installation.model_copy(update={"home": tmp_path / "elsewhere"})
    restore(elsewhere, tmp_path / "backup.tar.gz")
    with Database(elsewhere.database).reading() as connection:
        assert audit.verify(connection) == audit.AuditVerdict(True, 2)
    assert secret_key(elsewhere) == secret_key(installation)
    assert (elsewhere.artifacts / "versions/1.0.0/model.onnx").read_bytes() == b"weights" * 1000
    assert not (elsewhere.artifacts / ".draft").exists()


def test_a_backup_holds_one_state_while_somebody_writes(installation: Settings, tmp_path: Path) -> None:
    with closing(sqlite3.connect(installation.home / "workbench.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM audit WHERE entry = 1")
        back_up(installation, tmp_path / "backup.tar.gz", lambda _: None)
        writer.execute("ROLLBACK")
    elsewhere = installation.model_copy(update={"home": tmp_path / "elsewhere"})
    restore(elsewhere, tmp_path / "backup.tar.gz")
    with Database(elsewhere.database).reading() as connection:
        assert audit.verify(connection).entries == 2


def test_nothing_is_restored_when_the_archive_is_damaged(installation: Settings, tmp_path: Path) -> None:
    back_up(installation, tmp_path / "backup.tar.gz", lambda _: None)
    with tarfile.open(tmp_path / "backup.tar.gz") as archive:
        archive.extractall(tmp_path / "open", filter="data")
    (tmp_path / "open/artifacts/versions/1.0.0/model.onnx").write_bytes(b"other")
    with tarfile.open(tmp_path / "damaged.tar.gz", "w:gz") as archive:
        for path in (tmp_path / "open").iterdir():
            archive.add(path, path.name)
    elsewhere = installation.model_copy(update={"home": tmp_path / "elsewhere"})
    with pytest.raises(InvalidInput, match=r"damaged: artifacts/versions/1\.0\.0/model\.onnx"):
        restore(elsewhere, tmp_path / "damaged.tar.gz")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_file_that_is_no_backup_is_refused(installation: Settings, tmp_path: Path) -> None:
    (tmp_path / "x").write_text(json.dumps({}))
    elsewhere = installation.model_copy(update={"home": tmp_path / "elsewhere"})
    with pytest.raises(InvalidInput, match="not a backup"):
        restore(elsewhere, tmp_path / "x")


def test_an_installation_and_a_file_are_never_overwritten(installation: Settings, tmp_path: Path) -> None:
    back_up(installation, tmp_path / "backup.tar.gz", lambda _: None)
    with pytest.raises(Conflict, match="exists already"):
        back_up(installation, tmp_path / "backup.tar.gz", lambda _: None)
    with pytest.raises(Conflict, match="holds an installation"):
        restore(installation, tmp_path / "backup.tar.gz")


def test_state_on_a_server_is_not_claimed_to_be_backed_up(installation: Settings, tmp_path: Path) -> None:
    elsewhere = installation.model_copy(update={"database_url": "postgresql+psycopg2://host/ner"})
    with pytest.raises(InvalidSetting, match="pg_dump"):
        back_up(elsewhere, tmp_path / "backup.tar.gz", lambda _: None)
