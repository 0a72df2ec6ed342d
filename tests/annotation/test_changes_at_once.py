"""PostgreSQL changes the labels of many documents in one statement; what it leaves is what Python leaves one by one."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from annotation import changes, restating_at_once
from annotation.changes import ChangeResult, make_change, meant_documents, undo_change
from annotation.corrections import save_correction, save_decision
from annotation.datasets import create_dataset, import_file, list_documents
from annotation.relabelling import Change
from annotation.stored import load_dataset, pairs_of
from ner import tables
from ner.database import Database
from ner.documents import Document, EntitySpan
from tests.annotation.files import a_file

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database", ["postgresql"], indirect=True)]

LABELS = ["per", "Größe", 'a "b" \\c', "two words", "%s:x"]
CHANGES = [
    Change("rename", ("per",), "person"),
    Change("rename", ('a "b" \\c',), "'; --"),
    Change("merge", ("per", "Größe"), "Größe"),
    Change("merge", ("per", "two words", "%s:x"), "name"),
    Change("merge", ("Größe",), "Größe"),
    Change("delete", ("per", 'a "b" \\c')),
    Change("delete", tuple(LABELS)),
]
Written = dict[str, list[tuple[str, ...]]]


@pytest.fixture
def connection(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """A transaction that is rolled back, with few documents for each statement."""
    monkeypatch.setattr(restating_at_once, "_DOCUMENTS", 7)
    with database.engine.connect() as opened, opened.begin() as transaction:
        yield opened
        transaction.rollback()


def some_spans(random: Random, text: str) -> list[EntitySpan]:
    spans = set()
    for _ in range(random.choice([0, 1, 3, 6])):
        start = random.randrange(len(text) - 1)
        end = random.randint(start + 1, min(start + 4, len(text)))
        spans.add(EntitySpan(start, end, random.choice(LABELS)))
    return sorted(spans)


def some_said(connection: Connection, random: Random, labels: list[str], share: float) -> None:
    """Let some people say something about some documents: corrections of their own, and decisions."""
    for document in list_documents(connection, "news", limit=1000)[0]:
        for author in random.sample(["ada", "bo", "cy"], 3) if random.random() < share else ():
            if random.random() < 0.4:
                said(connection, random, document, author, labels)


def said(connection: Connection, random: Random, document: Document, author: str, labels: list[str]) -> None:
    newest = connection.scalar(sa.select(tables.documents.c.revision).where(tables.documents.c.id == document.id))
    spans = [span for span in some_spans(random, document.text) if span.label in labels]
    save = save_decision if random.random() < 0.2 else save_correction
    operation = f"said {document.id} {newest}"
    save(connection, document.id, base_revision=newest or 0, spans=spans, operation_id=operation, author=author)


def written(connection: Connection, change_id: str) -> Written:
    """Every row that a change may write, without what differs from one run to the next."""
    revisions, documents, labels = tables.revisions, tables.documents, tables.document_labels
    columns = [column for column in revisions.c if column.name not in {"id", "created_at"}]
    queries = {
        "revisions": sa.select(*columns).order_by(revisions.c.document_id, revisions.c.revision),
        "documents": sa.select(documents).order_by(documents.c.id),
        "labels": sa.select(labels).order_by(labels.c.document_id, labels.c.label),
        "datasets": sa.select(tables.datasets),
    }
    return {
        table: [tuple(str(value).replace(change_id, "change") for value in row) for row in connection.execute(query)]
        for table, query in queries.items()
    }


def both_ways(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, work: Callable[[], ChangeResult]
) -> tuple[ChangeResult, ChangeResult]:
    """Do it one by one, take it back as if it had never been, and do it at once: the rows must be the same."""
    with monkeypatch.context() as patch:
        patch.setattr(changes, "can_be_said_at_once", lambda _: False)
        kept = connection.begin_nested()
        one_by_one = work()
        slow = written(connection, one_by_one.id or "")
        kept.rollback()
    at_once = work()
    fast = written(connection, at_once.id or "")
    for table, rows in slow.items():
        assert fast[table] == rows, table
    return one_by_one, at_once


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: f"{change.kind} {len(change.labels)}")
def test_postgresql_writes_at_once_what_python_writes_one_by_one(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, change: Change, seed: int, tmp_path: Path
) -> None:
    random = Random(seed)
    create_dataset(connection, "news", LABELS, "eve", nesting="any", annotators_required=1 + seed % 3)
    texts = [f"{number} 👩‍🚀 ⟨שלום⟩ Ada in Rome" for number in range(60)]
    lines = [{"text": text, "spans": pairs_of(some_spans(random, text))} for text in texts]
    lines += [{"text": f"Nobody said anything about {number}"} for number in range(10)]
    file = a_file(tmp_path, "\n".join(map(json.dumps, lines)))
    import_file(connection, file, dataset="news", actor="eve")
    some_said(connection, random, LABELS, 0.7)

    one_by_one, made = both_ways(connection, monkeypatch, lambda: make_change(connection, "news", change, actor="eve"))
    assert made == replace(one_by_one, id=made.id)
    assert made.documents > restating_at_once._DOCUMENTS or change.labels == (change.target,)
    some_said(connection, random, made.labels, 0.3)
    one_by_one, undone = both_ways(
        connection, monkeypatch, lambda: undo_change(connection, "news", made.id or "", actor="eve")
    )
    assert replace(undone, examples=[]) == replace(one_by_one, examples=[])
    assert len(undone.examples) == len(one_by_one.examples)


def test_documents_are_found_without_a_search_for_each_of_them(connection: Connection) -> None:
    create_dataset(connection, "news", LABELS, "eve")
    chosen = meant_documents(load_dataset(connection, "news"), CHANGES[3])
    # A plan with a sub-plan is one that, once it has no room for a hash, looks through all rows for each row.
    written = chosen.compile(connection, compile_kwargs={"literal_binds": True})
    plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {str(written).replace('%', '%%')}").scalars())
    assert "SubPlan" not in plan
