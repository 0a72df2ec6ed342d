"""The two indexes of a search: which labels a document's newest spans have, and which texts hold some words.

Labels are a table of ours, written where spans are. Words are the database's: on SQLite an FTS5 table of trigrams that
triggers fill, on PostgreSQL a GIN index of pg_trgm. Where a database offers neither, every text is read.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from annotation.literals import SHORTEST, Clause
from ner import tables
from ner.row_sets import insert_rows, is_among

_documents, _labels = tables.documents, tables.document_labels
_TEXT_TABLE = "search_text"
_TEXT_INDEX = "ix_documents_text_trigrams"
INDEX_ADVICE = {
    "sqlite": "SQLite was older than 3.34, or without FTS5, when the tables were made. Export to a new installation.",
    "postgresql": "the extension pg_trgm could not be made. Let the owner of the database run 'CREATE EXTENSION "
    f"pg_trgm; CREATE INDEX {_TEXT_INDEX} ON documents USING gin (text gin_trgm_ops)'.",
}
"""What to do where the words of texts have no index, by the kind of database."""
# The row of a text in the FTS5 table: the number of its dataset, then its position there.
_ROWS_OF_A_DATASET = 2**32
_LIKE_SIGNS, _ESCAPED = re.compile(r"[%_\\]"), r"\\\g<0>"


def note_labels(connection: Connection, documents: Iterable[Mapping[Any, Any]], labels: Iterable[set[str]]) -> None:
    """Note the labels of documents, given by `id`, `dataset_id` and `position`, of which none are noted yet."""
    rows = [
        {
            "document_id": document["id"],
            "label": label,
            "dataset_id": document["dataset_id"],
            "position": document["position"],
        }
        for document, held in zip(documents, labels, strict=True)
        for label in sorted(held)
    ]
    insert_rows(connection, _labels, rows)


def note_labels_again(
    connection: Connection,
    documents: Sequence[Row[Any]],
    before: Sequence[set[str]],
    after: Sequence[set[str]],
) -> None:
    """Note the labels that documents have after a change in place of those that they had before."""
    lost: dict[str, list[str]] = defaultdict(list)
    renamed: dict[tuple[str, str], list[str]] = defaultdict(list)
    came: list[set[str]] = []
    for document, old, new in zip(documents, before, after, strict=True):
        gone, come = sorted(old - new), sorted(new - old)
        # A label in place of another needs no look at whether the document exists, which is half of an insert.
        for pair in zip(gone, come, strict=False):
            renamed[pair].append(document.id)
        for label in gone[len(come) :]:
            lost[label].append(document.id)
        came.append(set(come[len(gone) :]))
    for label, ids in lost.items():
        connection.execute(_labels.delete().where(_labels.c.label == label, _are_of(connection, ids)))
    for (label, other), ids in renamed.items():
        update = _labels.update().where(_labels.c.label == label, _are_of(connection, ids))
        connection.execute(update.values(label=other))
    note_labels(connection, [document._mapping for document in documents], came)


def _are_of(connection: Connection, document_ids: Sequence[str]) -> sa.ColumnElement[bool]:
    return is_among(connection, _labels.c.document_id, document_ids)


def noted_labels(connection: Connection, document_id: str) -> set[str]:
    """The labels that are noted of a document."""
    return set(connection.scalars(sa.select(_labels.c.label).where(_labels.c.document_id == document_id)))


def holds_label(dataset_id: str, *labels: str) -> sa.ColumnElement[bool]:
    """Whether the newest spans of a document of this dataset hold the label, or one of several."""
    held = sa.select(_labels.c.position).where(_labels.c.dataset_id == dataset_id, _labels.c.label.in_(labels))
    return _documents.c.position.in_(held)


def holds_words(connection: Connection, dataset_id: str, clauses: Sequence[Clause]) -> sa.ColumnElement[bool]:
    """Whether the text of a document of this dataset holds, for each clause, one of its words, in either case."""
    is_sqlite = connection.dialect.name == "sqlite"
    indexed = [clause for clause in clauses if min(map(len, clause)) >= SHORTEST]
    if not is_sqlite or not indexed or not has_text_index(connection):
        return sa.and_(sa.true(), *(_is_read(clause, is_sqlite) for clause in clauses))
    rest = [_is_read(clause, is_sqlite) for clause in clauses if clause not in indexed]
    return sa.and_(_is_found(dataset_id, indexed), *rest)


def has_text_index(connection: Connection) -> bool:
    """Whether the words of texts are indexed here."""
    if connection.dialect.name == "sqlite":
        found = connection.scalar(sa.text("SELECT 1 FROM sqlite_master WHERE name = :name"), {"name": _TEXT_TABLE})
    else:
        found = connection.scalar(sa.text("SELECT to_regclass(:name)"), {"name": _TEXT_INDEX})
    return found is not None


def forget_erased(connection: Connection) -> None:
    """Let nothing of deleted texts stay in the index: FTS5 marks them as deleted and keeps their letters until it
    merges. PostgreSQL's vacuum does the same for the table and for its index.
    """
    if connection.dialect.name == "sqlite" and has_text_index(connection):
        connection.exec_driver_sql(f"INSERT INTO {_TEXT_TABLE} ({_TEXT_TABLE}) VALUES ('optimize')")


def _is_read(clause: Clause, is_sqlite: bool) -> sa.ColumnElement[bool]:
    """The condition on the text itself, which pg_trgm knows to answer from its index."""
    if is_sqlite:
        return sa.or_(*(_documents.c.text.icontains(word, autoescape=True) for word in clause))
    return sa.or_(*(_documents.c.text.ilike(f"%{_LIKE_SIGNS.sub(_ESCAPED, word)}%") for word in clause))


def _is_found(dataset_id: str, clauses: Sequence[Clause]) -> sa.ColumnElement[bool]:
    sought = " AND ".join(f"({' OR '.join(map(_phrase, clause))})" for clause in clauses)
    found = sa.text(
        f"documents.position IN (SELECT t.rowid % {_ROWS_OF_A_DATASET} FROM {_TEXT_TABLE} AS t, search_datasets AS d "
        f"WHERE {_TEXT_TABLE} MATCH :sought AND d.dataset_id = :dataset "
        f"AND t.rowid BETWEEN d.number * {_ROWS_OF_A_DATASET} AND (d.number + 1) * {_ROWS_OF_A_DATASET} - 1)"
    )
    return cast(sa.ColumnElement[bool], found.bindparams(sought=sought, dataset=dataset_id))


def _phrase(word: str) -> str:
    escaped = word.replace('"', '""')
    return f'"{escaped}"'
