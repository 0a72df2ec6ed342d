"""Files on their way in and out: drafts on the disk that also holds the database, gone when the work is over."""

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from fastapi import Request, Response
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from annotation.exports import ExportSummary
from ner.disk import check_room

_COPIES = 3
_MOST_LOSSES = 20
_FORGOTTEN_AFTER_SECONDS = 24 * 3600


async def received(request: Request, home: Path, reserve_megabytes: int) -> Path:
    """The body in a file of its own, so that its size does not matter to memory.

    Raises DiskFull where it would not leave the reserve. A body is held thrice: as it came, staged, and stored.
    """
    announced = request.headers.get("content-length", "")
    check_room(home, reserve_megabytes, wanted_bytes=_COPIES * int(announced) if announced.isdigit() else 0)
    path = draft(home, ".import")
    try:
        with path.open("wb") as stream:
            async for chunk in request.stream():
                await asyncio.to_thread(stream.write, chunk)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def file_response(home: Path, write: Callable[[BinaryIO], ExportSummary], filename: Callable[[], str]) -> Response:
    """What `write` writes, as a download whose header X-Export-Summary says what is in it and what was lost."""
    path = draft(home, ".export")
    try:
        with path.open("wb") as stream:
            summary = write(stream)
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
        filename=filename(),
        headers={"X-Export-Summary": json.dumps(told)},
        background=BackgroundTask(path.unlink, missing_ok=True),
    )


def draft(home: Path, suffix: str) -> Path:
    """A new, empty file. Drafts that a killed process left behind a day ago are removed."""
    home.mkdir(parents=True, exist_ok=True)
    for forgotten in home.glob("draft-*"):
        if forgotten.stat().st_mtime < time.time() - _FORGOTTEN_AFTER_SECONDS:
            forgotten.unlink(missing_ok=True)
    number, name = tempfile.mkstemp(dir=home, prefix="draft-", suffix=suffix)
    os.close(number)
    return Path(name)
