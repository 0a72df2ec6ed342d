import gzip
import json
import signal
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from annotation.corrections import list_revisions, save_correction
from annotation.datasets import (
    ImportSummary,
    create_dataset,
    get_dataset,
    get_document,
    import_file,
    list_datasets,
    list_documents,
)
from ner import tables
from ner.database import Database
from ner.documents import Document, EntitySpan
from ner.errors import InvalidInput, MalformedFile
from ner.migrations import migrate
from registry import audit
from tests.annotation.files import a_file

NEWS = "John B-per\nlives O\nin O\nNew B-geo\nYork I-geo\n\nHello O\n\nHello O\n\nRome B-geo\n"


def imported(database: Database, path: Path, **changes: Any) -> ImportSummary:
    with database.transaction() as connection:
        return import_file(connection, path, **{"dataset": "news", "actor": "ada"} | changes)


def stored(database: Database, dataset: str = "news", **changes: Any) -> list[Document]:
    with database.reading() as connection:
        return list_documents(connection, dataset, **changes)[0]


def test_labelled_documents_become_gold_with_a_first_revision(database: Database, tmp_path: Path) -> None:
    summary = imported(database, a_file(tmp_path, NEWS), filename="news.conll")
    assert summary == ImportSummary("news", "conll", 4, 4, 0, {"geo": 2, "per": 1}, summary.notes)
    first, *others = stored(database)
    assert first.text == "John lives in New York"
    assert first.spans == (EntitySpan(0, 4, "per"), EntitySpan(14, 22, "geo"))
    assert (first.revision, first.is_gold, first.meta) == (1, True, {"joined_by": " "})
    assert [document.text for document in others] == ["Hello", "Hello", "Rome"]
    with database.reading() as connection:
        (revision,) = list_revisions(connection, first.id)
        assert (revision.kind, revision.author, revision.revision, revision.spans) == ("import", "ada", 1, first.spans)
        assert get_document(connection, first.id) == first
        entry = audit.list_entries(connection)[0][0]
    assert (entry.actor, entry.action, entry.subject) == ("ada", "dataset.import", "news")
    assert entry.details == {"file": "news.conll", "format": "conll", "documents": 4, "added": 4, "skipped": 0}


def test_unlabelled_documents_wait_without_a_revision(database: Database, tmp_path: Path) -> None:
    imported(database, a_file(tmp_path, '{"text": "a"}\n{"text": "b", "spans": []}\n'))
    first, second = stored(database)
    assert (first.revision, first.is_gold, first.spans) == (0, False, ())
    assert (second.revision, second.is_gold, second.spans) == (1, True, ())
    with database.reading() as connection:
        gold = connection.execute(sa.select(tables.documents.c.gold.is_(None)).order_by(tables.documents.c.position))
        assert list(gold.scalars()) == [True, False]
        assert get_dataset(connection, "news").gold == 1


def test_importing_the_same_file_twice_adds_nothing(database: Database, tmp_path: Path) -> None:
    path = a_file(tmp_path, NEWS)
    imported(database, path)
    before = stored(database)
    again = imported(database, a_file(tmp_path, gzip.compress(NEWS.encode()), "again.gz"))
    assert (again.documents, again.added, again.skipped, again.entities) == (4, 0, 4, {"geo": 2, "per": 1})
    assert stored(database) == before


def test_only_new_documents_are_added_behind_the_others(database: Database, tmp_path: Path) -> None:
    imported(database, a_file(tmp_path, NEWS))
    more = imported(database, a_file(tmp_path, "Oslo B-city\n\n" + NEWS + "\nHello O\n"))
    assert (more.documents, more.added, more.skipped) == (6, 2, 4)
    assert [document.text for document in stored(database)][-2:] == ["Oslo", "Hello"]
    with database.reading() as connection:
        assert get_dataset(connection, "news").labels == ["geo", "per", "city"]


