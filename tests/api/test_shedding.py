"""What is refused at the socket is refused in the same words, and nothing else is touched."""

import asyncio
import itertools
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import httpx
import pytest
import uvicorn
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from uvicorn.server import ServerState

from api.shedding import shed
from ner.errors import Overloaded
from ner.settings import Settings
from tests.api.rooms import Room
from tests.api.services import service

PREDICT = "/api/v1/ner/predict"
COUNTED = 'status="503"'


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    home: Path = tmp_path_factory.mktemp("shedding") / "home"
    with service(Settings(_env_file=None, home=home, secret_key="a key for tests")) as room:  # type: ignore[call-arg]
        yield room


@pytest.fixture
def room(running: Room) -> Iterator[Room]:
    yield running
    _overload(running, False)


def _overload(room: Room, is_so: bool) -> None:
    fact = Overloaded("More is asked than this server can answer; try again in a moment.", retry_after_seconds=1)
    room.app.state.wiring.answering.overload = lambda _share=1.0: fact if is_so else None


def _refused(room: Room) -> int:
    counters = [line for line in room.client.get("/metrics").text.splitlines() if "_total{" in line]
    lines = [line for line in counters if COUNTED in line and PREDICT in line]
    return sum(int(float(line.rpartition(" ")[2])) for line in lines)


def _comparable(answer: httpx.Response) -> tuple[int, dict[str, str], dict[str, Any]]:
    error = answer.json()["error"]
    headers = {name: value for name, value in answer.headers.items() if name not in {"date", "x-request-id"}}
    assert error.pop("request_id") == answer.headers["X-Request-ID"]
    assert len(answer.headers["X-Request-ID"]) == 32
    return answer.status_code, headers, error


def test_a_refusal_at_the_socket_says_what_a_refusal_of_the_framework_says(room: Room) -> None:
    headers, before = room.headers(), _refused(room)
    _overload(room, True)
    short = room.client.post(PREDICT, json={"text": "John"}, headers=headers)
    long = room.client.post(PREDICT, json={"text": "John"}, headers=headers | {"Origin": "https://elsewhere.example"})
    assert _comparable(short) == _comparable(long)
    assert (short.status_code, short.headers["Retry-After"]) == (503, "1")
    assert short.headers["X-Request-ID"] != long.headers["X-Request-ID"]
    assert _refused(room) == before + 2


def test_only_what_asks_a_model_is_refused(room: Room) -> None:
    headers = room.headers()
    _overload(room, True)
    assert room.client.get("/api/v1/ner/health").status_code == 200
    assert room.client.get("/api/v1/versions", headers=headers).status_code == 200
    assert room.client.post("/api/v1/ner/batch", json={"texts": ["John"]}, headers=headers).status_code == 503
    closing = room.client.post(PREDICT, json={"text": "John"}, headers=headers | {"Connection": "close"})
    assert (closing.status_code, closing.headers["Connection"]) == (503, "close")
    _overload(room, False)
    assert room.client.post(PREDICT, json={"text": "John"}, headers=headers).status_code == 200


def _answers(room: Room, pieces: list[tuple[bytes, bool]], count: int) -> list[int]:
    """Send the pieces over one connection, each under a load of its own; the statuses that come back."""
    address = room.client.base_url
    received, statuses = b"", list[int]()
    with socket.create_connection((address.host, address.port or 80), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece, is_overloaded in pieces:
            _overload(room, is_overloaded)
            connection.sendall(piece)
        while len(statuses) < count:
            arrived = connection.recv(65_536)
            assert arrived, "The server closed the connection."
            received += arrived
            while (end := received.find(b"\r\n\r\n")) >= 0:
                head = received[:end].lower()
                whole = end + 4 + int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
                if len(received) < whole:
                    break
                statuses.append(int(head[9:12]))
                received = received[whole:]
    assert received == b""
    return statuses


@examples(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.lists(st.integers(1, 1_000), max_size=8), st.lists(st.booleans(), min_size=9, max_size=9))
def test_each_request_gets_one_answer_however_its_bytes_come_and_whenever_the_load_changes(
    running: Room, count: int, cuts: list[int], loads: list[bool]
) -> None:
    key = running.key()
    body = b'{"text": "John on Mars"}'
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    whole = (head + body) * count
    borders = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    pieces = [whole[start:end] for start, end in itertools.pairwise(borders)]
    statuses = _answers(running, list(zip(pieces, loads, strict=False)), count)
    assert set(statuses) <= {200, 503}
    assert len(statuses) == count


class _Clock:
    """What the protocol asks of its event loop, by a clock that stands still until it is turned."""

    def __init__(self) -> None:
        self.now = 100.0
        self.due: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, callback: Callable[[], None]) -> "_Clock":
        self.due.append((self.now + seconds, callback))
        return self

    def cancel(self) -> None:
        self.due.clear()

    def turn_to(self, moment: float) -> None:
        while self.due and self.due[0][0] <= moment:
            self.now, callback = self.due.pop(0)
            callback()
        self.now = moment


def test_a_connection_is_closed_when_it_rested_and_not_when_it_was_refused_meanwhile(room: Room) -> None:
    _overload(room, True)
    clock, transport = _Clock(), Mock(is_closing=lambda: False, get_extra_info=lambda *_: None)
    config = uvicorn.Config(room.app, http=shed(room.app), log_config=None, timeout_keep_alive=5)
    config.load()
    protocol = shed(room.app)(config, ServerState(), {}, cast("asyncio.AbstractEventLoop", clock))
    protocol.connection_made(transport)
    body = b'{"text": "John"}'
    request = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    for moment in (100, 103, 106, 109):
        clock.turn_to(moment)
        protocol.data_received(request)
    assert len(transport.write.mock_calls) == 4
    assert len(clock.due) == 1
    clock.turn_to(113.9)
    assert not transport.close.called
    clock.turn_to(114.1)
    assert transport.close.called
    assert clock.due == []
