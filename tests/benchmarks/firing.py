"""A load generator that costs less than what it measures: raw HTTP/1.1 over kept connections, in a process of its own.

    python -m tests.benchmarks.firing < order.json

Closed loop (`rate` null): each connection sends its next request when the last was answered. Open loop: requests are
due at a fixed rate and latency counts from the moment a request was due, so a stalled server cannot hide behind the
generator that waits for it.
"""

import asyncio
import collections
import itertools
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Order:
    """What to send: bodies are taken in turn from a file of one JSON body per line; loopback addresses only."""

    port: int
    path: str
    bodies: str
    seconds: float
    headers: dict[str, str] = field(default_factory=dict)
    connections: int = 16
    rate: float | None = None
    warm_up_seconds: float = 1.0
    first_body: int = 0


@dataclass(frozen=True)
class Shots:
    """What came back. Latencies in milliseconds; `late_ms` is how far the generator itself fell behind (p99)."""

    sent: int
    rps: float
    p50: float
    p95: float
    p99: float
    statuses: dict[str, int]
    late_ms: float
    next_body: int
    refused_p99: float | None = None

    @property
    def failed(self) -> int:
        """Answers that were not 200."""
        return self.sent - self.statuses.get("200", 0)


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self.transport: Any = None
        self.answer: asyncio.Future[int] | None = None
        self._received = b""
        self._whole = 0
        self._status = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, received: bytes) -> None:
        self._received += received
        if not self._whole:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._received[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 : head.find(b"\r\n", at) if head.find(b"\r\n", at) > 0 else None])
            self._status, self._whole = int(head[9:12]), end + 4 + length
        if len(self._received) >= self._whole:
            self._received, self._whole = self._received[self._whole :], 0
            if self.answer is not None and not self.answer.done():
                self.answer.set_result(self._status)

    def connection_lost(self, _: Exception | None) -> None:
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(0)
        self.transport = None


class _Range:
    """Connections, and the moments and statuses of what they got."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.bodies = Path(order.bodies).read_bytes().splitlines()
        self.numbers = itertools.count(order.first_body)
        lines = [f"POST {order.path} HTTP/1.1", "Host: bench", "Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in order.headers.items()]
        self.head = "\r\n".join([*lines, "Content-Length: "]).encode()
        self.shots: list[tuple[float, float, int]] = []
        self.late: list[float] = []

    async def connect(self) -> _Connection:
        _, connection = await asyncio.get_running_loop().create_connection(_Connection, "127.0.0.1", self.order.port)
        return connection

    async def shoot(self, connection: _Connection, due: float | None = None) -> None:
        if connection.transport is None:
            await asyncio.get_running_loop().create_connection(lambda: connection, "127.0.0.1", self.order.port)
        body = self.bodies[next(self.numbers) % len(self.bodies)]
        connection.answer = asyncio.get_running_loop().create_future()
        started = time.perf_counter()
        connection.transport.write(b"%s%d\r\n\r\n%s" % (self.head, len(body), body))
        status = await connection.answer
        self.shots.append((due or started, time.perf_counter(), status))


async def _closed(range_: _Range) -> None:
    ends = time.perf_counter() + range_.order.warm_up_seconds + range_.order.seconds

    async def keep_shooting() -> None:
        connection = await range_.connect()
        while time.perf_counter() < ends:
            await range_.shoot(connection)
        connection.transport.close()

    await asyncio.gather(*(keep_shooting() for _ in range(range_.order.connections)))


async def _open(range_: _Range, rate: float) -> None:
    """Due requests wait in a line for a free connection; what they wait counts as latency."""
    line: collections.deque[float] = collections.deque()
    free = [await range_.connect() for _ in range(range_.order.connections)]
    running: set[asyncio.Task[None]] = set()

    async def serve(connection: _Connection, due: float) -> None:
        while True:
            await range_.shoot(connection, due)
            if not line:
                break
            due = line.popleft()
        free.append(connection)

    started = time.perf_counter()
    whole = range_.order.warm_up_seconds + range_.order.seconds
    sent = 0
    while (now := time.perf_counter()) - started < whole:
        while sent / rate <= now - started:
            due = started + sent / rate
            range_.late.append(now - due)
            sent += 1
            if free:
                task = asyncio.create_task(serve(free.pop(), due))
                running.add(task)
                task.add_done_callback(running.discard)
            else:
                line.append(due)
        await asyncio.sleep(max(0.0, started + sent / rate - time.perf_counter()))
    await asyncio.gather(*running)


async def fire(order: Order) -> Shots:
    """Send what is ordered and sum up what came back after the warm-up."""
    range_ = _Range(order)
    began = time.perf_counter()
    await (_closed(range_) if order.rate is None else _open(range_, order.rate))
    first = began + order.warm_up_seconds
    counted = [(end - due, status, end) for due, end, status in range_.shots if due >= first]
    latencies = np.array([latency for latency, *_ in counted]) * 1000
    refused = np.array([latency for latency, status, _ in counted if status == 503]) * 1000
    answered = np.array([latency for latency, status, _ in counted if status == 200]) * 1000
    p50, p95, p99 = np.percentile(answered if answered.size else latencies, (50, 95, 99)).tolist()
    statuses = collections.Counter(str(status) for _, status, _ in counted)
    elapsed = max(end for *_, end in counted) - first
    late = float(np.percentile(np.array(range_.late) * 1000, 99)) if range_.late else 0.0
    refused_p99 = float(np.percentile(refused, 99)) if refused.size else None
    return Shots(
        len(counted), len(counted) / elapsed, p50, p95, p99, dict(statuses), late, next(range_.numbers), refused_p99
    )


def main() -> None:
    """Read an order on stdin, print the shots."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        shots = runner.run(fire(Order(**json.loads(sys.stdin.read()))))
    print(json.dumps(asdict(shots)))


if __name__ == "__main__":
    main()
