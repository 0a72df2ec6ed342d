"""Labels renamed, merged, split and deleted: previewed, stored behind what there was, and taken back."""

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from annotation.changes import ChangeResult, list_changes, make_change, preview_change, undo_change
from annotation.corrections import list_revisions, save_correction
from annotation.datasets import create_dataset, get_dataset, import_file, list_documents
from annotation.relabelling import Change, rewriting, undoing
from annotation.snapshots import freeze, read_snapshot
from annotation.votes import answers_of
from ner import tables
from ner.database import Database
from ner.documents import Document, EntitySpan
from ner.errors import Conflict, InvalidInput, NotFound
from registry import audit
from tests.annotation.files import a_file

LINES = [
    {"text": "Ada in Rome", "spans": [[0, 3, "per"], [7, 11, "geo"]]},
    {"text": "Bo met Acme", "spans": [[0, 2, "per"], [7, 11, "org"]]},
    {"text": "Nothing", "spans": []},
    {"text": "Waiting"},
]
RENAME = Change("rename", ("per",), "person")


@pytest.fixture
def news(database: Database, tmp_path: Path) -> Database:
    with database.transaction() as connection:
        content = "\n".join(json.dumps(line) for line in LINES)
        import_file(connection, a_file(tmp_path, content), dataset="news", actor="ada")
    return database


def changed(database: Database, change: Change) -> ChangeResult:
    with database.transaction() as connection:
        return make_change(connection, "news", change, actor="eve")


def undone(database: Database, change_id: str | None) -> ChangeResult:
    with database.transaction() as connection:
        return undo_change(connection, "news", change_id or "", actor="eve")


def stored(database: Database) -> list[Document]:
    with database.reading() as connection:
        return list_documents(connection, "news")[0]


def said(database: Database) -> list[list[tuple[str, str]]]:
    return [[(span.surface(it.text), span.label) for span in it.spans] for it in stored(database)]


def labels(database: Database) -> list[str]:
    with database.reading() as connection:
        return get_dataset(connection, "news").labels


def corrected(database: Database, document: Document, spans: list[tuple[int, int, str]]) -> None:
    with database.transaction() as connection:
        save_correction(
            connection,
            document.id,
            base_revision=document.revision,
            spans=[EntitySpan(*span) for span in spans],
            operation_id=f"correct {document.id} {document.revision}",
            author="bo",
        )


CHANGES: dict[str, tuple[Change, list[list[tuple[str, str]]], list[str]]] = {
    "rename": (
        RENAME,
        [[("Ada", "person"), ("Rome", "geo")], [("Bo", "person"), ("Acme", "org")]],
        ["geo", "org", "person"],
    ),
    "merge": (
        Change("merge", ("geo", "org"), "name"),
        [[("Ada", "per"), ("Rome", "name")], [("Bo", "per"), ("Acme", "name")]],
        ["name", "per"],
    ),
    "merge into one of them": (
        Change("merge", ("geo", "org"), "org"),
        [[("Ada", "per"), ("Rome", "org")], [("Bo", "per"), ("Acme", "org")]],
        ["org", "per"],
    ),
    "split": (
        Change("split", ("per",), "woman", "^A"),
        [[("Ada", "woman"), ("Rome", "geo")], [("Bo", "per"), ("Acme", "org")]],
        ["geo", "org", "per", "woman"],
    ),
    "delete": (Change("delete", ("per", "org")), [[("Rome", "geo")], []], ["geo"]),
    "relabel": (
        Change("relabel", (), "short", "^..$"),
        [[("Ada", "per"), ("Rome", "geo")], [("Bo", "short"), ("Acme", "org")]],
        ["geo", "org", "per", "short"],
    ),
    "remove": (
        Change("remove", ("per",), None, "da"),
        [[("Rome", "geo")], [("Bo", "per"), ("Acme", "org")]],
        ["geo", "org", "per"],
    ),
}


