"""Texts of traffic that are kept for correction: sealed in the database, opened when somebody corrects them."""

import datetime as dt
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from annotation.stored import as_document, find_dataset, insert_dataset, next_position, select_documents
from ner import tables
from ner.database import lock_for_appending, utc_now
from ner.documents import Document, text_digest
from ner.errors import InvalidSetting, NotFound
from registry import audit
from registry.logged import CapturedText as TextToKeep
from registry.sealing import Seals, key_of

TRAFFIC = "traffic"
_captured, _documents, _datasets = tables.captured_texts, tables.documents, tables.datasets


@dataclass(frozen=True, slots=True)
class CapturedText:
    """A kept text, opened. `document_id` is set once it has become a document."""

    request_id: str
    text: str
    version: str
    lowest_confidence: float | None
    at: dt.datetime
    document_id: str | None


def keep_text(connection: Connection, seals: Seals, kept: TextToKeep) -> None:
    """Keep a text of traffic, sealed. The same request again changes nothing."""
    request_id = kept.request_id
    if connection.execute(sa.select(_captured.c.request_id).where(_captured.c.request_id == request_id)).first():
        return
    sealed = seals.seal(connection, kept.text, context=request_id)
    connection.execute(
        _captured.insert().values(
            request_id=request_id,
            at=utc_now(),
            version=kept.version,
            reason=kept.reason,
            lowest_confidence=kept.lowest_confidence,
            sealed=sealed,
            key_id=key_of(sealed),
        )
    )


def open_captured(connection: Connection, seals: Seals, row: Row[Any]) -> CapturedText:
    """A row of `captured_texts`, unsealed. Raises InvalidSetting."""
    text = seals.open(connection, row.sealed, context=row.request_id)
    return CapturedText(row.request_id, text, row.version, row.lowest_confidence, row.at, row.document_id)


def kept_texts(connection: Connection, seals: Seals, request_ids: Sequence[str]) -> dict[str, CapturedText]:
    """The kept texts of some requests, by request; those that were sealed with another key are passed over."""
    found = {}
    for row in connection.execute(sa.select(_captured).where(_captured.c.request_id.in_(request_ids))):
        with suppress(InvalidSetting):
            found[str(row.request_id)] = open_captured(connection, seals, row)
    return found


def adopt_captured(connection: Connection, seals: Seals, request_id: str, actor: str) -> Document:
    """Make a kept text an unlabelled document of the dataset "traffic", which is made if need be, with the labels of
    the version that answered. The same text twice is one document. Run it in a writing transaction.

    Raises NotFound for the request, InvalidSetting when the text cannot be unsealed.
    """
    lock_for_appending(connection, f"dataset {TRAFFIC}")
    row = connection.execute(sa.select(_captured).where(_captured.c.request_id == request_id)).first()
    if row is None:
        raise NotFound(f"No text is kept for the request '{request_id}'.")
    document_id = row.document_id
    if document_id is None:
        captured = open_captured(connection, seals, row)
        dataset_id = _traffic_dataset(connection, captured.version, actor)
        document_id = _document_of(connection, dataset_id, captured)
        connection.execute(
            _captured.update().where(_captured.c.request_id == request_id).values(document_id=document_id)
        )
        audit.append(
            connection, actor=actor, action="capture.adopt", subject=request_id, details={"document": document_id}
        )
    return as_document(connection.execute(select_documents().where(_documents.c.id == document_id)).one())


def _traffic_dataset(connection: Connection, version: str, actor: str) -> str:
    answered = connection.scalar(sa.select(tables.versions.c.labels).where(tables.versions.c.version == version)) or []
    dataset = find_dataset(connection, TRAFFIC)
    if dataset is None:
        return insert_dataset(connection, TRAFFIC, labels=answered, actor=actor).id
    labels = list(dict.fromkeys([*dataset.labels, *answered]))
    connection.execute(_datasets.update().where(_datasets.c.id == dataset.id).values(labels=labels))
    return dataset.id


def _document_of(connection: Connection, dataset_id: str, captured: CapturedText) -> str:
    digest = text_digest(captured.text)
    known = connection.scalar(
        sa.select(_documents.c.id).where(_documents.c.dataset_id == dataset_id, _documents.c.import_key == digest)
    )
    if known:
        return str(known)
    document_id = uuid.uuid4().hex
    connection.execute(
        _documents.insert().values(
            id=document_id,
            dataset_id=dataset_id,
            position=next_position(connection, dataset_id),
            text=captured.text,
            text_hash=digest,
            import_key=digest,
            meta={"version": captured.version, "lowest_confidence": captured.lowest_confidence},
            revision=0,
            created_at=utc_now(),
        )
    )
    return document_id
