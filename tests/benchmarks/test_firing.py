"""The load generator sends each body once, counts every answer, and sees what a stalled server does to who waits."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.firing import Order, Shots, fire
from tests.running import free_port

BODIES = 5_000


class _Server:
    """Answers 503 to every third request; the answer to number `stalls_at` and all behind it wait for `seconds`."""

    def __init__(self, stalls_at: int = -1, seconds: float = 0.0) -> None:
        self.bodies: list[int] = []
        self._numbers: Iterator[int] = count()
        self._stalls_at, self._seconds = stalls_at, seconds
        self._goes_on = asyncio.Event()
        self._goes_on.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            self.bodies.append(json.loads(await reader.readexactly(length))["number"])
            number = next(self._numbers)
            if number == self._stalls_at:
                self._goes_on.clear()
                asyncio.get_running_loop().call_later(self._seconds, self._goes_on.set)
            await self._goes_on.wait()
            status = b"503 Busy" if number % 3 == 0 else b"200 OK"
            writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\n{}")

    @asynccontextmanager
    async def running(self) -> Any:
        visits: list[asyncio.Task[None] | None] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            visits.append(asyncio.current_task())
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await self.serve(reader, writer)
            writer.close()
            await writer.wait_closed()

        port = free_port()
        async with await asyncio.start_server(serve, "127.0.0.1", port):
            yield port
            await asyncio.gather(*(visit for visit in visits if visit is not None))


@pytest.fixture
def bodies(tmp_path: Path) -> Path:
    path = tmp_path / "bodies.jsonl"
    path.write_text("\n".join(json.dumps({"number": number}) for number in range(BODIES)))
    return path


async def _fired(server: _Server, bodies: Path, **more: Any) -> Shots:
    async with server.running() as port:
        order = Order(port=port, path="/", bodies=str(bodies), seconds=0.5, warm_up_seconds=0.0, first_body=7, **more)
        return await fire(order)


@pytest.mark.parametrize("rate", [None, 400.0])
async def test_every_body_is_sent_once_and_every_answer_counted(bodies: Path, rate: float | None) -> None:
    server = _Server()
    shots = await _fired(server, bodies, rate=rate, connections=4)
    sent = [number % BODIES for number in range(7, shots.next_body)]
    assert sorted(server.bodies) == sorted(sent)
    assert shots.sent == len(sent) == sum(shots.statuses.values()) > 0
    assert shots.statuses.get("503", 0) == (len(sent) + 2) // 3


async def test_who_waits_for_a_stalled_server_is_counted_from_when_they_were_due(bodies: Path) -> None:
    shots = await _fired(_Server(stalls_at=20, seconds=0.3), bodies, rate=400.0, connections=2)
    # Some 120 requests were due while two connections stood still.
    assert shots.p95 > 200
