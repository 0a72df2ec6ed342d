"""A load generator that costs less than what it measures: raw HTTP/1.1 over kept connections, in a process of its own.

    python -m tests.benchmarks.firing < order.json

Closed loop (`rate` null): each connection sends its next request when the last was answered. Open loop: requests are
due at a fixed rate and latency counts from the moment a request was due, so a stalled server cannot hide behind the
generator that waits for it.
"""

import asyncio
import collections
import gc
import json
import sys
import time
from collections.abc import Callable
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
    """One kept connection, which asks one thing at a time and tells `range_` what came back."""

    def __init__(self, range_: "_Range") -> None:
        self.range = range_
        self.transport: Any = None
        self.due = 0.0
        self._is_waiting = False
        self._received = b""
        self._whole = 0
        self._status = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def shoot(self, due: float) -> None:
        self.due, self._is_waiting = due, True
        self.transport.write(self.range.next_request())

    def data_received(self, received: bytes) -> None:
        self._received = received = self._received + received if self._received else received
        if not self._whole:
            end = received.find(b"\r\n\r\n")
            if end < 0:
                return
            head = received[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 : head.find(b"\r\n", at) if head.find(b"\r\n", at) > 0 else None])
            self._status, self._whole = int(head[9:12]), end + 4 + length
        if len(received) >= self._whole:
            self._received, self._whole = b"", 0
            self._came_back(self._status)

    def connection_lost(self, _: Exception | None) -> None:
        self.transport = None
        if self._is_waiting:
            self._came_back(0)

    def _came_back(self, status: int) -> None:
        self._is_waiting = False
        self.range.shots.append((self.due, time.perf_counter(), status))
        self.range.answered(self)


class _Range:
    """Connections, and the moments and statuses of what they got.

    Without tasks and futures, which would cost more than all the rest: what falls behind at three times the capacity
    of a server measures itself.
    """

    def __init__(self, order: Order) -> None:
        self.order = order
        self.bodies = Path(order.bodies).read_bytes().splitlines()
        self.next_body = order.first_body
        lines = [f"POST {order.path} HTTP/1.1", "Host: bench", "Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in order.headers.items()]
        self._head = "\r\n".join([*lines, "Content-Length: "]).encode()
        self.shots: list[tuple[float, float, int]] = []
        self.late: list[float] = []
        self.answered: Callable[[_Connection], None] = lambda _: None

    async def connect(self) -> None:
        """Open all connections of the order into `connections`."""
        loop = asyncio.get_running_loop()
        opened = [
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self.order.port)
            for _ in range(self.order.connections)
        ]
        self.connections = [connection for _, connection in opened]

    def close(self) -> None:
        """Close all connections."""
        for connection in self.connections:
            if connection.transport is not None:
                connection.transport.close()

    def next_request(self) -> bytes:
        """The next body with its head."""
        body = self.bodies[self.next_body % len(self.bodies)]
        self.next_body += 1
        return b"%s%d\r\n\r\n%s" % (self._head, len(body), body)

    async def reconnect(self, lost: _Connection) -> None:
        """What a server that closes connections costs its callers, too."""
        await asyncio.get_running_loop().create_connection(lambda: lost, "127.0.0.1", self.order.port)


async def _closed(range_: _Range) -> None:
    ends = time.perf_counter() + range_.order.warm_up_seconds + range_.order.seconds
    await range_.connect()
    shooting = len(range_.connections)
    all_ended = asyncio.Event()
    opening: set[asyncio.Task[None]] = set()

    async def shoot_anew(connection: _Connection) -> None:
        await range_.reconnect(connection)
        connection.shoot(time.perf_counter())

    def answered(connection: _Connection) -> None:
        nonlocal shooting
        now = time.perf_counter()
        if now >= ends:
            shooting -= 1
            if not shooting:
                all_ended.set()
        elif connection.transport is None:
            task = asyncio.create_task(shoot_anew(connection))
            opening.add(task)
            task.add_done_callback(opening.discard)
        else:
            connection.shoot(now)

    range_.answered = answered
    for connection in range_.connections:
        connection.shoot(time.perf_counter())
    await all_ended.wait()


async def _open(range_: _Range, rate: float) -> None:
    """Due requests wait in a line for a free connection; what they wait counts as latency."""
    await range_.connect()
    # The one that rested longest comes next, so that none rests until the server closes it.
    free, line = collections.deque(range_.connections), collections.deque[float]()
    sent = came_back = 0

    def answered(connection: _Connection) -> None:
        nonlocal came_back
        came_back += 1
        if connection.transport is None:
            raise RuntimeError("The server closed a connection that it should have kept.")
        if line:
            connection.shoot(line.popleft())
        else:
            free.append(connection)

    range_.answered = answered
    started = time.perf_counter()
    whole = range_.order.warm_up_seconds + range_.order.seconds
    while (now := time.perf_counter()) - started < whole:
        while sent / rate <= now - started:
            due = started + sent / rate
            range_.late.append(now - due)
            sent += 1
            if free:
                free.popleft().shoot(due)
            else:
                line.append(due)
        await asyncio.sleep(max(0.0, started + sent / rate - time.perf_counter()))
    while came_back < sent:
        await asyncio.sleep(0.01)


async def fire(order: Order) -> Shots:
    """Send what is ordered and sum up what came back after the warm-up."""
    range_ = _Range(order)
    began = time.perf_counter()
    await (_closed(range_) if order.rate is None else _open(range_, order.rate))
    range_.close()
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
        len(counted), len(counted) / elapsed, p50, p95, p99, dict(statuses), late, range_.next_body, refused_p99
    )


def main() -> None:
    """Read an order on stdin, print the shots."""
    import uvloop

    # It keeps what it saw until the end: to look through that again and again would take a request's time each time.
    gc.disable()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        shots = runner.run(fire(Order(**json.loads(sys.stdin.read()))))
    print(json.dumps(asdict(shots)))


if __name__ == "__main__":
    main()
