from pathlib import Path

import pytest
import sqlalchemy as sa

from annotation.capture import adopt_captured, keep_text
from annotation.corrections import save_correction
from annotation.datasets import create_dataset, get_dataset, import_file, list_documents
from annotation.stored import is_corrected
from annotation.tasks import next_captured, next_document
from ner import tables
from ner.database import Database
from ner.documents import EntitySpan
from ner.errors import InvalidSetting, NotFound
from registry.logged import CapturedText
from registry.sealing import Seals, seal, unseal
from tests.annotation.files import a_file
from tests.builders import registered

KEY = b"a secret key of any length"
SEALS = Seals(KEY)
LINES = (
    '{"text": "came labelled", "spans": []}\n{"text": "first"}\n{"text": "second"}\n{"text": "third", "spans": []}\n'
)


@pytest.fixture
def news(database: Database, tmp_path: Path) -> Database:
    with database.transaction() as connection:
        create_dataset(connection, "news", ["x"], "ada")
        import_file(connection, a_file(tmp_path, LINES), dataset="news", actor="ada")
    return database


def _correct(database: Database, document_id: str, base: int, author: str = "bo") -> None:
    with database.transaction() as connection:
        operation = f"{document_id} {base}"
        save_correction(connection, document_id, base_revision=base, spans=[], operation_id=operation, author=author)


def test_unlabelled_documents_come_first_then_those_nobody_corrected(news: Database) -> None:
    seen: list[tuple[str, str, int]] = []
    while True:
        with news.reading() as connection:
            document, reason, remaining = next_document(connection, "news", exclude=[])
        if document is None:
            break
        seen.append((document.text, reason, remaining))
        _correct(news, document.id, document.revision)
    came_labelled = "It came labelled, and nobody has corrected it yet."
    assert seen == [
        ("first", "Nobody has labelled it yet.", 4),
        ("second", "Nobody has labelled it yet.", 3),
        ("came labelled", came_labelled, 2),
        ("third", came_labelled, 1),
    ]
    assert (reason, remaining) == ("Nothing is left to correct here.", 0)


def test_excluded_documents_are_left_out(news: Database) -> None:
    with news.reading() as connection:
        first = next_document(connection, "news", exclude=[])[0]
        assert first is not None
        second, _, remaining = next_document(connection, "news", exclude=[first.id, "unknown"])
    assert second is not None
    assert (second.text, remaining) == ("second", 3)


def test_the_order_of_the_file_is_kept_when_asked_for(news: Database) -> None:
    with news.reading() as connection:
        documents = list_documents(connection, "news")[0]
    _correct(news, documents[0].id, 1, author="bo")
    with news.reading() as connection:
        everything = next_document(connection, "news", exclude=[], order="position")
        for_bo = next_document(connection, "news", exclude=[], order="position", author="bo")
    assert (everything[0], everything[2]) != (for_bo[0], for_bo[2])
    assert everything[0] is not None
    assert for_bo[0] is not None
    assert (everything[0].text, everything[2]) == ("came labelled", 4)
    assert (for_bo[0].text, for_bo[2]) == ("first", 3)


def test_a_document_waits_for_others_when_two_people_must_agree(database: Database, tmp_path: Path) -> None:
    with database.transaction() as connection:
        create_dataset(connection, "pair", ["x"], "ada", annotators_required=2)
        import_file(connection, a_file(tmp_path, '{"text": "one"}'), dataset="pair", actor="ada")
        document = list_documents(connection, "pair")[0][0]
    _correct(database, document.id, 0, author="bo")
    with database.reading() as connection:
        assert next_document(connection, "pair", exclude=[], author="bo")[0] is None
        found, reason, remaining = next_document(connection, "pair", exclude=[], author="cy")
    assert found is not None
    assert (found.id, reason, remaining) == (document.id, "Not enough people agree on it yet.", 1)
    _correct(database, document.id, 1, author="cy")
    with database.reading() as connection:
        assert next_document(connection, "pair", exclude=[], author="di")[0] is None


def test_an_unknown_dataset_is_not_found(database: Database) -> None:
    with database.reading() as connection, pytest.raises(NotFound):
        next_document(connection, "none", exclude=[])


def _keep(database: Database, *texts: tuple[str, str, float], key: bytes = KEY) -> None:
    with database.transaction() as connection:
        for request_id, text, confidence in texts:
            keep_text(connection, Seals(key), CapturedText(request_id, text, "1.0.0", confidence))


