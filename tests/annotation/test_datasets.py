import io
from pathlib import Path

import pytest

from annotation.corrections import save_correction
from annotation.datasets import (
    STATES,
    add_labels,
    create_dataset,
    export_dataset,
    get_dataset,
    get_document,
    import_file,
    list_datasets,
    list_documents,
)
from ner.database import Database
from ner.documents import EntitySpan
from ner.errors import Conflict, InvalidInput, NotFound
from registry import audit
from tests.annotation.files import a_file

MIXED = (
    '{"text": "Ada in Rome", "spans": [[0, 3, "per"], [7, 11, "geo"]]}\n{"text": "Ångström 100%"}\n'
    '{"text": "rome again", "spans": [[0, 4, "geo"]]}\n'
)


@pytest.fixture
def mixed(database: Database, tmp_path: Path) -> Database:
    """The dataset "mixed": gold, unlabelled and, after a correction, gold again."""
    with database.transaction() as connection:
        import_file(connection, a_file(tmp_path, MIXED), dataset="mixed", actor="ada")
        third = list_documents(connection, "mixed")[0][2]
        save_correction(connection, third.id, base_revision=1, spans=[], operation_id="first operation", author="bo")
    return database


def test_a_summary_counts_documents_gold_corrections_and_entities(mixed: Database) -> None:
    with mixed.transaction() as connection:
        create_dataset(connection, "empty", ["x", "y"], "ada")
        empty, summary = list_datasets(connection)
        assert get_dataset(connection, "mixed") == summary
    assert (summary.name, summary.documents, summary.gold, summary.corrections) == ("mixed", 3, 2, 1)
    assert (summary.labels, summary.entities) == (["geo", "per"], {"geo": 1, "per": 1})
    assert (empty.documents, empty.gold, empty.corrections, empty.labels, empty.entities) == (0, 0, 0, ["x", "y"], {})


@pytest.mark.parametrize(
    ("state", "texts"),
    [
        (None, ["Ada in Rome", "Ångström 100%", "rome again"]),
        ("gold", ["Ada in Rome", "rome again"]),
        ("unlabelled", ["Ångström 100%"]),
        ("corrected", ["rome again"]),
        ("uncorrected", ["Ada in Rome", "Ångström 100%"]),
        ("unsettled", []),
    ],
)
def test_documents_are_listed_by_state(mixed: Database, state: str | None, texts: list[str]) -> None:
    with mixed.reading() as connection:
        documents, total = list_documents(connection, "mixed", state=state)
    assert ([document.text for document in documents], total) == (texts, len(texts))


@pytest.mark.parametrize(
    ("query", "texts"),
    [
        ("ROME", ["Ada in Rome", "rome again"]),
        ("100%", ["Ångström 100%"]),
        ("%", ["Ångström 100%"]),
        ("_", []),
        ("'", []),
    ],
)
def test_a_query_finds_texts_that_hold_it(mixed: Database, query: str, texts: list[str]) -> None:
    with mixed.reading() as connection:
        documents, total = list_documents(connection, "mixed", query=query)
    assert ([document.text for document in documents], total) == (texts, len(texts))


def test_pages_follow_the_order_of_the_file(mixed: Database) -> None:
    with mixed.reading() as connection:
        pages = [list_documents(connection, "mixed", offset=offset, limit=2) for offset in (0, 2, 4)]
    assert [[document.text[:3] for document in page] for page, _ in pages] == [["Ada", "Ång"], ["rom"], []]
    assert {total for _, total in pages} == {3}


def test_what_is_not_there_is_not_found(database: Database) -> None:
    with database.reading() as connection:
        for ask in (
            lambda: get_dataset(connection, "none"),
            lambda: list_documents(connection, "none"),
            lambda: get_document(connection, "none"),
            lambda: export_dataset(connection, "none", "jsonl", io.BytesIO()),
            lambda: add_labels(connection, "none", ["x"], actor="ada"),
        ):
            with pytest.raises(NotFound):
                ask()


def test_a_state_is_refused_with_the_states_there_are(mixed: Database) -> None:
    with mixed.reading() as connection, pytest.raises(InvalidInput, match=", ".join(STATES)):
        list_documents(connection, "mixed", state="finished")


def test_a_second_dataset_of_one_name_is_refused(mixed: Database) -> None:
    with mixed.transaction() as connection, pytest.raises(Conflict):
        create_dataset(connection, "mixed", [], "ada")


@pytest.mark.parametrize("label", ["", " x", "x\n", "a\tb", "x" * 101])
def test_a_label_is_refused_when_no_file_could_hold_it(database: Database, label: str) -> None:
    with database.transaction() as connection, pytest.raises(InvalidInput, match="cannot be a label"):
        create_dataset(connection, "new", [label], "ada")


def test_new_labels_join_the_label_set_once_and_are_audited(mixed: Database) -> None:
    with mixed.transaction() as connection:
        assert add_labels(connection, "mixed", ["geo", "art", "art"], actor="bo") == ["geo", "per", "art"]
        entries = audit.list_entries(connection)[1]
        assert add_labels(connection, "mixed", ["art"], actor="bo") == ["geo", "per", "art"]
        assert get_dataset(connection, "mixed").labels == ["geo", "per", "art"]
        newest, after = audit.list_entries(connection)
    assert (newest[0].action, newest[0].details, after) == ("dataset.labels", {"added": ["art"]}, entries)


def test_an_export_holds_settled_spans_and_says_what_it_left_out(mixed: Database) -> None:
    stream = io.BytesIO()
    with mixed.reading() as connection:
        summary = export_dataset(connection, "mixed", "conll", stream)
    assert stream.getvalue().decode() == "Ada\tB-per\nin\tO\nRome\tB-geo\n\nrome\tO\nagain\tO\n\n"
    assert (summary.documents, summary.entities) == (2, {"per": 1, "geo": 1})
    assert summary.losses == [
        "Documents without settled spans, left out as this format cannot say that a text is unlabelled: 1."
    ]


def test_an_export_is_imported_again_as_it_was_when_the_format_is_jsonl(mixed: Database, tmp_path: Path) -> None:
    with (tmp_path / "export").open("wb") as stream, mixed.reading() as connection:
        assert export_dataset(connection, "mixed", "jsonl", stream).losses == []
    with mixed.transaction() as connection:
        import_file(connection, tmp_path / "export", dataset="copy", actor="ada")
        pairs = zip(list_documents(connection, "mixed")[0], list_documents(connection, "copy")[0], strict=True)
        for original, copy in pairs:
            assert (copy.text, copy.spans, copy.is_gold) == (original.text, original.spans, original.is_gold)


def test_corrections_without_agreement_are_not_exported(database: Database, tmp_path: Path) -> None:
    stream = io.BytesIO()
    with database.transaction() as connection:
        create_dataset(connection, "pair", ["per"], "ada", annotators_required=2)
        import_file(connection, a_file(tmp_path, '{"text": "Ada"}'), dataset="pair", actor="ada")
        document = list_documents(connection, "pair")[0][0]
        save_correction(
            connection,
            document.id,
            base_revision=0,
            spans=[EntitySpan(0, 3, "per")],
            operation_id="first operation",
            author="bo",
        )
        assert len(list_documents(connection, "pair", state="unsettled")[0]) == 1
        summary = export_dataset(connection, "pair", "jsonl", stream)
    assert stream.getvalue() == b'{"text": "Ada"}\n'
    assert summary.losses == ["Documents whose corrections are not in the file, as too few people agree on them: 1."]
