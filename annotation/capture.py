"""Texts of traffic that are kept for correction: sealed in the database, opened when somebody corrects them."""

import datetime as dt
import os
import uuid
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy.engine import Connection, Row

from annotation.stored import as_document, find_dataset, insert_dataset, next_position, select_documents
from ner import tables
from ner.database import lock_for_appending, utc_now
from ner.documents import Document, text_digest
from ner.errors import InvalidSetting, NotFound
from registry import audit

TRAFFIC = "traffic"
_PURPOSE = b"ner workbench: captured texts"
_NONCE_BYTES = 12
_captured, _documents, _datasets = tables.captured_texts, tables.documents, tables.datasets


@dataclass(frozen=True, slots=True)
class CapturedText:
    """A kept text, opened. `document_id` is set once it has become a document."""

    request_id: str
    text: str
    version: str
    lowest_confidence: float
    at: dt.datetime
    document_id: str | None


def seal(key: bytes, text: str, *, context: str = "") -> bytes:
    """12 bytes of nonce, then the text under AES-256-GCM. `key`: the secret key, of any length (HKDF-SHA256 makes
    it 32 bytes); `context` must be the same again to unseal.
    """
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(_derived(key)).encrypt(nonce, text.encode(), context.encode())


def unseal(key: bytes, sealed: bytes, *, context: str = "") -> str:
    """The text again. Raises InvalidSetting when the key is another one, or the bytes were changed."""
    nonce, body = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        return AESGCM(_derived(key)).decrypt(nonce, body, context.encode()).decode()
    except (InvalidTag, ValueError):
        raise InvalidSetting(
            "A kept text cannot be opened: NER_SECRET_KEY is not the key that it was sealed with."
        ) from None


def keep_text(
    connection: Connection, key: bytes, request_id: str, text: str, version: str, lowest_confidence: float
) -> None:
    """Keep a text of traffic, sealed. The same request again changes nothing."""
    if connection.execute(sa.select(_captured.c.request_id).where(_captured.c.request_id == request_id)).first():
        return
    connection.execute(
        _captured.insert().values(
            request_id=request_id,
            at=utc_now(),
            version=version,
            lowest_confidence=lowest_confidence,
            sealed=seal(key, text, context=request_id),
        )
    )


def open_captured(key: bytes, row: Row[Any]) -> CapturedText:
    """A row of `captured_texts`, unsealed. Raises InvalidSetting."""
    text = unseal(key, row.sealed, context=row.request_id)
    return CapturedText(row.request_id, text, row.version, row.lowest_confidence, row.at, row.document_id)


def adopt_captured(connection: Connection, key: bytes, request_id: str, actor: str) -> Document:
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
        captured = open_captured(key, row)
        dataset_id = _traffic_dataset(connection, captured.version, actor)
        document_id = _document_of(connection, dataset_id, captured)
        connection.execute(
            _captured.update().where(_captured.c.request_id == request_id).values(document_id=document_id)
        )
        audit.append(
            connection, actor=actor, action="capture.adopt", subject=request_id, details={"document": document_id}
        )
    return as_document(connection.execute(select_documents().where(_documents.c.id == document_id)).one())


def _derived(key: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(key)


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
