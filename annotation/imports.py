"""Files into datasets: everything of a file, or nothing of it."""

import datetime as dt
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from annotation.rules import check_name
from annotation.search_index import note_labels
from annotation.staging import NESTINGS, StagedDocument, StagedFile, stage_file
from annotation.stored import Dataset, find_dataset, insert_dataset, next_position
from ner import tables
from ner.database import lock_for_appending, utc_now
from ner.documents import Nesting, text_digest
from registry import audit

_documents, _revisions, _datasets = tables.documents, tables.revisions, tables.datasets


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import did. `documents` and `entities` count the file; `skipped` were in the dataset already."""

    dataset: str
    format: str
    documents: int
    added: int
    skipped: int
    entities: dict[str, int]
    notes: list[str]


@dataclass(slots=True)
class _Import:
    """One import while it runs."""

    dataset: Dataset
    actor: str
    next_position: int
    holds_documents: bool
    added: int = 0


def import_file(
    connection: Connection,
    path: Path,
    *,
    dataset: str,
    format_name: str = "auto",
    filename: str | None = None,
    actor: str,
    progress: Callable[[int, int], None] | None = None,
) -> ImportSummary:
    """Add a file's documents to a dataset, which is made if there is none of that name.

    Labelled documents become gold, with a revision 1 of kind "import"; unlabelled ones have revision 0. A document
    that the dataset holds already (same text, same spans, same count of repetitions in the file) is skipped, so
    corrections stay. The label set grows with the file. `progress` gets (bytes read, bytes in all).

    Raises MalformedFile with the line; the caller's transaction must then be rolled back. Long files are better
    staged first (`stage_file`), before the transaction begins.
    """
    check_name(dataset)
    with stage_file(path, format_name, filename=filename, progress=progress) as staged:
        return import_staged(connection, staged, dataset=dataset, actor=actor)


def import_staged(
    connection: Connection,
    staged: StagedFile,
    *,
    dataset: str,
    actor: str,
    progress: Callable[[int, int], None] | None = None,
) -> ImportSummary:
    """Add what `stage_file` read. `progress` gets (documents stored, documents in all).

    Raises MalformedFile where spans nest or overlap more than the dataset allows.
    """
    check_name(dataset)
    lock_for_appending(connection, f"dataset {dataset}")
    running = _begin(connection, dataset, actor)
    nesting = _nesting(running, staged)
    stored = 0
    for chunk in staged.chunks():
        _store(connection, running, chunk)
        stored += len(chunk)
        if progress:
            progress(stored, staged.documents)
    _finish(connection, running, staged, nesting)
    summary = _summary(running, staged)
    _audit(connection, summary, actor, staged.name)
    return summary


def _begin(connection: Connection, name: str, actor: str) -> _Import:
    dataset = find_dataset(connection, name) or insert_dataset(connection, name, labels=(), actor=actor)
    position = next_position(connection, dataset.id)
    return _Import(dataset, actor, position, holds_documents=position > 0)


def _nesting(running: _Import, staged: StagedFile) -> Nesting:
    """The rule of the dataset from now on. That of an empty one follows its first file; later files keep to it."""
    rule = running.dataset.nesting
    needed = max(rule, staged.nesting, key=NESTINGS.index)
    if needed == rule:
        return rule
    if running.holds_documents:
        raise staged.too_nested[rule]
    staged.notes.append(
        "Some spans nest or overlap: the dataset keeps them all; sequence taggers learn the outermost ones."
    )
    return needed


def _store(connection: Connection, running: _Import, chunk: Sequence[StagedDocument]) -> None:
    known = _known_keys(connection, running, chunk)
    rows: list[dict[str, Any]] = []
    revisions: list[dict[str, Any]] = []
    now = utc_now()
    for item in chunk:
        if item.key not in known:
            row = _document_row(running, item, now)
            rows.append(row)
            if item.spans is not None:
                revisions.append(_revision_row(row, running.actor))
    running.added += len(rows)
    if rows:
        connection.execute(_documents.insert(), rows)
    if revisions:
        connection.execute(_revisions.insert(), revisions)
    note_labels(connection, rows, [{label for _, _, label in row["gold"] or ()} for row in rows])


def _document_row(running: _Import, item: StagedDocument, now: dt.datetime) -> dict[str, Any]:
    is_labelled = item.spans is not None
    position = running.next_position
    running.next_position += 1
    return {
        # The same file in a dataset of the same name gives the same ids, and so the same snapshot, anywhere.
        "id": hashlib.sha256(f"{running.dataset.name}\n{item.key}".encode()).hexdigest()[:32],
        "dataset_id": running.dataset.id,
        "position": position,
        "text": item.text,
        "text_hash": text_digest(item.text),
        "import_key": item.key,
        "meta": item.meta,
        "revision": int(is_labelled),
        "gold": item.spans,
        "gold_revision": 1 if is_labelled else None,
        "created_at": now,
    }


def _revision_row(document: dict[str, Any], actor: str) -> dict[str, Any]:
    return {
        "document_id": document["id"],
        "revision": 1,
        "base_revision": 0,
        "operation_id": f"import {document['id']}",
        "author": actor,
        "kind": "import",
        "spans": document["gold"],
        "created_at": document["created_at"],
    }


def _known_keys(connection: Connection, running: _Import, chunk: Sequence[StagedDocument]) -> set[str]:
    if not running.holds_documents:
        return set()
    keys = [item.key for item in chunk]
    rows = connection.execute(
        sa.select(_documents.c.import_key).where(
            _documents.c.dataset_id == running.dataset.id, _documents.c.import_key.in_(keys)
        )
    )
    return set(rows.scalars())


def _finish(connection: Connection, running: _Import, staged: StagedFile, nesting: Nesting) -> None:
    labels = list(dict.fromkeys([*running.dataset.labels, *sorted(staged.entities)]))
    connection.execute(
        _datasets.update().where(_datasets.c.id == running.dataset.id).values(labels=labels, nesting=nesting)
    )


def _summary(running: _Import, staged: StagedFile) -> ImportSummary:
    return ImportSummary(
        dataset=running.dataset.name,
        format=staged.format,
        documents=staged.documents,
        added=running.added,
        skipped=staged.documents - running.added,
        entities=dict(staged.entities.most_common()),
        notes=staged.notes,
    )


def _audit(connection: Connection, summary: ImportSummary, actor: str, filename: str) -> None:
    details = {
        "file": filename,
        "format": summary.format,
        "documents": summary.documents,
        "added": summary.added,
        "skipped": summary.skipped,
    }
    audit.append(connection, actor=actor, action="dataset.import", subject=summary.dataset, details=details)
