"""Rows of the database as documents and datasets: what the other rooms of this floor read with."""

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from ner import tables
from ner.database import utc_now
from ner.documents import Document, EntitySpan, Nesting
from ner.errors import NotFound

documents, revisions, datasets = tables.documents, tables.revisions, tables.datasets

# Kinds of revisions that hold a person's answer; a change of labels keeps whose answer it changed.
CORRECTIONS = ("correction", "relabelled correction")
IMPORTS = ("import", "relabelled import")


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset's own row: its rules, without the counts."""

    id: str
    name: str
    labels: tuple[str, ...]
    nesting: Nesting
    annotators_required: int
    created_at: dt.datetime


def find_dataset(connection: Connection, name: str) -> Dataset | None:
    """The dataset of that name, if there is one."""
    row = connection.execute(sa.select(datasets).where(datasets.c.name == name)).first()
    return None if row is None else as_dataset(row)


def load_dataset(connection: Connection, name: str) -> Dataset:
    """Raises NotFound when there is none of that name."""
    found = find_dataset(connection, name)
    if found is None:
        raise NotFound(f"There is no dataset '{name}'; import a file into it first.")
    return found


def insert_dataset(
    connection: Connection,
    name: str,
    *,
    labels: Iterable[str],
    actor: str,
    nesting: Nesting = "flat",
    annotators_required: int = 1,
) -> Dataset:
    """A new row of `datasets`; the caller has checked its name and labels and holds its lock."""
    made = Dataset(uuid.uuid4().hex, name, tuple(labels), nesting, annotators_required, utc_now())
    connection.execute(
        datasets.insert().values(
            id=made.id,
            name=made.name,
            labels=list(made.labels),
            nesting=made.nesting,
            annotators_required=made.annotators_required,
            created_at=made.created_at,
            created_by=actor,
        )
    )
    return made


def next_position(connection: Connection, dataset_id: str) -> int:
    """The place behind the dataset's last document; 0 when it is empty."""
    last = connection.scalar(sa.select(sa.func.max(documents.c.position)).where(documents.c.dataset_id == dataset_id))
    return 0 if last is None else last + 1


def as_dataset(row: Row[Any]) -> Dataset:
    """A row of `datasets`."""
    return Dataset(
        row.id, row.name, tuple(row.labels), cast(Nesting, row.nesting), row.annotators_required, row.created_at
    )


def pairs_of(spans: Iterable[EntitySpan]) -> list[list[int | str]]:
    """Spans as they lie in JSON columns: `[[start, end, label], ...]`."""
    return [[span.start, span.end, span.label] for span in spans]


def spans_of(stored: Iterable[Sequence[Any]] | None) -> tuple[EntitySpan, ...]:
    """Spans of a JSON column; none of them where nothing is stored."""
    return tuple(EntitySpan(start, end, label) for start, end, label in stored or ())


def labels_of(spans: Iterable[EntitySpan]) -> set[str]:
    """The labels that spans have."""
    return {span.label for span in spans}


def select_documents() -> sa.Select[Any]:
    """Documents with their dataset's name and the spans of their newest revision, for `as_document`."""
    return (
        sa.select(documents, datasets.c.name.label("dataset"), revisions.c.spans)
        .join(datasets, datasets.c.id == documents.c.dataset_id)
        .outerjoin(revisions, is_newest())
    )


def is_newest() -> sa.ColumnElement[bool]:
    """Whether a revision is its document's newest."""
    return sa.and_(revisions.c.document_id == documents.c.id, revisions.c.revision == documents.c.revision)


def as_document(row: Row[Any]) -> Document:
    """A row of `select_documents`. It is gold when its newest revision is the one that settled it."""
    return Document(
        id=row.id,
        dataset=row.dataset,
        text=row.text,
        revision=row.revision,
        spans=spans_of(row.spans),
        is_gold=row.gold_revision is not None and row.gold_revision == row.revision,
        meta=row.meta,
    )


def is_corrected(by: str | None = None) -> sa.ColumnElement[bool]:
    """Whether a person, or this person, has saved a correction of the document."""
    # Not "in": for its opposite PostgreSQL has but a list, which it reads anew for each document once it is long.
    said = revisions.alias("said")  # its own name, as whoever asks may look at revisions too
    mine = [] if by is None else [said.c.author == by]
    return sa.exists().where(said.c.document_id == documents.c.id, said.c.kind == "correction", *mine)


def documents_by_digest(connection: Connection, dataset: str, digests: Sequence[str]) -> dict[str, Document]:
    """A dataset's documents with these texts, by the digest of the text; of several with one text the first."""
    mine = (datasets.c.name == dataset, documents.c.text_hash.in_(list(digests)))
    rows = connection.execute(select_documents().where(*mine).order_by(documents.c.position.desc()))
    return {row.text_hash: as_document(row) for row in rows}
