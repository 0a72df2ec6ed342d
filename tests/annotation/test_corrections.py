import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from annotation.corrections import SavedRevision, list_revisions, save_correction
from annotation.datasets import create_dataset, get_dataset, get_document, import_file, list_documents
from ner import tables
from ner.database import Database
from ner.documents import Document, EntitySpan
from ner.errors import Conflict, InvalidInput, InvalidSpan, NotFound, OverlappingSpans, StaleCorrection, UnknownLabel
from tests.annotation.files import a_file

PER = EntitySpan(0, 3, "per")
GEO = EntitySpan(7, 11, "geo")


def a_document(
    database: Database, folder: Path, *, annotators: int = 1, line: str = '{"text": "Ada in Rome"}'
) -> Document:
    with database.transaction() as connection:
        create_dataset(connection, "news", ["per", "geo"], "ada", annotators_required=annotators)
        import_file(connection, a_file(folder, line), dataset="news", actor="ada")
        return list_documents(connection, "news")[0][0]


def saved(
    database: Database,
    document: Document,
    spans: Sequence[EntitySpan],
    *,
    base: int = 0,
    operation: str = "operation 1",
    author: str = "bo",
    **changes: Any,
) -> SavedRevision:
    with database.transaction() as connection:
        return save_correction(
            connection, document.id, base_revision=base, spans=spans, operation_id=operation, author=author, **changes
        )


def test_a_correction_is_the_next_revision_and_gold(database: Database, tmp_path: Path) -> None:
    document = a_document(database, tmp_path)
    assert saved(database, document, [GEO, PER], model_version="1.2.0") == SavedRevision(document.id, 1, True)
    assert saved(database, document, [PER], base=1, operation="operation 2") == SavedRevision(document.id, 2, True)
    with database.reading() as connection:
        now = get_document(connection, document.id)
        first, second = list_revisions(connection, document.id)
    assert (now.revision, now.spans, now.is_gold) == (2, (PER,), True)
    assert (first.spans, first.author, first.kind, first.model_version) == ((PER, GEO), "bo", "correction", "1.2.0")
    assert (second.spans, second.model_version) == ((PER,), None)


def test_nothing_of_an_import_is_lost_when_it_is_corrected(database: Database, tmp_path: Path) -> None:
    document = a_document(database, tmp_path, line='{"text": "Ada in Rome", "spans": [[0, 3, "per"]]}')
    saved(database, document, [], base=1)
    with database.reading() as connection:
        kinds = [(revision.kind, revision.spans) for revision in list_revisions(connection, document.id)]
    assert kinds == [("import", (PER,)), ("correction", ())]


def test_a_stale_correction_gets_both_versions_and_changes_nothing(database: Database, tmp_path: Path) -> None:
    document = a_document(database, tmp_path)
    saved(database, document, [PER])
    with pytest.raises(StaleCorrection, match="bo saved revision 1 after you opened revision 0") as caught:
        saved(database, document, [GEO], author="cy", operation="operation 2")
    theirs, yours = caught.value.details["theirs"], caught.value.details["yours"]
    assert theirs["spans"] == [{"start": 0, "end": 3, "label": "per", "text": "Ada"}]
    assert (theirs["revision"], theirs["author"]) == (1, "bo")
    assert yours == {"base_revision": 0, "spans": [{"start": 7, "end": 11, "label": "geo", "text": "Rome"}]}
    with database.reading() as connection:
        assert len(list_revisions(connection, document.id)) == 1


def test_a_replayed_operation_is_stored_once_and_answered_again(database: Database, tmp_path: Path) -> None:
    document = a_document(database, tmp_path)
    first = saved(database, document, [PER, GEO])
    saved(database, document, [], base=1, operation="operation 2")
    assert saved(database, document, [GEO, PER]) == first
    with database.reading() as connection:
        assert len(list_revisions(connection, document.id)) == 2


@pytest.mark.parametrize(("spans", "author"), [([], "bo"), ([PER], "cy")])
def test_an_operation_id_is_refused_when_it_meant_something_else(
    database: Database, tmp_path: Path, spans: list[EntitySpan], author: str
) -> None:
    document = a_document(database, tmp_path)
    saved(database, document, [PER])
    with pytest.raises(Conflict, match="operation id"):
        saved(database, document, spans, base=1, author=author)


def test_an_operation_id_is_refused_when_it_was_used_for_another_document(database: Database, tmp_path: Path) -> None:
    document = a_document(database, tmp_path)
    with database.transaction() as connection:
        import_file(connection, a_file(tmp_path, '{"text": "Ada"}'), dataset="news", actor="ada")
        other = list_documents(connection, "news")[0][1]
    saved(database, document, [PER])
    with pytest.raises(Conflict, match="operation id"):
        saved(database, other, [PER])


