"""What there is to learn from, frozen: settled documents and judged spans as one file named by its content's hash."""

import datetime as dt
import gzip
import hashlib
import json
import os
import re
import uuid
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from annotation.frozen_files import amended_hash, bring_up_to_date, file_key
from annotation.offers import PartialLabels, partial_labels
from annotation.stored import IMPORTS, load_dataset, spans_of
from ner import tables
from ner.database import lock_for_appending, utc_now
from ner.documents import EntitySpan
from ner.errors import Conflict, InvalidInput, MalformedFile, NotFound
from registry import audit
from registry.bucket import Bucket

_documents, _revisions, _snapshots = tables.documents, tables.revisions, tables.snapshots
_ROWS_AT_A_TIME = 1_000
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Frozen gold. `hash`: SHA-256 of the content; `entities`: how many per label; `labels`: those that occur."""

    hash: str
    dataset: str
    documents: int
    entities: dict[str, int]
    labels: list[str]


@dataclass(frozen=True, slots=True)
class NotedSnapshot:
    """A snapshot, and who froze it first, and when."""

    snapshot: Snapshot
    created_at: dt.datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class SnapshotDocument:
    """One frozen document; `is_correction` says that a person, not a file, settled it. `joined_by` is what stands
    between the tokens of its import, where that is known. `must_pass`: every version has to answer it exactly, and none
    learns from it (`"must_pass": true` in the document's meta).
    """

    text: str
    spans: tuple[EntitySpan, ...]
    document_id: str
    is_correction: bool
    joined_by: str | None = None
    must_pass: bool = False


def freeze(connection: Connection, dataset: str, *, actor: str, folder: Path, bucket: Bucket | None = None) -> Snapshot:
    """Write the gold documents of a dataset, in order, to `folder/snapshots/<hash>.jsonl.gz`, and note it. After them
    come the documents that are not gold and of which single spans were judged.

    The hash is over canonical lines (JSON, sorted keys, no blanks, UTF-8), so the same content is the same snapshot:
    one file and one row, whenever and by whomever it is frozen. The file appears whole or not at all, and in the bucket
    too where there is one.

    Raises NotFound for the dataset, Conflict when it has no gold document.
    """
    found = load_dataset(connection, dataset)
    target = folder / "snapshots"
    target.mkdir(parents=True, exist_ok=True)
    draft = target / f".{uuid.uuid4().hex}.part"
    try:
        digest, documents, entities = _write(_lines(connection, found.id, dataset), draft)
        if not documents:
            raise Conflict(f"The dataset '{dataset}' has no gold document; label or correct some first.")
        draft.replace(target / f"{digest}.jsonl.gz")
        if bucket is not None and not bucket.holds(file_key(digest)):
            bucket.put(target / f"{digest}.jsonl.gz", file_key(digest))
    finally:
        draft.unlink(missing_ok=True)
    snapshot = Snapshot(digest, dataset, documents, dict(entities.most_common()), sorted(entities))
    _note(connection, snapshot, actor)
    return snapshot


def read_snapshot(folder: Path, snapshot_hash: str, bucket: Bucket | None = None) -> list[SnapshotDocument]:
    """The settled documents of a snapshot, in the dataset's order; fetched from the bucket where there is no copy here.

    Raises InvalidInput for what is no hash, NotFound when the file is not there, MalformedFile when its content is
    not what was frozen.
    """
    return [_as_document(fields) for fields in _frozen_lines(folder, snapshot_hash, bucket) if "spans" in fields]


def read_judgements(folder: Path, snapshot_hash: str, bucket: Bucket | None = None) -> list[PartialLabels]:
    """The documents of a snapshot of which only single spans were judged. Raises as `read_snapshot` does."""
    return [_as_judged(fields) for fields in _frozen_lines(folder, snapshot_hash, bucket) if "rejected" in fields]


def _frozen_lines(folder: Path, snapshot_hash: str, bucket: Bucket | None) -> list[dict[str, Any]]:
    if not _HASH.fullmatch(snapshot_hash):
        raise InvalidInput(f"'{snapshot_hash}' is not a snapshot's hash of 64 hexadecimal digits.")
    path = folder / file_key(snapshot_hash)
    bring_up_to_date(folder, snapshot_hash, bucket)
    if not path.exists():
        raise NotFound(f"There is no snapshot {snapshot_hash} in {folder}.")
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error):
        content = b""
    if hashlib.sha256(content).hexdigest() not in {snapshot_hash, amended_hash(folder, snapshot_hash)}:
        raise MalformedFile(f"The snapshot {snapshot_hash} was changed after it was frozen; freeze the dataset again.")
    return [json.loads(line) for line in content.split(b"\n") if line]


def list_snapshots(connection: Connection, dataset: str | None = None) -> list[NotedSnapshot]:
    """Every snapshot, or those of one dataset, newest first."""
    chosen = sa.select(_snapshots).order_by(_snapshots.c.created_at.desc(), _snapshots.c.hash)
    if dataset:
        chosen = chosen.where(_snapshots.c.dataset == dataset)
    return [
        NotedSnapshot(
            Snapshot(row.hash, row.dataset, row.documents, row.entities, list(row.labels)),
            row.created_at,
            row.created_by,
        )
        for row in connection.execute(chosen)
    ]


def _lines(connection: Connection, dataset_id: str, dataset: str) -> Iterator[tuple[bytes, list[Any] | None]]:
    settled_by = sa.and_(
        _revisions.c.document_id == _documents.c.id, _revisions.c.revision == _documents.c.gold_revision
    )
    rows = connection.execute(
        sa.select(_documents.c.id, _documents.c.text, _documents.c.gold, _documents.c.meta, _revisions.c.kind)
        .join(_revisions, settled_by)
        .where(_documents.c.dataset_id == dataset_id)
        .order_by(_documents.c.position)
        .execution_options(yield_per=_ROWS_AT_A_TIME)
    )
    for row in rows:
        fields = {
            "document_id": row.id,
            "is_correction": row.kind not in IMPORTS,
            "spans": row.gold,
            "text": row.text,
        }
        if isinstance(row.meta.get("joined_by"), str):
            fields["joined_by"] = row.meta["joined_by"]
        if row.meta.get("must_pass") is True:
            fields["must_pass"] = True
        yield _canonical(fields), row.gold
    for judged in partial_labels(connection, dataset):
        accepted, rejected = (
            [[span.start, span.end, span.label] for span in spans] for spans in (judged.accepted, judged.rejected)
        )
        marks = {"accepted": accepted, "rejected": rejected}
        yield _canonical({"document_id": judged.document_id, "text": judged.text, **marks}), None


def _canonical(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _write(lines: Iterator[tuple[bytes, list[Any] | None]], draft: Path) -> tuple[str, int, Counter[str]]:
    digest, documents, entities = hashlib.sha256(), 0, Counter[str]()
    # No name and no time in the header: equal content gives equal bytes.
    with draft.open("xb") as file:
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
            for line, gold in lines:
                packed.write(line)
                digest.update(line)
                if gold is not None:
                    documents += 1
                    entities.update(label for _, _, label in gold)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest(), documents, entities


def _note(connection: Connection, snapshot: Snapshot, actor: str) -> None:
    lock_for_appending(connection, "snapshots")
    if connection.execute(sa.select(_snapshots.c.hash).where(_snapshots.c.hash == snapshot.hash)).first():
        return
    connection.execute(
        _snapshots.insert().values(
            hash=snapshot.hash,
            dataset=snapshot.dataset,
            documents=snapshot.documents,
            entities=snapshot.entities,
            labels=snapshot.labels,
            created_at=utc_now(),
            created_by=actor,
        )
    )
    details = {"hash": snapshot.hash, "documents": snapshot.documents}
    audit.append(connection, actor=actor, action="dataset.freeze", subject=snapshot.dataset, details=details)


def _as_document(fields: dict[str, Any]) -> SnapshotDocument:
    return SnapshotDocument(
        fields["text"],
        spans_of(fields["spans"]),
        fields["document_id"],
        bool(fields["is_correction"]),
        fields.get("joined_by"),
        bool(fields.get("must_pass", False)),
    )


def _as_judged(fields: dict[str, Any]) -> PartialLabels:
    accepted, rejected = (list(spans_of(fields[name])) for name in ("accepted", "rejected"))
    return PartialLabels(fields["document_id"], fields["text"], accepted, rejected)
