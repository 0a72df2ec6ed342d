import datetime as dt
import threading
import uuid
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from annotation.corrections import as_seen_by, list_revisions, save_correction, save_decision
from annotation.datasets import create_dataset, import_file, list_documents
from annotation.tasks import LEASE_SECONDS, release, take_next
from annotation.votes import answers_in, ask_people, next_disagreement
from ner.database import Database, utc_now
from ner.documents import EntitySpan
from ner.errors import InvalidInput, StaleCorrection
from tests.annotation.files import a_file

A, B = EntitySpan(0, 3, "x"), EntitySpan(0, 4, "x")


def _dataset(database: Database, folder: Path, documents: int, people: int) -> list[str]:
    lines = "".join(f'{{"text": "Document {number}"}}\n' for number in range(documents))
    with database.transaction() as connection:
        create_dataset(connection, "news", ["x"], "ada", annotators_required=people)
        import_file(connection, a_file(folder, lines), dataset="news", actor="ada")
        return [document.id for document in list_documents(connection, "news", limit=documents)[0]]


def _take(database: Database, author: str, **options: object) -> str | None:
    with database.transaction() as connection:
        document = take_next(connection, "news", author, **options)[0]  # type: ignore[arg-type]
    return document.id if document else None


def _say(database: Database, document_id: str, author: str, *spans: EntitySpan, base: int = 0) -> bool:
    with database.transaction() as connection:
        return save_correction(
            connection,
            document_id,
            base_revision=base,
            spans=spans,
            operation_id=uuid.uuid4().hex,
            author=author,
        ).is_gold


def test_nobody_is_given_what_somebody_else_works_on(database: Database, tmp_path: Path) -> None:
    first, second = _dataset(database, tmp_path, 2, people=1)
    assert _take(database, "ada") == first
    assert _take(database, "ada") == first
    assert _take(database, "bo") == second
    assert _take(database, "cy") is None
    with database.transaction() as connection:
        release(connection, first, "ada")
    assert _take(database, "cy") == first


def test_a_lease_ends_and_late_work_is_stored_all_the_same(database: Database, tmp_path: Path) -> None:
    (only,) = _dataset(database, tmp_path, 1, people=1)
    assert _take(database, "ada") == only
    later = utc_now() + dt.timedelta(seconds=LEASE_SECONDS + 1)
    assert _take(database, "bo", now=later) == only
    assert _say(database, only, "ada", A)
    assert _take(database, "cy", now=later) is None


@pytest.mark.parametrize("people", [1, 3])
def test_twenty_people_do_every_document_as_often_as_asked(database: Database, tmp_path: Path, people: int) -> None:
    documents = _dataset(database, tmp_path, 240 // people, people)
    done: dict[str, list[str]] = defaultdict(list)
    counted = threading.Lock()
    starting = threading.Barrier(20)

    def work(author: str) -> int:
        starting.wait()
        count = 0
        while (document := _take(database, author)) is not None:
            _say(database, document, author, A)
            with counted:
                done[document].append(author)
            count += 1
        return count

    with ThreadPoolExecutor(20) as pool:
        shares = list(pool.map(work, [f"person {number}" for number in range(20)]))
    assert {document: len(set(authors)) for document, authors in done.items()} == dict.fromkeys(documents, people)
    assert sum(len(authors) for authors in done.values()) == len(documents) * people
    assert min(shares) > 0


def test_people_who_must_agree_do_not_see_each_other_and_are_never_stale(database: Database, tmp_path: Path) -> None:
    (only,) = _dataset(database, tmp_path, 1, people=2)
    assert not _say(database, only, "ada", A)
    with database.reading() as connection:
        document = list_documents(connection, "news")[0][0]
        assert document.spans == (A,)
        assert as_seen_by(connection, document, "bo").spans == ()
        assert as_seen_by(connection, document, "bo").revision == 0
        assert as_seen_by(connection, document, "ada").spans == (A,)
    assert _say(database, only, "bo", A, base=0)
    with pytest.raises(StaleCorrection):
        _say(database, only, "ada", B, base=0)


def test_a_reviewer_decides_what_people_do_not_agree_on(database: Database, tmp_path: Path) -> None:
    first, second = _dataset(database, tmp_path, 2, people=2)
    for document in (first, second):
        _say(database, document, "ada", A)
    _say(database, first, "bo", B)
    _say(database, second, "bo", A)
    with database.reading() as connection:
        found, reason, remaining = next_disagreement(connection, "news")
        assert found is not None
        assert (found.id, reason, remaining) == (first, "ada and bo do not agree.", 1)
        assert answers_in(connection, "news")[0][1:] == ("Document 0", {"ada": (A,), "bo": (B,)})
    with database.transaction() as connection:
        decided = {"base_revision": 2, "spans": [B], "operation_id": "decision 1", "author": "cy"}
        saved = save_decision(connection, first, **decided)  # type: ignore[arg-type]
        assert save_decision(connection, first, **decided) == saved  # type: ignore[arg-type]
        assert saved.is_gold
        assert next_disagreement(connection, "news") == (None, "Nothing waits for a decision here.", 0)
        assert [one.kind for one in list_revisions(connection, first)] == ["correction", "correction", "decision"]
    with database.transaction() as connection, pytest.raises(StaleCorrection):
        save_decision(connection, first, base_revision=2, spans=[A], operation_id="decision 2", author="di")


def test_the_number_of_people_who_must_agree_is_changed(database: Database, tmp_path: Path) -> None:
    (only,) = _dataset(database, tmp_path, 1, people=1)
    assert _say(database, only, "ada", A)
    with database.transaction() as connection:
        ask_people(connection, "news", 2, "ada")
        ask_people(connection, "news", 2, "ada")
    assert _take(database, "bo") == only
    with database.transaction() as connection, pytest.raises(InvalidInput):
        ask_people(connection, "news", 0, "ada")