@pytest.mark.parametrize(("change", "spans", "label_set"), CHANGES.values(), ids=CHANGES)
def test_a_change_does_what_its_preview_says_and_can_be_taken_back(
    news: Database, change: Change, spans: list[list[tuple[str, str]]], label_set: list[str]
) -> None:
    before, labels_before = said(news), labels(news)
    with news.reading() as connection:
        preview = preview_change(connection, "news", change)
    assert (said(news), labels(news)) == (before, labels_before)

    result = changed(news, change)
    assert (result.documents, result.spans, result.labels) == (preview.documents, preview.spans, preview.labels)
    assert result.examples == preview.examples
    assert said(news) == [*spans, [], []]
    assert labels(news) == label_set

    undone(news, result.id)
    assert (said(news), labels(news)) == (before, labels_before)
    assert [it.is_gold for it in stored(news)] == [True, True, True, False]


def test_nothing_that_was_there_is_lost_when_labels_change_and_change_back(news: Database) -> None:
    first = stored(news)[0]
    with news.reading() as connection:
        before = list_revisions(connection, first.id)
    undone(news, changed(news, RENAME).id)
    with news.reading() as connection:
        after = list_revisions(connection, first.id)
        entries = [(it.action, it.actor) for it in audit.list_entries(connection)[0]]
        made = list_changes(connection, "news")
    assert after[:1] == before
    assert [it.kind for it in after] == ["import", "relabelled import", "relabelled import"]
    assert after[2].spans == before[0].spans
    assert entries[:2] == [("dataset.change.undone", "eve"), ("dataset.change", "eve")]
    assert [(it.change, it.documents, it.spans, it.is_undone) for it in made] == [(RENAME, 2, 2, True)]


def test_a_document_that_is_not_touched_gets_no_revision(news: Database) -> None:
    changed(news, RENAME)
    assert [it.revision for it in stored(news)] == [2, 2, 1, 0]


def test_a_correction_stays_a_correction_when_its_labels_change(news: Database, tmp_path: Path) -> None:
    corrected(news, stored(news)[0], [(0, 3, "per")])
    changed(news, RENAME)
    with news.transaction() as connection:
        frozen = read_snapshot(tmp_path, freeze(connection, "news", actor="x", folder=tmp_path).hash)
    assert [(it.spans, it.is_correction) for it in frozen[:2]] == [
        ((EntitySpan(0, 3, "person"),), True),
        ((EntitySpan(0, 2, "person"), EntitySpan(7, 11, "org")), False),
    ]


def test_what_people_said_since_stays_when_a_change_is_taken_back(news: Database) -> None:
    result = changed(news, RENAME)
    first, second = stored(news)[:2]
    corrected(news, first, [(7, 11, "geo")])  # somebody removed Ada
    corrected(news, second, [(0, 2, "person"), (7, 11, "geo")])  # and called Acme a place
    undone(news, result.id)
    assert said(news)[:2] == [[("Rome", "geo")], [("Bo", "per"), ("Acme", "geo")]]


def test_gold_below_a_newer_opinion_changes_with_it(database: Database, tmp_path: Path) -> None:
    with database.transaction() as connection:
        create_dataset(connection, "news", ["per", "geo", "org"], "ada", annotators_required=2)
        content = "\n".join(json.dumps(line) for line in LINES)
        import_file(connection, a_file(tmp_path, content), dataset="news", actor="ada")
    first = stored(database)[0]
    corrected(database, first, [(0, 3, "per")])
    result = changed(database, RENAME)

    after = stored(database)[0]
    assert (after.revision, after.spans, after.is_gold) == (4, (EntitySpan(0, 3, "person"),), False)
    assert gold_of(database, first.id) == (3, [[0, 3, "person"], [7, 11, "geo"]])
    undone(database, result.id)
    assert stored(database)[0].spans == (EntitySpan(0, 3, "per"),)
    assert gold_of(database, first.id)[1] == [[0, 3, "per"], [7, 11, "geo"]]


def gold_of(database: Database, document_id: str) -> tuple[Any, ...]:
    with database.reading() as connection:
        chosen = sa.select(tables.documents.c.gold_revision, tables.documents.c.gold)
        return tuple(connection.execute(chosen.where(tables.documents.c.id == document_id)).one())


