"""A text that has to go: out of every dataset, out of what was kept of traffic, and out of frozen snapshots.

What stays is a row of the audit trail, with hashes and counts and no word of the text.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from annotation.capture import open_captured
from annotation.datasets import get_document
from annotation.frozen_files import redact_snapshot
from annotation.search_index import forget_erased
from ner import tables
from ner.documents import text_digest
from ner.errors import InvalidInput, InvalidSetting
from registry import audit
from registry.bucket import Bucket
from registry.sealing import Seals

_documents, _captured, _versions = tables.documents, tables.captured_texts, tables.versions
_LONGEST_REASON = 500


@dataclass(slots=True)
class Erased:
    """What is gone. `snapshots`: from a snapshot's hash to the SHA-256 of its content now. `quoted_by`: versions whose
    package quotes the text among its must-pass examples, which an erasure does not reach.
    """

    text_hash: str
    documents: list[str]
    rows: dict[str, int] = field(default_factory=dict)
    snapshots: dict[str, str] = field(default_factory=dict)
    quoted_by: list[str] = field(default_factory=list)


def erase_text(
    connection: Connection,
    document_id: str,
    *,
    seals: Seals,
    folder: Path,
    actor: str,
    reason: str,
    bucket: Bucket | None = None,
) -> Erased:
    """Erase the document's text wherever the same text lies: every document that holds it with all that was said about
    it, kept texts of traffic, and the lines of snapshots. Run it in a writing transaction.

    A snapshot keeps its name; its lines are replaced by their hashes. Raises NotFound, and InvalidInput without a
    reason.
    """
    said = reason.strip()
    if not said or len(said) > _LONGEST_REASON:
        raise InvalidInput(f"Say in 1 to {_LONGEST_REASON} characters why the text has to go; do not quote it.")
    text = get_document(connection, document_id).text
    digest = text_digest(text)
    same = sa.select(_documents.c.id).where(_documents.c.text_hash == digest)
    erased = Erased(digest, sorted(connection.scalars(same)))
    erased.quoted_by = _quoting(connection, text)
    erased.rows = {**_kept(connection, seals, text), **_rows_about(connection, erased.documents)}
    connection.execute(_documents.delete().where(_documents.c.id.in_(erased.documents)))
    forget_erased(connection)
    for snapshot in connection.scalars(sa.select(tables.snapshots.c.hash)):
        amended = redact_snapshot(folder, snapshot, text, bucket)
        if amended:
            erased.snapshots[snapshot] = amended
    details = {
        "reason": said,
        "text_hash": digest,
        "documents": erased.documents,
        "rows": erased.rows,
        "snapshots": erased.snapshots,
        "quoted_by": erased.quoted_by,
    }
    audit.append(connection, actor=actor, action="document.erased", subject=document_id, details=details)
    return erased


def _rows_about(connection: Connection, document_ids: list[str]) -> dict[str, int]:
    """Delete what hangs on the documents, in every table that refers to them."""
    gone = {}
    for table, column in _references():
        gone[table.name] = connection.execute(table.delete().where(column.in_(document_ids))).rowcount
    return {name: count for name, count in gone.items() if count}


def _references() -> Iterator[tuple[sa.Table, sa.Column[Any]]]:
    for table in tables.metadata.sorted_tables:
        for column in table.columns:
            if any(key.column.table is _documents for key in column.foreign_keys):
                yield table, column


def _kept(connection: Connection, seals: Seals, text: str) -> dict[str, int]:
    """Delete kept texts of traffic that say the same, adopted or not. One that cannot be opened is left as it is."""
    same = []
    for row in connection.execute(sa.select(_captured)).all():
        try:
            if open_captured(connection, seals, row).text == text:
                same.append(row.request_id)
        except InvalidSetting:
            continue
    if same:
        connection.execute(_captured.delete().where(_captured.c.request_id.in_(same)))
    return {"kept texts of traffic": len(same)} if same else {}


def _quoting(connection: Connection, text: str) -> list[str]:
    rows = connection.execute(sa.select(_versions.c.version, _versions.c.performance))
    return sorted(row.version for row in rows if _quotes(row.performance, text))


def _quotes(value: Any, text: str) -> bool:
    if isinstance(value, dict):
        return any(_quotes(one, text) for one in value.values())
    if isinstance(value, list):
        return any(_quotes(one, text) for one in value)
    return isinstance(value, str) and value == text
