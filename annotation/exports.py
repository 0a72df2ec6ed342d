"""Datasets into files."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from typing_extensions import Buffer

from annotation.formats import Report, WrittenDocument, writer
from annotation.snapshots import SnapshotDocument, read_snapshot
from annotation.stored import load_dataset, spans_of
from ner import tables
from registry.bucket import Bucket

_documents = tables.documents
_ROWS_AT_A_TIME = 1_000


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What reached the file: documents, entities per label, and what the format could not say, in sentences."""

    documents: int
    entities: dict[str, int]
    losses: list[str]


def export_dataset(
    connection: Connection, dataset: str, format_name: str, stream: BinaryIO, scheme: str | None = None
) -> ExportSummary:
    """Write a dataset's documents, in order, with their gold spans, into a stream of bytes.

    Documents that are not settled have no spans; formats that cannot say so leave them out and report it. `scheme` is
    the tagging scheme where the format has tags.
    Raises NotFound for the dataset, InvalidInput for the format or the scheme.
    """
    write = writer(format_name, scheme)
    report = Report()
    write(_settled(connection, load_dataset(connection, dataset).id, report), stream, report)
    return ExportSummary(report.documents, dict(report.entities.most_common()), report.losses())


def report_export(connection: Connection, dataset: str, format_name: str, scheme: str | None = None) -> ExportSummary:
    """What `export_dataset` would write and lose, found by running it into nothing."""
    with io.BufferedWriter(_Nothing()) as nothing:
        return export_dataset(connection, dataset, format_name, nothing, scheme)


def export_snapshot(
    folder: Path,
    snapshot_hash: str,
    format_name: str,
    stream: BinaryIO,
    scheme: str | None = None,
    bucket: Bucket | None = None,
) -> ExportSummary:
    """Write a snapshot into a stream of bytes: the same bytes whenever and by whomever it is exported.

    Raises as `read_snapshot` and `export_dataset` do.
    """
    write = writer(format_name, scheme)
    report = Report()
    frozen = read_snapshot(folder, snapshot_hash, bucket)
    write((_written(document) for document in frozen), stream, report)
    return ExportSummary(report.documents, dict(report.entities.most_common()), report.losses())


def _written(document: SnapshotDocument) -> WrittenDocument:
    meta = {} if document.joined_by is None else {"joined_by": document.joined_by}
    return WrittenDocument(document.text, document.spans, meta)


class _Nothing(io.RawIOBase):
    """Takes every byte and keeps none."""

    def writable(self) -> bool:
        return True

    def write(self, content: Buffer, /) -> int:
        return memoryview(content).nbytes


def _settled(connection: Connection, dataset_id: str, report: Report) -> Iterator[WrittenDocument]:
    rows = connection.execute(
        sa.select(_documents.c.text, _documents.c.meta, _documents.c.gold, _documents.c.revision)
        .where(_documents.c.dataset_id == dataset_id)
        .order_by(_documents.c.position)
        .execution_options(yield_per=_ROWS_AT_A_TIME)
    )
    for row in rows:
        if row.gold is None and row.revision:
            report.lost("Documents whose corrections are not in the file, as too few people agree on them: {}.")
        yield WrittenDocument(row.text, None if row.gold is None else spans_of(row.gold), row.meta)
