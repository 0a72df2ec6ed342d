"""Datasets: listed, imported as a stream, exported as a stream."""

import asyncio
import json
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any

import orjson
from fastapi import Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from starlette.background import BackgroundTask

from annotation import datasets
from annotation.exports import export_dataset
from annotation.imports import ImportSummary, import_file
from api.bodies import refusals
from api.errors import fact_noted
from api.exchange import exchange_of
from api.roles import Called, Wired, guarded_router, role
from api.schemas import DatasetList, DatasetShape, DocumentPage, ImportResult, LabelsRequest, LabelsShape
from api.shapes import document_shape

router = guarded_router(prefix="/api/v1/datasets", tags=["text"], responses=refusals(401, 403))

_LINES = "application/x-ndjson"
_MOST_LOSSES = 20
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
    responses=refusals(413, 422),
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
    path = await _received(request, wiring.settings.home)

    def run(report: Report) -> ImportSummary:
        try:
            with wiring.database.transaction() as connection:
                return import_file(
                    connection,
                    path,
                    dataset=name,
                    format_name=format,
                    filename=filename,
                    actor=caller.name,
                    progress=report,
                )
        finally:
            path.unlink(missing_ok=True)

    if _LINES in request.headers.get("accept", ""):
        lines = _progress_lines(run, exchange_of(request.scope).request_id)
        return StreamingResponse(lines, media_type=_LINES)
    summary = await asyncio.to_thread(run, lambda _done, _total: None)
    return Response(_result(summary).model_dump_json(), media_type="application/json")


@router.get("/{name}/export", response_class=FileResponse, responses=refusals(404, 422))
@role("viewer")
def export(name: str, wiring: Wired, format: str = "jsonl") -> Response:  # noqa: A002 - the name in the address
    """The dataset's gold as a file. The header X-Export-Summary says what is in it, and what the format lost."""
    path = _draft(wiring.settings.home, ".export")
    try:
        with wiring.database.reading() as connection, path.open("wb") as stream:
            summary = export_dataset(connection, name, format, stream)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    told = {
        "documents": summary.documents,
        "entities": sum(summary.entities.values()),
        "losses": summary.losses[:_MOST_LOSSES],
    }
    return FileResponse(
        path,
        media_type="application/octet-stream",
        filename=f"{name}.{format}",
        headers={"X-Export-Summary": json.dumps(told)},
        background=BackgroundTask(path.unlink, missing_ok=True),
    )


async def _received(request: Request, home: Path) -> Path:
    """The body in a file of its own, so that its size does not matter to memory."""
    path = _draft(home, ".import")
    try:
        with path.open("wb") as stream:
            async for chunk in request.stream():
                await asyncio.to_thread(stream.write, chunk)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _draft(home: Path, suffix: str) -> Path:
    """A new file on the disk that also holds the database, where there is room for what people import."""
    home.mkdir(parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(dir=home, prefix="draft-", suffix=suffix)
    os.close(number)
    return Path(name)


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