REFUSED: dict[str, tuple[Change, str]] = {
    "an unknown kind": (Change("melt", ("per",)), "choose one of rename"),  # type: ignore[arg-type]
    "an unknown label": (Change("rename", ("x",), "y"), "'x' is not in the label set"),
    "a target that is there": (Change("rename", ("per",), "geo"), "merge the two instead"),
    "no target": (Change("rename", ("per",)), "takes a target"),
    "a target too many": (Change("delete", ("per",), "x"), "takes no target"),
    "no pattern": (Change("split", ("per",), "x"), "takes a pattern"),
    "no label": (Change("delete"), "name the labels"),
    "two labels": (Change("rename", ("per", "geo"), "x"), "name one label"),
    "a label that cannot be": (Change("rename", ("per",), " x"), "cannot be a label"),
    "a broken pattern": (Change("remove", (), None, "(a"), "is no regular expression"),
}


@pytest.mark.parametrize(("change", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_change_is_refused_when_it_has(news: Database, change: Change, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        changed(news, change)
    assert labels(news) == ["geo", "org", "per"]


def test_a_change_is_taken_back_once(news: Database) -> None:
    result = changed(news, RENAME)
    undone(news, result.id)
    with pytest.raises(Conflict):
        undone(news, result.id)
    with pytest.raises(NotFound):
        undone(news, "nothing")


def test_spans_that_become_the_same_are_one_and_come_back_as_two(database: Database, tmp_path: Path) -> None:
    with database.transaction() as connection:
        line = {"text": "Ada", "spans": [[0, 3, "per"], [0, 3, "org"]]}
        import_file(connection, a_file(tmp_path, json.dumps(line)), dataset="news", actor="ada")
    result = changed(database, Change("merge", ("per", "org"), "org"))
    assert (said(database), result.merged) == ([[("Ada", "org")]], 1)
    undone(database, result.id)
    assert said(database) == [[("Ada", "org"), ("Ada", "per")]]


@st.composite
def spans(draw: st.DrawFn) -> tuple[EntitySpan, ...]:
    places = draw(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 3), st.sampled_from("abc")), max_size=5))
    return tuple(sorted({EntitySpan(start, start + length, label) for start, length, label in places}))


KINDS = st.sampled_from(
    [
        Change("rename", ("a",), "z"),
        Change("merge", ("a", "b"), "b"),
        Change("delete", ("a",)),
        Change("split", ("a",), "b", "x"),
        Change("remove", (), None, "x"),
    ]
)


@given(found=spans(), change=KINDS)
def test_taking_back_gives_what_there_was_whatever_changed(found: tuple[EntitySpan, ...], change: Change) -> None:
    text = "xyxyyyxxyy"
    left = rewriting(change)(text, found)
    assert set(undoing([(found, left)])(text, left)) == set(found)


def test_everybody_s_answer_changes_and_comes_back_where_several_must_agree(database: Database, tmp_path: Path) -> None:
    with database.transaction() as connection:
        create_dataset(connection, "news", ["per", "geo", "org"], "ada", annotators_required=2)
        import_file(connection, a_file(tmp_path, '{"text": "Ada in Rome"}'), dataset="news", actor="ada")
    corrected(database, stored(database)[0], [(0, 3, "per")])
    with database.transaction() as connection:
        document = list_documents(connection, "news")[0][0]
        said_by_cy = [EntitySpan(7, 11, "geo")]
        save_correction(
            connection, document.id, base_revision=0, spans=said_by_cy, operation_id="operation of cy", author="cy"
        )
    renamed = changed(database, RENAME)
    answers = answers_by_name(database, document.id)
    assert answers == {"bo": (EntitySpan(0, 3, "person"),), "cy": (EntitySpan(7, 11, "geo"),)}
    deleted = changed(database, Change("delete", ("person",)))
    assert answers_by_name(database, document.id) == {"bo": (), "cy": (EntitySpan(7, 11, "geo"),)}
    undone(database, deleted.id)
    assert answers_by_name(database, document.id) == answers
    undone(database, renamed.id)
    assert answers_by_name(database, document.id) == {
        "bo": (EntitySpan(0, 3, "per"),),
        "cy": (EntitySpan(7, 11, "geo"),),
    }


def answers_by_name(database: Database, document_id: str) -> dict[str, tuple[EntitySpan, ...]]:
    with database.reading() as connection:
        return answers_of(connection, document_id)
