"""Datasets: the documents that belong together, their labels, and what is known about them."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from annotation.exports import ExportSummary, export_dataset
from annotation.imports import ImportSummary, import_file
from annotation.rules import check_name, grown_labels
from annotation.stored import as_document, find_dataset, insert_dataset, is_corrected, load_dataset, select_documents
from ner import tables
from ner.database import lock_for_appending
from ner.documents import Document, Nesting
from ner.errors import Conflict, InvalidInput, NotFound
from registry import audit

__all__ = [
    "STATES",
    "DatasetSummary",
    "ExportSummary",
    "ImportSummary",
    "add_labels",
    "create_dataset",
    "export_dataset",
    "get_dataset",
    "get_document",
    "import_file",
    "list_datasets",
    "list_documents",
]

_documents, _revisions, _datasets = tables.documents, tables.revisions, tables.datasets
_STATES: dict[str, sa.ColumnElement[bool]] = {
    "unlabelled": _documents.c.revision == 0,
    "gold": _documents.c.gold_revision.is_not(None),
    "unsettled": sa.and_(_documents.c.revision > 0, _documents.c.gold_revision.is_(None)),
    "corrected": is_corrected(),
    "uncorrected": ~is_corrected(),
}
STATES = tuple(_STATES)


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """A dataset and its counts. `gold`: settled documents; `entities`: gold entities per label, most first."""

    name: str
    documents: int
    gold: int
    corrections: int
    labels: list[str]
    entities: dict[str, int]
    created_at: dt.datetime


def create_dataset(
    connection: Connection,
    name: str,
    labels: Iterable[str],
    actor: str,
    *,
    nesting: Nesting = "flat",
    annotators_required: int = 1,
) -> DatasetSummary:
    """A new, empty dataset. Raises Conflict when there is one of that name, InvalidInput for names that do not fit.

    `annotators_required`: how many people must agree exactly before a document is gold.
    """
    check_name(name)
    if annotators_required < 1:
        raise InvalidInput("A dataset needs at least 1 annotator.")
    lock_for_appending(connection, f"dataset {name}")
    if find_dataset(connection, name):
        raise Conflict(f"There is a dataset '{name}' already.")
    found = insert_dataset(
        connection,
        name,
        labels=grown_labels((), labels),
        actor=actor,
        nesting=nesting,
        annotators_required=annotators_required,
    )
    details = {"labels": list(found.labels), "nesting": nesting, "annotators_required": annotators_required}
    audit.append(connection, actor=actor, action="dataset.create", subject=name, details=details)
    return get_dataset(connection, name)


def add_labels(connection: Connection, name: str, labels: Iterable[str], *, actor: str) -> list[str]:
    """Add labels to a dataset's label set and return the whole set. Labels that are there already change nothing."""
    lock_for_appending(connection, f"dataset {name}")
    dataset = load_dataset(connection, name)
    grown = grown_labels(dataset.labels, labels)
    added = grown[len(dataset.labels) :]
    if added:
        connection.execute(_datasets.update().where(_datasets.c.id == dataset.id).values(labels=grown))
        audit.append(connection, actor=actor, action="dataset.labels", subject=name, details={"added": added})
    return grown


def list_datasets(connection: Connection) -> list[DatasetSummary]:
    """Every dataset, by name."""
    return _summaries(connection, None)


def get_dataset(connection: Connection, name: str) -> DatasetSummary:
    """Raises NotFound when there is none of that name."""
    return _summaries(connection, load_dataset(connection, name).id)[0]


def get_document(connection: Connection, document_id: str) -> Document:
    """The document with the spans of its newest revision. Raises NotFound."""
    row = connection.execute(select_documents().where(_documents.c.id == document_id)).first()
    if row is None:
        raise NotFound(f"There is no document '{document_id}'.")
    return as_document(row)


def list_documents(
    connection: Connection,
    dataset: str,
    *,
    offset: int = 0,
    limit: int = 50,
    query: str | None = None,
    state: str | None = None,
) -> tuple[list[Document], int]:
    """One page of a dataset in file order, and how many documents there are on all pages.

    `query`: characters that the text must hold, upper or lower case; `state`: one of STATES.
    Raises NotFound, or InvalidInput for a state that does not exist.
    """
    if state and state not in _STATES:
        raise InvalidInput(f"'{state}' is not a state of documents; choose one of {', '.join(STATES)}.")
    conditions = [_documents.c.dataset_id == load_dataset(connection, dataset).id]
    if query:
        conditions.append(_documents.c.text.icontains(query, autoescape=True))
    if state:
        conditions.append(_STATES[state])
    total = connection.scalar(sa.select(sa.func.count()).select_from(_documents).where(*conditions)) or 0
    page = select_documents().where(*conditions).order_by(_documents.c.position).offset(offset).limit(limit)
    return [as_document(row) for row in connection.execute(page)], total


def _summaries(connection: Connection, dataset_id: str | None) -> list[DatasetSummary]:
    own = [] if dataset_id is None else [_documents.c.dataset_id == dataset_id]
    counts = {
        row.dataset_id: (row.documents, row.gold)
        for row in connection.execute(
            sa.select(
                _documents.c.dataset_id,
                sa.func.count().label("documents"),
                sa.func.count(_documents.c.gold_revision).label("gold"),
            )
            .where(*own)
            .group_by(_documents.c.dataset_id)
        )
    }
    corrections = _corrections(connection, own)
    entities = _entities(connection, own)
    chosen = sa.select(_datasets).order_by(_datasets.c.name)
    if dataset_id is not None:
        chosen = chosen.where(_datasets.c.id == dataset_id)
    return [
        DatasetSummary(
            row.name,
            *counts.get(row.id, (0, 0)),
            corrections=corrections.get(row.id, 0),
            labels=list(row.labels),
            entities=entities.get(row.id, {}),
            created_at=row.created_at,
        )
        for row in connection.execute(chosen)
    ]


def _corrections(connection: Connection, own: list[sa.ColumnElement[bool]]) -> dict[str, int]:
    rows = connection.execute(
        sa.select(_documents.c.dataset_id, sa.func.count().label("corrections"))
        .join(_revisions, _revisions.c.document_id == _documents.c.id)
        .where(_revisions.c.kind == "correction", *own)
        .group_by(_documents.c.dataset_id)
    )
    return {row.dataset_id: row.corrections for row in rows}


def _entities(connection: Connection, own: list[sa.ColumnElement[bool]]) -> dict[str, dict[str, int]]:
    """Gold entities per dataset and label, counted in the database."""
    label: sa.ColumnElement[Any]
    if connection.dialect.name == "postgresql":
        spans = sa.func.jsonb_array_elements(_documents.c.gold).table_valued(sa.column("value", tables.Json))
        label = spans.c.value.op("->>")(2)
    else:
        spans = sa.func.json_each(_documents.c.gold).table_valued("value")
        label = sa.func.json_extract(spans.c.value, "$[2]")
    rows = connection.execute(
        sa.select(_documents.c.dataset_id, label, sa.func.count())
        .select_from(_documents.join(spans, sa.true()))
        .where(*own)
        .group_by(_documents.c.dataset_id, label)
        .order_by(sa.func.count().desc(), label)
    )
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for dataset_id, name, count in rows:
        counts[dataset_id][name] = count
    return counts