def test_a_correction_stays_when_its_file_is_imported_again(database: Database, tmp_path: Path) -> None:
    path = a_file(tmp_path, NEWS)
    imported(database, path)
    document = stored(database)[3]
    with database.transaction() as connection:
        save_correction(connection, document.id, base_revision=1, spans=[], operation_id="one operation", author="bo")
    imported(database, path)
    with database.reading() as connection:
        assert get_document(connection, document.id).revision == 2
        assert get_document(connection, document.id).spans == ()


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (NEWS + "\nbroken\n", 13),
        ('{"text": "good"}\n' * 5_000 + '{"text": 5}\n', 5_001),
        ("Sentence #,Word,POS,Tag\n" + "Sentence: 1,a,X,O\nSentence: 2,b,X,O\n" * 3_000 + ",,X,O\n", 6_002),
        ("text,start,end,label\n" + "Ada,0,3,per\nBo,0,2,per\n" * 3_000 + "Ada,0,9,per\n", 6_002),
        ('{"text": "Ada", "spans": [[0, 3, "a"], [0, 3, "b"]]}\n{"text": "x", "spans": [[0, 2, "a"]]}\n', 2),
    ],
    ids=["conll", "jsonl", "gmb", "csv", "nested"],
)
def test_nothing_stays_when_a_row_is_malformed(database: Database, tmp_path: Path, content: str, line: int) -> None:
    with pytest.raises(MalformedFile) as caught:
        imported(database, a_file(tmp_path, content))
    assert caught.value.line == line
    with database.reading() as connection:
        for table in (tables.datasets, tables.documents, tables.revisions, tables.audit):
            assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 0


def test_an_existing_dataset_stays_as_it_was_when_a_row_is_malformed(database: Database, tmp_path: Path) -> None:
    imported(database, a_file(tmp_path, NEWS))
    with database.reading() as connection:
        before = list_datasets(connection), list_documents(connection, "news")
    with pytest.raises(MalformedFile):
        imported(database, a_file(tmp_path, "Oslo B-city\n\n" * 3_000 + "broken\n"))
    with database.reading() as connection:
        assert (list_datasets(connection), list_documents(connection, "news")) == before


def test_spans_may_nest_when_the_first_file_nests_them(database: Database, tmp_path: Path) -> None:
    nested = '{"text": "University of Oslo", "spans": [[0, 18, "org"], [14, 18, "geo"]]}\n'
    summary = imported(database, a_file(tmp_path, nested))
    assert any("nest" in note for note in summary.notes)
    assert len(stored(database)[0].spans) == 2
    with pytest.raises(MalformedFile, match=r"^Line 1: .* overlap"):
        imported(database, a_file(tmp_path, '{"text": "abcd", "spans": [[0, 2, "x"], [1, 3, "y"]]}'))


def test_nesting_spans_are_refused_when_the_dataset_is_flat(database: Database, tmp_path: Path) -> None:
    imported(database, a_file(tmp_path, NEWS))
    nested = '{"text": "ok"}\n{"text": "University of Oslo", "spans": [[0, 18, "org"], [14, 18, "geo"]]}\n'
    with pytest.raises(MalformedFile, match=r"^Line 2: 'University of Oslo' .org. and 'Oslo' .geo. overlap"):
        imported(database, a_file(tmp_path, nested))


def test_ids_are_the_same_when_the_same_file_meets_another_database(database: Database, tmp_path: Path) -> None:
    path = a_file(tmp_path, NEWS)
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    migrate(other)
    imported(database, path)
    imported(other, path)
    assert stored(database) == stored(other)
    other.close()


