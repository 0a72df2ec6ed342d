"""Two snapshots compared, and one exported twice."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.comparisons import compare_snapshots, span_changes
from annotation.corrections import save_correction
from annotation.datasets import import_file, list_documents
from annotation.exports import export_snapshot
from annotation.formats import FORMATS
from annotation.snapshots import freeze, list_snapshots
from ner.database import Database
from ner.documents import EntitySpan
from tests.annotation.files import a_file

LINES = [
    {"text": "Ada in Rome", "spans": [[0, 3, "per"], [7, 11, "geo"]]},
    {"text": "Bo in New York", "spans": [[0, 2, "per"], [6, 9, "geo"]]},
    {"text": "Nothing", "spans": []},
]


@pytest.fixture
def two(database: Database, tmp_path: Path) -> tuple[Database, str, str]:
    """A dataset that was frozen, corrected, grown and frozen again."""
    content = "\n".join(json.dumps(line) for line in LINES)
    with database.transaction() as connection:
        import_file(connection, a_file(tmp_path, content), dataset="news", actor="ada")
        before = freeze(connection, "news", actor="ada", folder=tmp_path)
        first, second, *_ = list_documents(connection, "news")[0]
        corrected = [(first, [(0, 3, "per"), (7, 11, "city")]), (second, [(6, 14, "geo")])]
        for document, spans in corrected:
            save_correction(
                connection,
                document.id,
                base_revision=1,
                spans=[EntitySpan(*span) for span in spans],
                operation_id=f"correct {document.id}",
                author="bo",
                new_labels={"city"},
            )
        import_file(
            connection, a_file(tmp_path, '{"text": "Cy", "spans": [[0, 2, "per"]]}'), dataset="news", actor="ada"
        )
        after = freeze(connection, "news", actor="bo", folder=tmp_path)
    return database, before.hash, after.hash


def test_every_span_that_differs_is_named_by_its_kind(two: tuple[Database, str, str], tmp_path: Path) -> None:
    _, before, after = two
    diff = compare_snapshots(tmp_path, before, after)
    assert (diff.documents_added, diff.documents_removed) == (1, 0)
    assert (diff.documents_changed, diff.documents_same) == (2, 1)
    shown = [
        (it.kind, it.before and it.before.surface(it.text), it.after and it.after.surface(it.text))
        for it in diff.changes
    ]
    assert shown == [
        ("label", "Rome", "Rome"),
        ("removed", "Bo", None),
        ("border", "New", "New York"),
        ("added", None, "Cy"),
    ]
    assert diff.spans == {"label": 1, "removed": 1, "border": 1, "added": 1}
    assert diff.labels["per"] == {"removed": 1, "added": 1}


def test_nothing_differs_when_a_snapshot_is_compared_with_itself(
    two: tuple[Database, str, str], tmp_path: Path
) -> None:
    diff = compare_snapshots(tmp_path, two[1], two[1])
    assert (diff.documents_same, diff.spans, diff.changes) == (3, {}, [])


def test_all_differences_are_counted_when_only_some_are_shown(two: tuple[Database, str, str], tmp_path: Path) -> None:
    diff = compare_snapshots(tmp_path, two[1], two[2], limit=1)
    assert (len(diff.changes), diff.spans.total()) == (1, 4)


@st.composite
def spans(draw: st.DrawFn) -> EntitySpan:
    start = draw(st.integers(0, 9))
    return EntitySpan(start, start + draw(st.integers(1, 4)), draw(st.sampled_from("abc")))


SPANS = st.lists(spans(), max_size=6, unique=True)


@given(old=SPANS, new=SPANS)
def test_each_span_that_differs_is_in_one_difference(old: list[EntitySpan], new: list[EntitySpan]) -> None:
    changes = list(span_changes(old, new))
    assert sorted(before for _, before, _ in changes if before) == sorted(set(old) - set(new))
    assert sorted(after for _, _, after in changes if after) == sorted(set(new) - set(old))


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_snapshot_is_the_same_bytes_when_it_is_exported_again(
    two: tuple[Database, str, str], format_name: str, tmp_path: Path
) -> None:
    written = []
    for _ in range(2):
        stream = io.BytesIO()
        summary = export_snapshot(tmp_path, two[1], format_name, stream)
        written.append(stream.getvalue())
    assert written[0] == written[1]
    assert summary.documents == 3


def test_the_tokens_of_the_import_are_exported_again_from_a_snapshot(database: Database, tmp_path: Path) -> None:
    with database.transaction() as connection:
        import_file(connection, a_file(tmp_path, "U.K.-based B-org\nAda O\n"), dataset="news", actor="ada")
        frozen = freeze(connection, "news", actor="ada", folder=tmp_path)
    stream = io.BytesIO()
    export_snapshot(tmp_path, frozen.hash, "conll", stream)
    assert stream.getvalue() == b"U.K.-based\tB-org\nAda\tO\n\n"


def test_snapshots_are_listed_with_who_froze_them(two: tuple[Database, str, str]) -> None:
    database, before, after = two
    with database.reading() as connection:
        listed = list_snapshots(connection, "news")
        assert list_snapshots(connection, "other") == []
    assert {(it.snapshot.hash, it.created_by) for it in listed} == {(before, "ada"), (after, "bo")}
