"""Datasets: listed, imported as a stream, exported as a stream."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, BinaryIO

import orjson
from fastapi import Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse

from annotation import datasets
from annotation.exports import ExportSummary, export_dataset, report_export
from annotation.formats import get_format
from annotation.imports import ImportSummary, import_staged
from annotation.staging import stage_file
from api.bodies import refusals
from api.errors import fact_noted
from api.exchange import exchange_of
from api.files import file_response, received
from api.roles import Called, Wired, guarded_router, role
from api.schemas import DatasetList, DatasetShape, DocumentPage, ImportResult, LabelsRequest, LabelsShape
from api.schemas.datasets import ExportReport
from api.shapes import document_shape

router = guarded_router(prefix="/api/v1/datasets", tags=["text"], responses=refusals(401, 403))

_LINES = "application/x-ndjson"
Report = Callable[[int, int], None]


@router.get("", response_model=DatasetList)
@role("viewer")
def list_all(wiring: Wired) -> DatasetList:
    """Every dataset with its counts."""
    with wiring.database.reading() as connection:
        found = datasets.list_datasets(connection)
    return DatasetList(datasets=[_shape(summary) for summary in found])


@router.get("/{name}/documents", response_model=DocumentPage, responses=refusals(404, 422))
@role("viewer")
def list_documents(
    name: str,
    wiring: Wired,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    query: Annotated[str | None, Query(max_length=500)] = None,
    state: str | None = None,
) -> DocumentPage:
    """A page of a dataset. `query` is part of the text, `state` one of unlabelled, gold, unsettled, corrected,
    uncorrected."""
    with wiring.database.reading() as connection:
        found, total = datasets.list_documents(
            connection, name, offset=offset, limit=limit, query=query or None, state=state or None
        )
    return DocumentPage(documents=[document_shape(document) for document in found], total=total)


@router.post("/{name}/labels", response_model=LabelsShape, responses=refusals(404, 422))
@role("reviewer")
def add_labels(name: str, body: LabelsRequest, wiring: Wired, caller: Called) -> LabelsShape:
    """Add labels to a dataset's label set; those that it has already change nothing."""
    with wiring.database.transaction() as connection:
        return LabelsShape(labels=datasets.add_labels(connection, name, body.labels, actor=caller.name))


@router.post(
    "/{name}/import",
    response_model=ImportResult,
    responses=refusals(413, 422, 507),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
@role("engineer")
async def import_into(
    name: str,
    request: Request,
    wiring: Wired,
    caller: Called,
    format: str = "auto",  # noqa: A002 - the name in the address
    filename: str | None = None,
) -> Response:
    """Add a file's documents; the body is the file as it is, gzip or not. All of it is added, or nothing.

    With `Accept: application/x-ndjson` the answer is a line `{"progress": {"done", "total"}}` now and then, and in
    the end `{"result": ...}` or `{"error": ...}`.
    """
    home = wiring.settings.home
    path = await received(request, home, wiring.settings.disk_reserve_megabytes)

    def run(report: Report) -> ImportSummary:
        # Reading and storing are each half of the way.
        size = path.stat().st_size

        def read(done: int, _: int) -> None:
            report(done // 2, size)

        def stored(done: int, total: int) -> None:
            report((size + size * done // total) // 2, size)

        try:
            with stage_file(path, format, filename=filename, folder=home, progress=read) as staged:
                with wiring.database.transaction() as connection:
                    return import_staged(connection, staged, dataset=name, actor=caller.name, progress=stored)
        finally:
            path.unlink(missing_ok=True)

    if _LINES in request.headers.get("accept", ""):
        lines = _progress_lines(run, exchange_of(request.scope).request_id)
        return StreamingResponse(lines, media_type=_LINES)
    summary = await asyncio.to_thread(run, lambda _done, _total: None)
    return Response(_result(summary).model_dump_json(), media_type="application/json")


Format = Annotated[str, Query(alias="format")]
Scheme = Annotated[str | None, Query(description="Tagging scheme of CoNLL: IOB1, IOB2, IOE2, BILOU or BMES.")]


@router.get("/{name}/export", response_class=FileResponse, responses=refusals(404, 422))
@role("viewer")
def export(name: str, wiring: Wired, format_name: Format = "jsonl", scheme: Scheme = None) -> Response:
    """The dataset's gold as a file. The header X-Export-Summary says what is in it, and what the format lost."""

    def write(stream: BinaryIO) -> ExportSummary:
        with wiring.database.reading() as connection:
            return export_dataset(connection, name, format_name, stream, scheme)

    return file_response(wiring.settings.home, write, lambda: get_format(format_name).filename(name))


@router.get("/{name}/export/report", response_model=ExportReport, responses=refusals(404, 422))
@role("viewer")
def export_report(name: str, wiring: Wired, format_name: Format = "jsonl", scheme: Scheme = None) -> ExportReport:
    """What an export would hold, and each span that it would drop or move, counted. Nothing is written."""
    with wiring.database.reading() as connection:
        summary = report_export(connection, name, format_name, scheme)
    return ExportReport(documents=summary.documents, entities=summary.entities, losses=summary.losses)


async def _progress_lines(run: Callable[[Report], ImportSummary], request_id: str) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def report(done: int, total: int) -> None:
        loop.call_soon_threadsafe(lines.put_nowait, {"progress": {"done": done, "total": total}})

    def work() -> None:
        try:
            line: dict[str, Any] = {"result": _result(run(report)).model_dump()}
        except Exception as error:
            line = fact_noted(error, request_id).body(request_id)
        loop.call_soon_threadsafe(lines.put_nowait, line)

    working = loop.run_in_executor(None, work)
    while True:
        line = await lines.get()
        yield orjson.dumps(line, default=str) + b"\n"
        if "progress" not in line:
            break
    await working


def _result(summary: ImportSummary) -> ImportResult:
    return ImportResult(
        dataset=summary.dataset,
        format=summary.format,
        documents=summary.documents,
        added=summary.added,
        skipped=summary.skipped,
        entities=summary.entities,
        notes=summary.notes,
    )


def _shape(summary: datasets.DatasetSummary) -> DatasetShape:
    return DatasetShape(
        name=summary.name,
        documents=summary.documents,
        gold=summary.gold,
        corrections=summary.corrections,
        labels=summary.labels,
        entities=summary.entities,
        created_at=summary.created_at,
    )