@pytest.mark.parametrize("name", ["", "a/b", "../x", " x", "a\nb", "x" * 101, "-x", "a?b"])
def test_a_name_is_refused_when_it_cannot_stand_in_an_address(database: Database, tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot name a dataset"):
        imported(database, a_file(tmp_path, NEWS), dataset=name)
    with pytest.raises(InvalidInput), database.transaction() as connection:
        create_dataset(connection, name, [], "ada")


def test_a_file_without_documents_is_refused(database: Database, tmp_path: Path) -> None:
    with pytest.raises(MalformedFile, match="holds no document"):
        imported(database, a_file(tmp_path, " \n\n"), format_name="text")


def test_any_text_is_stored_and_read_back_as_it_is(database: Database, tmp_path: Path) -> None:
    texts = [
        "👩‍🚀 e\u0301 שלום\r\n",
        "\u202eabc\u202c",
        "東京都",
        "a\u2028b\u0085",
        "%_\\'\"",
        "\x01\x1f",
        "𝔘" * 70_000,
    ]
    rows = [json.dumps({"text": text, "spans": [[0, len(text), "x"]], "meta": {"é": text[:9]}}) for text in texts]
    imported(database, a_file(tmp_path, "\n".join(rows)))
    documents = stored(database)
    assert [document.text for document in documents] == texts
    assert [document.spans[0].surface(document.text) for document in documents] == texts
    assert [document.meta["é"] for document in documents] == [text[:9] for text in texts]


def test_two_imports_at_once_add_each_document_once(database: Database, tmp_path: Path) -> None:
    path = a_file(tmp_path, NEWS)
    found: list[ImportSummary] = []
    threads = [threading.Thread(target=lambda: found.append(imported(database, path))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(summary.added for summary in found) == [0, 0, 0, 4]
    assert len(stored(database)) == 4


@pytest.mark.corpus
@pytest.mark.slow
def test_gmb_is_imported_whole(database: Database, corpora: Path) -> None:
    path = corpora / "gmb" / "ner_dataset.csv.gz"
    expected = {
        "geo": 33_918,
        "tim": 18_277,
        "org": 18_157,
        "per": 15_271,
        "gpe": 14_308,
        "art": 352,
        "eve": 279,
        "nat": 188,
    }
    summary = imported(database, path)
    assert (summary.documents, summary.added, summary.skipped) == (43_163, 43_163, 0)
    assert summary.entities == expected
    with database.reading() as connection:
        dataset = get_dataset(connection, "news")
    assert (dataset.documents, dataset.gold, dataset.entities) == (43_163, 43_163, expected)
    again = imported(database, path)
    assert (again.added, again.skipped, again.entities) == (0, 43_163, expected)


IMPORTING = """
import sys
from pathlib import Path
from annotation.imports import import_staged
from annotation.staging import stage_file
from ner.database import Database

database = Database(sys.argv[1])
with stage_file(Path(sys.argv[2]), folder=Path(sys.argv[3])) as staged, database.transaction() as connection:
    def stored(done, total):
        if done > total // 2:
            print(done, flush=True)
            sys.stdin.read()
    import_staged(connection, staged, dataset="news", actor="ada", progress=stored)
"""


def test_nothing_stays_when_an_import_is_killed_half_way(database: Database, tmp_path: Path) -> None:
    path = a_file(tmp_path, "".join(f'{{"text": "Ada {number}", "spans": []}}\n' for number in range(10_000)))
    folder = tmp_path / "drafts"
    folder.mkdir()
    arguments = [sys.executable, "-c", IMPORTING, database.url, str(path), str(folder)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as importing:
        assert importing.stdout is not None
        assert int(importing.stdout.readline()) > 5_000
        importing.kill()
    assert importing.returncode == -signal.SIGKILL
    assert list(folder.iterdir()) == []
    with database.reading() as connection:
        for table in (tables.datasets, tables.documents, tables.revisions, tables.audit):
            assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 0
    assert imported(database, path).added == 10_000


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(database: Database, tmp_path: Path) -> None:
    def peak_of(documents: int) -> int:
        lines = (f'{{"text": "Ada {number} {"x" * 200}", "spans": [[0, 3, "per"]]}}\n' for number in range(documents))
        path = a_file(tmp_path, "".join(lines))
        tracemalloc.start()
        imported(database, path, dataset=f"of {documents}")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    peak_of(500)
    assert peak_of(12_000) < 1.5 * peak_of(4_000)
