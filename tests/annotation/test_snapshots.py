import gzip
import hashlib
from pathlib import Path

import pytest
import sqlalchemy as sa

from annotation.corrections import save_correction
from annotation.datasets import import_file, list_documents
from annotation.snapshots import SnapshotDocument, freeze, read_snapshot
from ner import tables
from ner.database import Database
from ner.documents import EntitySpan
from ner.errors import Conflict, InvalidInput, MalformedFile, NotFound
from ner.migrations import migrate
from registry import audit
from tests.annotation.files import a_file

LINES = (
    '{"text": "Ada in Rom\\u00e9", "spans": [[0, 3, "per"], [7, 11, "geo"]]}\n{"text": "unlabelled"}\n'
    '{"text": "nothing here", "spans": []}\n{"text": "Bo", "spans": [[0, 2, "per"]]}\n'
)


@pytest.fixture
def news(database: Database, tmp_path: Path) -> Database:
    with database.transaction() as connection:
        import_file(connection, a_file(tmp_path, LINES), dataset="news", actor="ada")
    return database


def test_a_snapshot_holds_the_gold_documents_in_order(news: Database, tmp_path: Path) -> None:
    with news.transaction() as connection:
        documents = list_documents(connection, "news")[0]
        save_correction(connection, documents[3].id, base_revision=1, spans=[], operation_id="operation 1", author="bo")
        snapshot = freeze(connection, "news", actor="ada", folder=tmp_path)
    assert (snapshot.dataset, snapshot.documents) == ("news", 3)
    assert (snapshot.entities, snapshot.labels) == ({"per": 1, "geo": 1}, ["geo", "per"])
    spans = (EntitySpan(0, 3, "per"), EntitySpan(7, 11, "geo"))
    assert read_snapshot(tmp_path, snapshot.hash) == [
        SnapshotDocument("Ada in Romé", spans, documents[0].id, False),
        SnapshotDocument("nothing here", (), documents[2].id, False),
        SnapshotDocument("Bo", (), documents[3].id, True),
    ]


def test_the_same_content_is_the_same_file_and_one_row(news: Database, tmp_path: Path) -> None:
    with news.transaction() as connection:
        first = freeze(connection, "news", actor="ada", folder=tmp_path / "one")
    with news.transaction() as connection:
        second = freeze(connection, "news", actor="bo", folder=tmp_path / "two")
        rows = connection.execute(sa.select(tables.snapshots)).all()
        frozen = [entry for entry in audit.list_entries(connection)[0] if entry.action == "dataset.freeze"]
    assert first == second
    assert [(row.hash, row.created_by, row.documents) for row in rows] == [(first.hash, "ada", 3)]
    assert len(frozen) == 1
    paths = [tmp_path / folder / "snapshots" / f"{first.hash}.jsonl.gz" for folder in ("one", "two")]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert hashlib.sha256(gzip.decompress(paths[0].read_bytes())).hexdigest() == first.hash
    assert [path.name for path in paths[0].parent.iterdir()] == [paths[0].name]


def test_the_hash_is_the_same_when_another_database_holds_the_same_file(news: Database, tmp_path: Path) -> None:
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    migrate(other)
    with other.transaction() as connection:
        import_file(connection, a_file(tmp_path, LINES), dataset="news", actor="someone else")
        theirs = freeze(connection, "news", actor="someone else", folder=tmp_path)
    other.close()
    with news.transaction() as connection:
        assert freeze(connection, "news", actor="ada", folder=tmp_path) == theirs


def test_a_correction_makes_another_snapshot_and_the_old_one_stays(news: Database, tmp_path: Path) -> None:
    with news.transaction() as connection:
        before = freeze(connection, "news", actor="ada", folder=tmp_path)
        document = list_documents(connection, "news")[0][0]
        save_correction(connection, document.id, base_revision=1, spans=[], operation_id="operation 1", author="bo")
        after = freeze(connection, "news", actor="ada", folder=tmp_path)
    assert before.hash != after.hash
    assert read_snapshot(tmp_path, before.hash)[0].spans
    assert not read_snapshot(tmp_path, after.hash)[0].spans


def test_a_snapshot_is_refused_when_its_file_was_changed(news: Database, tmp_path: Path) -> None:
    with news.transaction() as connection:
        snapshot = freeze(connection, "news", actor="ada", folder=tmp_path)
    path = tmp_path / "snapshots" / f"{snapshot.hash}.jsonl.gz"
    good = path.read_bytes()
    for harm in (gzip.compress(gzip.decompress(good).replace(b"Ada", b"Eve")), good[:-9], b"", b"no gzip"):
        path.write_bytes(harm)
        with pytest.raises(MalformedFile, match="was changed after it was frozen"):
            read_snapshot(tmp_path, snapshot.hash)


def test_an_unknown_snapshot_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_snapshot(tmp_path, "0" * 64)
    for name in ("../secret", "", "A" * 64, "0" * 63):
        with pytest.raises(InvalidInput):
            read_snapshot(tmp_path, name)


def test_a_dataset_without_gold_cannot_be_frozen_and_leaves_no_file(database: Database, tmp_path: Path) -> None:
    with database.transaction() as connection:
        import_file(connection, a_file(tmp_path, "one\ntwo\n"), dataset="raw", actor="ada")
    with pytest.raises(Conflict, match="no gold document"), database.transaction() as connection:
        freeze(connection, "raw", actor="ada", folder=tmp_path)
    assert list((tmp_path / "snapshots").iterdir()) == []
    with pytest.raises(NotFound), database.transaction() as connection:
        freeze(connection, "none", actor="ada", folder=tmp_path)
