"""Refusing at the socket: while more waits for a model than can be answered in time, a request costs next to nothing.

A refusal through the framework costs a sixth of an answer. At three times what a process can do, two refusals come with
each answer, and what they cost is taken from the answers. So requests for answers that arrive whole are refused before
they are parsed, in the very words that the long way would use; whatever is unusual about a request sends it that way.
"""

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.errors import fact_of
from api.exchange import draw_id
from api.express import Lanes
from api.middleware import SECURITY
from ner.errors import Overloaded

Note = Callable[[str, int], None]
"""Takes note of a request that was refused: its route and its status."""

_ID = "0" * 32
# Many arrive in one turn of the loop, before the first of them is counted as waiting. Refused here at half of the wait
# that is allowed, they seldom have to be refused further in, where it costs ten times as much.
_SHARE_OF_WAIT = 0.5
_LENGTH = b"\r\ncontent-length:"
# Headers that want more than a plain answer: another site's page, a connection that ends, a body that waits.
_UNUSUAL = re.compile(rb"\r\n(?:origin|expect|transfer-encoding|upgrade):")
_CONNECTION, _KEPT = b"\r\nconnection:", b"\r\nconnection: keep-alive"


def shedding(lanes: Lanes, overload: Callable[[], Overloaded | None], note: Note) -> type[HttpToolsProtocol]:
    """The server's protocol, which refuses requests of the lanes that ask a model while there is an `overload`."""
    starts = {
        f"{method} {path} HTTP/1.1".encode(): lane.route.path
        for (method, path), lane in lanes.items()
        if lane.asks_model
    }
    return type(
        "Shedding", (_Shedding,), {"starts": starts, "overload": staticmethod(overload), "note": staticmethod(note)}
    )


class _Shedding(HttpToolsProtocol):
    starts: Mapping[bytes, str]
    overload: Callable[[], Overloaded | None]
    note: Note
    _is_between = True
    _rests_from = 0.0

    def data_received(self, data: bytes) -> None:
        fact = self.overload()
        if fact is not None and self._is_between and (route := self._route_of(data)) is not None:
            self._refuse(fact, route)
        else:
            super().data_received(data)

    def on_message_begin(self) -> None:
        self._is_between = False
        super().on_message_begin()

    def on_message_complete(self) -> None:
        self._is_between = True
        super().on_message_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that rests. Refusals only note when they were: a new clock for each costs as much as all
        the rest of it."""
        left = self._rests_from + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._rest(left)
        else:
            super().timeout_keep_alive_handler()

    def _rest(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _route_of(self, data: bytes) -> str | None:
        """The route, where this is one whole request that wants nothing unusual and nothing else is on its way."""
        route = self.starts.get(data[: data.find(b"\r\n")])
        if route is None or self.flow.write_paused or not (self.cycle is None or self.cycle.response_complete):
            return None
        end = data.find(b"\r\n\r\n")
        head = data[:end].lower()
        at = head.find(_LENGTH)
        length = head[at + len(_LENGTH) :].split(b"\r\n", 1)[0].strip() if at > 0 else b""
        is_whole = end > 0 and length.isdigit() and end + 4 + int(length) == len(data)
        is_usual = _UNUSUAL.search(head) is None and (_CONNECTION not in head or _KEPT in head)
        return route if is_whole and is_usual else None

    def _refuse(self, fact: Overloaded, route: str) -> None:
        status, (first, second, third) = _answer(fact)
        request_id = draw_id().encode()
        self.transport.write(b"".join((first, request_id, second, request_id, third)))
        self.server_state.total_requests += 1
        self._rests_from = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._rest(self.timeout_keep_alive)
        self.note(route, status)


_ANSWERS: dict[str, tuple[int, tuple[bytes, bytes, bytes]]] = {}


def _answer(fact: Overloaded) -> tuple[int, tuple[bytes, bytes, bytes]]:
    """The status and the whole answer around the two places of the id, which is all that differs among refusals."""
    found = _ANSWERS.get(fact.message)
    if found is None:
        told = fact_of(fact)
        body = orjson.dumps(told.body(_ID), default=str)
        headers: list[tuple[bytes, bytes]] = [
            *((name.lower().encode(), value.encode()) for name, value in told.headers.items()),
            (b"content-length", b"%d" % len(body)),
            (b"content-type", b"application/json"),
            (b"x-request-id", _ID.encode()),
            *SECURITY,
        ]
        lines = b"".join(b"%s: %s\r\n" % pair for pair in headers)
        start = b"HTTP/1.1 %d %s\r\n" % (told.status, HTTPStatus(told.status).phrase.encode())
        first, second, third = (start + lines + b"\r\n" + body).split(_ID.encode())
        found = _ANSWERS[fact.message] = told.status, (first, second, third)
    return found


def shed(app: Any) -> type[HttpToolsProtocol]:
    """The protocol for an API app, which `uvicorn.run(http=...)` takes."""
    wiring = app.state.wiring

    def note(route: str, status: int) -> None:
        wiring.measures.refused(route, status)
        wiring.log.refuse(status, 0.0)

    return shedding(app.lanes, lambda: wiring.answering.overload(_SHARE_OF_WAIT), note)
