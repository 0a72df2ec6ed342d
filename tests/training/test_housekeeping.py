"""What goes, and what stays, when an installation is tidied."""

import datetime as dt
import os
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from annotation.capture import adopt_captured
from annotation.corrections import save_correction
from ner import tables
from ner.database import Database, utc_now
from ner.disk import check_room
from ner.documents import EntitySpan
from ner.errors import BrokenPackage, Conflict, DiskFull
from ner.settings import Settings, secret_keys
from registry import audit
from registry.packages import open_store
from registry.sealing import Seals
from registry.versions import get_version
from tests.populated import populate
from training.upkeep.alone import alone
from training.upkeep.backups import LOCK
from training.upkeep.housekeeping import last_tidied, tidy, tidy_daily

DAY = dt.timedelta(days=1)


@pytest.fixture
def lived_in(database: Database, settings: Settings, tmp_path: Path) -> Database:
    populate(database, settings, tmp_path / "drafts", documents=4, predictions=6)
    return database


def _count(database: Database, table: sa.Table) -> int:
    with database.reading() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def _gone(database: Database, settings: Settings, **more: object) -> dict[str, int]:
    return {one.what: one.count for one in tidy(database, settings, **more) if one.count}  # type: ignore[arg-type]


def test_captured_texts_go_after_their_time_and_what_people_corrected_stays(
    lived_in: Database, settings: Settings
) -> None:
    seals = Seals(*secret_keys(settings))
    with lived_in.transaction() as connection:
        corrected = adopt_captured(connection, seals, "request 0", "bo")
        adopt_captured(connection, seals, "request 1", "bo")
        spans = [EntitySpan(0, 7, "per")]
        save_correction(connection, corrected.id, base_revision=0, spans=spans, operation_id="one", author="bo")
    later = utc_now() + 31 * DAY
    assert _gone(lived_in, settings, now=utc_now() + 29 * DAY) == {}
    rehearsed = _gone(lived_in, settings, now=later, is_rehearsal=True)
    assert rehearsed["captured texts beyond their time"] == 5
    assert _count(lived_in, tables.captured_texts) == 5

    gone = _gone(lived_in, settings, now=later)

    assert gone == {"captured texts beyond their time": 5, "texts of traffic that nobody corrected": 1}
    assert _count(lived_in, tables.captured_texts) == 0
    with lived_in.reading() as connection:
        kept = connection.scalars(sa.select(tables.documents.c.text).where(tables.documents.c.text.like("private%")))
        assert list(kept) == ["private 0"]
        assert audit.list_entries(connection)[0][0].details == gone
    assert _count(lived_in, tables.revisions) == 3


def test_old_packages_are_archived_and_come_back_when_they_are_wanted(lived_in: Database, settings: Settings) -> None:
    few = settings.model_copy(update={"kept_packages": 1})
    store = open_store(settings)
    with lived_in.transaction() as connection:
        connection.execute(tables.rollouts.update().values(stable="1.2.0", canary=None, previous=None))
        digests = {name: get_version(connection, name).package_hash for name in ("1.0.0", "1.1.0", "1.2.0")}

    (archived,) = (one for one in tidy(lived_in, few) if "packages" in one.what)

    assert archived.count == 2
    assert archived.freed_bytes > 0
    assert [name for name in digests if store.is_unpacked(name)] == ["1.2.0"]
    for name, digest in digests.items():
        assert store.folder(name, digest).is_dir()
    assert _gone(lived_in, few)["packages of old versions, archived"] == 2
    for version in ("1.0.0", "1.1.0"):
        assert not store.is_unpacked(version)
    packed = store.root.parent / "archive" / "1.0.0.tar.xz"
    packed.write_bytes(packed.read_bytes()[:-60])
    with pytest.raises(BrokenPackage, match="cannot be unpacked"):
        store.folder("1.0.0", digests["1.0.0"])


def test_the_versions_that_serve_keep_their_packages(lived_in: Database, settings: Settings) -> None:
    few = settings.model_copy(update={"kept_packages": 1})
    tidy(lived_in, few)
    store = open_store(settings)
    assert all(store.is_unpacked(name) for name in ("1.0.0", "1.1.0", "1.2.0"))


def test_drafts_and_broken_batches_go_when_they_are_old(lived_in: Database, settings: Settings) -> None:
    draft = settings.artifacts / "versions" / ".1.3.0.abc"
    draft.mkdir()
    (draft / "half").write_bytes(b"x" * 100)
    broken = settings.home / "spool" / "1.broken"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"x" * 50)
    fresh = settings.home / ".import.fresh"
    fresh.write_bytes(b"")
    for path, days in ((draft, 2), (broken, 31)):
        os.utime(path, (time.time() - days * 86_400,) * 2)
    (files,) = (one for one in tidy(lived_in, settings) if one.what.startswith("files"))
    assert (files.count, files.freed_bytes) == (2, 150)
    assert not draft.exists()
    assert not broken.exists()
    assert fresh.exists()


def test_tidying_comes_once_a_day_and_never_during_a_backup(lived_in: Database, settings: Settings) -> None:
    with alone(lived_in, settings, LOCK), pytest.raises(Conflict):
        tidy_daily(lived_in, settings)
    assert tidy_daily(lived_in, settings) is not None
    assert tidy_daily(lived_in, settings) is None
    with lived_in.reading() as connection:
        assert last_tidied(connection) is not None


def test_a_disk_that_is_nearly_full_is_refused_in_time(tmp_path: Path) -> None:
    check_room(tmp_path / "not" / "there" / "yet", 0)
    with pytest.raises(DiskFull, match=r"workbench tidy"):
        check_room(tmp_path, 10**9)
    with pytest.raises(DiskFull):
        check_room(tmp_path, 0, wanted_bytes=10**18)
