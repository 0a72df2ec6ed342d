"""Files into datasets: everything of a file, or nothing of it."""

import datetime as dt
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from annotation.formats import ReadDocument, ReadFile, read_file
from annotation.rules import check_name
from annotation.stored import Dataset, find_dataset, insert_dataset, next_position, pairs_of
from ner import tables
from ner.database import lock_for_appending, utc_now
from ner.documents import EntitySpan, Nesting, check_spans, text_digest
from ner.errors import InvalidInput, MalformedFile, OverlappingSpans
from registry import audit

_CHUNK = 2_000
_NESTINGS: tuple[Nesting, ...] = get_args(Nesting)
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
    """One import while it runs. `allowed`: the nestings that the dataset may still take, strictest first."""

    dataset: Dataset
    actor: str
    next_position: int
    allowed: tuple[Nesting, ...]
    holds_documents: bool
    documents: int = 0
    added: int = 0
    entities: Counter[str] = field(default_factory=Counter)
    occurrences: Counter[bytes] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Keyed:
    """A checked document of the file and the key under which the dataset knows it."""

    document: ReadDocument
    spans: tuple[EntitySpan, ...]
    key: str


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

    Raises MalformedFile with the line; the caller's transaction must then be rolled back.
    """
    check_name(dataset)
    opened = read_file(path, format_name, filename=filename, progress=progress)
    lock_for_appending(connection, f"dataset {dataset}")
    running = _begin(connection, dataset, actor)
    nesting_before = running.allowed[0]
    for chunk in _chunks(opened.documents):
        _store(connection, running, [_keyed(running, document) for document in chunk])
    if not running.documents:
        raise MalformedFile("The file holds no document.")
    if running.allowed[0] != nesting_before:
        opened.notes.append(
            "Some spans nest or overlap: the dataset keeps them all; sequence taggers learn the outermost ones."
        )
    _finish(connection, running)
    summary = _summary(running, opened)
    _audit(connection, summary, actor, filename or path.name)
    return summary


def _begin(connection: Connection, name: str, actor: str) -> _Import:
    dataset = find_dataset(connection, name) or insert_dataset(connection, name, labels=(), actor=actor)
    position = next_position(connection, dataset.id)
    # The rule of an empty dataset follows its first file; later files keep to the rule.
    allowed = (dataset.nesting,) if position else _NESTINGS[_NESTINGS.index(dataset.nesting) :]
    return _Import(dataset, actor, position, allowed, holds_documents=position > 0)


def _chunks(documents: Iterator[ReadDocument]) -> Iterator[list[ReadDocument]]:
    while chunk := list(islice(documents, _CHUNK)):
        yield chunk


def _keyed(running: _Import, document: ReadDocument) -> _Keyed:
    spans = _checked(running, document)
    running.documents += 1
    running.entities.update(span.label for span in spans)
    content = json.dumps([document.text, pairs_of(spans) if document.is_labelled else None], ensure_ascii=False)
    digest = hashlib.sha256(content.encode()).digest()
    occurrence = running.occurrences[digest]
    running.occurrences[digest] += 1
    return _Keyed(document, spans, hashlib.sha256(digest + str(occurrence).encode()).hexdigest())


def _checked(running: _Import, document: ReadDocument) -> tuple[EntitySpan, ...]:
    for nesting in running.allowed:
        try:
            spans = check_spans(document.text, document.spans, nesting=nesting)
        except OverlappingSpans as error:
            if nesting == running.allowed[-1]:
                raise document.refuse(error.message) from None
        except InvalidInput as error:
            raise document.refuse(error.message) from None
        else:
            running.allowed = running.allowed[running.allowed.index(nesting) :]
            return spans
    raise AssertionError("A dataset always allows one nesting at least.")


def _store(connection: Connection, running: _Import, keyed: Sequence[_Keyed]) -> None:
    known = _known_keys(connection, running, keyed)
    rows: list[dict[str, Any]] = []
    revisions: list[dict[str, Any]] = []
    now = utc_now()
    for item in keyed:
        if item.key not in known:
            row = _document_row(running, item, now)
            rows.append(row)
            if item.document.is_labelled:
                revisions.append(_revision_row(row, running.actor))
    running.added += len(rows)
    if rows:
        connection.execute(_documents.insert(), rows)
    if revisions:
        connection.execute(_revisions.insert(), revisions)


def _document_row(running: _Import, item: _Keyed, now: dt.datetime) -> dict[str, Any]:
    is_labelled = item.document.is_labelled
    position = running.next_position
    running.next_position += 1
    return {
        # The same file in a dataset of the same name gives the same ids, and so the same snapshot, anywhere.
        "id": hashlib.sha256(f"{running.dataset.name}\n{item.key}".encode()).hexdigest()[:32],
        "dataset_id": running.dataset.id,
        "position": position,
        "text": item.document.text,
        "text_hash": text_digest(item.document.text),
        "import_key": item.key,
        "meta": item.document.meta,
        "revision": int(is_labelled),
        "gold": pairs_of(item.spans) if is_labelled else None,
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


def _known_keys(connection: Connection, running: _Import, keyed: Iterable[_Keyed]) -> set[str]:
    if not running.holds_documents:
        return set()
    keys = [item.key for item in keyed]
    rows = connection.execute(
        sa.select(_documents.c.import_key).where(
            _documents.c.dataset_id == running.dataset.id, _documents.c.import_key.in_(keys)
        )
    )
    return set(rows.scalars())


def _finish(connection: Connection, running: _Import) -> None:
    dataset = running.dataset
    labels = list(dict.fromkeys([*dataset.labels, *sorted(running.entities)]))
    connection.execute(
        _datasets.update().where(_datasets.c.id == dataset.id).values(labels=labels, nesting=running.allowed[0])
    )


def _summary(running: _Import, opened: ReadFile) -> ImportSummary:
    return ImportSummary(
        dataset=running.dataset.name,
        format=opened.format,
        documents=running.documents,
        added=running.added,
        skipped=running.documents - running.added,
        entities=dict(running.entities.most_common()),
        notes=opened.notes,
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
