"""Snapshots: frozen, listed, compared span by span, and exported again byte by byte."""

from typing import Annotated, BinaryIO

from fastapi import Query, Response
from fastapi.responses import FileResponse

from annotation.comparisons import SnapshotDiff, SpanChange, compare_snapshots
from annotation.exports import ExportSummary, export_snapshot
from annotation.formats import get_format
from annotation.snapshots import Snapshot, freeze, list_snapshots, read_judgements
from api.bodies import refusals
from api.files import file_response
from api.roles import Called, Wired, guarded_router, role
from api.schemas.datasets import SnapshotComparison, SnapshotList, SnapshotShape, SpanDifference
from api.schemas.desk import PartialList
from api.schemas.documents import SpanShape
from api.shapes import partial_shape, spans_shape
from ner.disk import check_room
from ner.documents import EntitySpan
from registry.bucket import open_bucket

router = guarded_router(prefix="/api/v1", tags=["text"], responses=refusals(401, 403))

Format = Annotated[str, Query(alias="format")]


@router.get("/snapshots", response_model=SnapshotList)
@role("viewer")
def list_all(wiring: Wired, dataset: str | None = None) -> SnapshotList:
    """Every snapshot, or those of one dataset, newest first."""
    with wiring.database.reading() as connection:
        found = list_snapshots(connection, dataset)
    shapes = [_shape(noted.snapshot) for noted in found]
    told = [
        shape.model_copy(update={"created_at": noted.created_at, "created_by": noted.created_by})
        for shape, noted in zip(shapes, found, strict=True)
    ]
    return SnapshotList(snapshots=told)


@router.post(
    "/datasets/{name}/snapshots", response_model=SnapshotShape, status_code=201, responses=refusals(404, 409, 507)
)
@role("engineer")
def freeze_dataset(name: str, wiring: Wired, caller: Called) -> SnapshotShape:
    """Freeze a dataset's gold, and what was judged of other documents, as it is now. The same content gives the same
    hash, and one snapshot."""
    check_room(wiring.settings.home, wiring.settings.disk_reserve_megabytes)
    with wiring.database.transaction() as connection:
        frozen = freeze(
            connection,
            name,
            actor=caller.name,
            folder=wiring.settings.artifacts,
            bucket=open_bucket(wiring.settings),
        )
    return _shape(frozen)


@router.get("/snapshots/{snapshot}/export", response_class=FileResponse, responses=refusals(404, 422))
@role("viewer")
def export(snapshot: str, wiring: Wired, format_name: Format = "jsonl", scheme: str | None = None) -> Response:
    """The snapshot as a file: the same bytes each time. The header X-Export-Summary says what the format lost."""

    def write(stream: BinaryIO) -> ExportSummary:
        bucket = open_bucket(wiring.settings)
        return export_snapshot(wiring.settings.artifacts, snapshot, format_name, stream, scheme, bucket)

    return file_response(wiring.settings.home, write, lambda: get_format(format_name).filename(snapshot[:12]))


@router.get("/snapshots/{snapshot}/judgements", response_model=PartialList, responses=refusals(404, 422))
@role("viewer")
def judgements(snapshot: str, wiring: Wired) -> PartialList:
    """The documents of the snapshot of which only single spans were judged: the same answer each time."""
    found = read_judgements(wiring.settings.artifacts, snapshot, open_bucket(wiring.settings))
    return partial_shape(found)


@router.get("/snapshots/{before}/diff/{after}", response_model=SnapshotComparison, responses=refusals(404, 422))
@role("viewer")
def compare(
    before: str, after: str, wiring: Wired, limit: Annotated[int, Query(ge=0, le=5_000)] = 200
) -> SnapshotComparison:
    """What changed from one snapshot to another: documents and spans, counted by kind and label, the first shown."""
    bucket = open_bucket(wiring.settings)
    diff = compare_snapshots(wiring.settings.artifacts, before, after, limit=limit, bucket=bucket)
    return _comparison(before, after, diff)


def _shape(snapshot: Snapshot) -> SnapshotShape:
    return SnapshotShape(
        hash=snapshot.hash,
        dataset=snapshot.dataset,
        documents=snapshot.documents,
        entities=snapshot.entities,
        labels=snapshot.labels,
    )


def _comparison(before: str, after: str, diff: SnapshotDiff) -> SnapshotComparison:
    return SnapshotComparison(
        before=before,
        after=after,
        documents_added=diff.documents_added,
        documents_removed=diff.documents_removed,
        documents_changed=diff.documents_changed,
        documents_same=diff.documents_same,
        judgements_added=diff.judgements_added,
        judgements_removed=diff.judgements_removed,
        spans=dict(diff.spans),
        labels={label: dict(counts) for label, counts in sorted(diff.labels.items())},
        changes=[_difference(change) for change in diff.changes],
    )


def _difference(change: SpanChange) -> SpanDifference:
    return SpanDifference(
        kind=change.kind,
        document_id=change.document_id,
        text=change.text,
        before=_span(change.text, change.before),
        after=_span(change.text, change.after),
    )


def _span(text: str, span: EntitySpan | None) -> SpanShape | None:
    return spans_shape(text, [span])[0] if span else None