@pytest.mark.parametrize(
    ("spans", "base", "error"),
    [
        ([EntitySpan(0, 12, "per")], 0, InvalidSpan),
        ([EntitySpan(0, 3, "art")], 0, UnknownLabel),
        ([PER, EntitySpan(2, 6, "per")], 0, OverlappingSpans),
        ([PER, PER], 0, OverlappingSpans),
        ([PER], 1, InvalidInput),
    ],
)
def test_a_correction_is_refused_when_it_does_not_fit(
    database: Database, tmp_path: Path, spans: list[EntitySpan], base: int, error: type[Exception]
) -> None:
    document = a_document(database, tmp_path)
    with pytest.raises(error):
        saved(database, document, spans, base=base)
    with database.reading() as connection:
        assert list_revisions(connection, document.id) == []
        assert get_document(connection, document.id) == document


def test_a_new_label_joins_the_label_set_when_it_is_announced_and_used(database: Database, tmp_path: Path) -> None:
    document = a_document(database, tmp_path)
    saved(database, document, [EntitySpan(0, 3, "art")], new_labels=["art", "tim"])
    with database.reading() as connection:
        assert get_dataset(connection, "news").labels == ["per", "geo", "art"]


def test_an_unknown_document_is_not_found(database: Database) -> None:
    with database.transaction() as connection:
        with pytest.raises(NotFound):
            save_correction(connection, "none", base_revision=0, spans=[], operation_id="operation 1", author="bo")
        with pytest.raises(NotFound):
            list_revisions(connection, "none")


def test_a_document_is_gold_when_as_many_people_agree_as_are_asked_for(database: Database, tmp_path: Path) -> None:
    document = a_document(database, tmp_path, annotators=2)
    steps = [
        ("bo", [PER], False),
        ("bo", [PER], False),  # one person twice is one person
        ("cy", [GEO], False),
        ("cy", [PER], True),
        ("di", [GEO], False),  # the document stays settled as it was
        ("bo", [GEO], True),
    ]
    for number, (author, spans, is_gold) in enumerate(steps):
        result = saved(database, document, spans, base=number, author=author, operation=f"operation {number}")
        assert result == SavedRevision(document.id, number + 1, is_gold)
    assert saved(database, document, [PER], base=0, author="bo", operation="operation 0").is_gold is False
    assert saved(database, document, [PER], base=3, author="cy", operation="operation 3").is_gold is True


def test_settled_spans_stay_settled_when_one_person_disagrees(database: Database, tmp_path: Path) -> None:
    document = a_document(database, tmp_path, annotators=2)
    saved(database, document, [PER])
    saved(database, document, [PER], base=1, author="cy", operation="operation 2")
    saved(database, document, [GEO], base=2, author="di", operation="operation 3")
    with database.reading() as connection:
        now = get_document(connection, document.id)
        gold = connection.scalar(sa.select(tables.documents.c.gold).where(tables.documents.c.id == document.id))
        summary = get_dataset(connection, "news")
    assert (now.spans, now.is_gold) == ((GEO,), False)
    assert gold == [[0, 3, "per"]]
    assert (summary.gold, summary.corrections, summary.entities) == (1, 3, {"per": 1})


def _race(count: int, work: Any) -> list[Any]:
    """What each of `count` threads got from `work(number)`: its result, or the error it met."""
    barrier = threading.Barrier(count)
    results: list[Any] = []

    def run(number: int) -> None:
        barrier.wait()
        try:
            results.append(work(number))
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_one_of_two_writers_is_stale_when_both_saw_the_same_revision(database: Database, tmp_path: Path) -> None:
    document = a_document(database, tmp_path)
    results = _race(
        4, lambda number: saved(database, document, [PER], author=f"author {number}", operation=f"operation {number}")
    )
    assert sum(isinstance(result, SavedRevision) for result in results) == 1
    assert sum(isinstance(result, StaleCorrection) for result in results) == 3
    with database.reading() as connection:
        assert len(list_revisions(connection, document.id)) == 1


def test_a_correction_is_stored_once_when_it_is_sent_many_times_at_once(database: Database, tmp_path: Path) -> None:
    document = a_document(database, tmp_path)
    results = _race(4, lambda _: saved(database, document, [PER]))
    assert results == [SavedRevision(document.id, 1, True)] * 4
    with database.reading() as connection:
        assert len(list_revisions(connection, document.id)) == 1