def test_traffic_comes_by_lowest_confidence(database: Database) -> None:
    _keep(database, ("r1", "sure", 0.49), ("r2", "unsure", 0.05), ("r3", "half", 0.3))
    with database.reading() as connection:
        found, reason, remaining = next_captured(connection, SEALS)
        second = next_captured(connection, SEALS, exclude=["r2"])
    assert found is not None
    assert (found.request_id, found.text, found.lowest_confidence, remaining) == ("r2", "unsure", 0.05, 3)
    assert reason == "Version 1.0.0 was least sure here: its lowest confidence is 0.05."
    assert second[0] is not None
    assert (second[0].text, second[2]) == ("half", 2)


def test_an_adopted_text_is_a_document_until_it_is_corrected(database: Database) -> None:
    _keep(database, ("r1", "Ada 👩‍🚀", 0.1))
    with database.transaction() as connection:
        registered(connection, "1.0.0")
        document = adopt_captured(connection, SEALS, "r1", "bo")
        assert adopt_captured(connection, SEALS, "r1", "cy") == document
        assert get_dataset(connection, "traffic").labels == ["geo", "per"]
        again = next_captured(connection, SEALS)[0]
        assert again is not None
        assert again.document_id == document.id
        assert next_captured(connection, SEALS, exclude=[document.id])[0] is None
    assert (document.dataset, document.text, document.revision) == ("traffic", "Ada 👩‍🚀", 0)
    assert document.meta == {"version": "1.0.0", "lowest_confidence": 0.1}
    with database.transaction() as connection:
        save_correction(
            connection,
            document.id,
            base_revision=0,
            spans=[EntitySpan(0, 3, "per")],
            operation_id="operation 1",
            author="bo",
        )
        assert next_captured(connection, SEALS) == (None, "No text of traffic waits for correction.", 0)


def test_the_same_text_from_two_requests_is_one_document(database: Database) -> None:
    _keep(database, ("r1", "the same", 0.1), ("r2", "the same", 0.2), ("r3", "another", 0.3))
    with database.transaction() as connection:
        ids = [adopt_captured(connection, SEALS, request_id, "bo").id for request_id in ("r1", "r2", "r3")]
        assert list_documents(connection, "traffic")[1] == 2
    assert ids[0] == ids[1] != ids[2]


def test_a_kept_text_is_kept_once_and_not_readable_in_the_database(database: Database) -> None:
    _keep(database, ("r1", "a private sentence", 0.1), ("r1", "another", 0.2))
    with database.reading() as connection:
        (row,) = connection.execute(sa.select(tables.captured_texts)).all()
        assert b"private" not in row.sealed
        assert SEALS.open(connection, row.sealed, context="r1") == "a private sentence"


def test_texts_sealed_with_another_key_are_passed_over(database: Database) -> None:
    _keep(database, ("r1", "lost", 0.1), key=b"the old key")
    _keep(database, ("r2", "readable", 0.2))
    with database.transaction() as connection:
        found = next_captured(connection, SEALS)[0]
        assert found is not None
        assert found.text == "readable"
        with pytest.raises(InvalidSetting, match="NER_SECRET_KEY"):
            adopt_captured(connection, SEALS, "r1", "bo")
        with pytest.raises(NotFound):
            adopt_captured(connection, SEALS, "none", "bo")


def test_a_sealed_text_is_refused_when_anything_about_it_changed() -> None:
    sealed = seal(KEY, "text", context="r1")
    assert seal(KEY, "text", context="r1") != sealed
    flipped = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for key, body, context in ((b"other", sealed, "r1"), (KEY, flipped, "r1"), (KEY, sealed, "r2"), (KEY, b"", "r1")):
        with pytest.raises(InvalidSetting):
            unseal(key, body, context=context)


@pytest.mark.postgres
@pytest.mark.parametrize("author", [None, "bo"])
def test_what_nobody_corrected_is_found_without_a_search_for_each_document(
    postgres_url: str, author: str | None
) -> None:
    open_to = sa.select(tables.documents.c.id).where(~is_corrected(by=author))
    store = Database(postgres_url)
    with store.reading() as connection:
        written = str(open_to.compile(connection, compile_kwargs={"literal_binds": True}))
        plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {written}").scalars())
    store.close()
    # A sub-plan reads the list of all corrections for each document once the list has outgrown `work_mem`.
    assert "Anti Join" in plan
    assert "SubPlan" not in plan
