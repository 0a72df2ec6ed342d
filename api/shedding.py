"""Refusing at the socket: while more waits for a model than can be answered in time, a request costs next to nothing.

A refusal through the framework costs a sixth of an answer. At three times what a process can do, two refusals come with
each answer, and what they cost is taken from the answers. So requests for answers that arrive whole are refused before
they are parsed, in the very words that the long way would use; whatever is unusual about a request sends it that way.
"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.errors import Fact, fact_of
from api.exchange import Exchange
from api.express import Lanes
from api.middleware import SECURITY
from ner.errors import Overloaded

Note = Callable[[str, int, Exchange], None]
"""Takes note of a request that was refused: its route, its status, and what is known of it."""

_ID = "0" * 32
# Many arrive in one turn of the loop, before the first of them is counted as waiting. Refused here at half of the wait
# that is allowed, they seldom have to be refused further in, where it costs ten times as much.
_SHARE_OF_WAIT = 0.5
_LENGTH = b"\r\ncontent-length:"
# Headers that want more than a plain answer: another site's page, a connection that ends, a body that waits.
_UNUSUAL = (b"\r\norigin:", b"\r\nexpect:", b"\r\ntransfer-encoding:", b"\r\nupgrade:")
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

    def data_received(self, data: bytes) -> None:
        fact = self.overload()
        if fact is not None and self._is_between and (route := self._route_of(data)) is not None:
            self._refuse(fact_of(fact), route)
        else:
            super().data_received(data)

    def on_message_begin(self) -> None:
        self._is_between = False
        super().on_message_begin()

    def on_message_complete(self) -> None:
        self._is_between = True
        super().on_message_complete()

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
        is_unusual = any(name in head for name in _UNUSUAL) or (_CONNECTION in head and _KEPT not in head)
        return route if is_whole and not is_unusual else None

    def _refuse(self, fact: Fact, route: str) -> None:
        exchange = Exchange()
        self.transport.write(_answer(fact, exchange.request_id))
        self.server_state.total_requests += 1
        self._unset_keepalive_if_required()
        later = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        self.timeout_keep_alive_task = later
        self.note(route, fact.status, exchange)


_TEMPLATES: dict[tuple[int, str], tuple[bytes, bytes, bytes]] = {}


def _answer(fact: Fact, request_id: str) -> bytes:
    """The whole answer; all but the id is the same for each refusal of a kind."""
    found = _TEMPLATES.get((fact.status, fact.message))
    if found is None:
        body = orjson.dumps(fact.body(_ID), default=str)
        headers: list[tuple[bytes, bytes]] = [
            *((name.lower().encode(), value.encode()) for name, value in fact.headers.items()),
            (b"content-length", b"%d" % len(body)),
            (b"content-type", b"application/json"),
            (b"x-request-id", _ID.encode()),
            *SECURITY,
        ]
        lines = b"".join(b"%s: %s\r\n" % pair for pair in headers)
        first, second, third = (b"HTTP/1.1 503 Service Unavailable\r\n" + lines + b"\r\n" + body).split(_ID.encode())
        found = _TEMPLATES[(fact.status, fact.message)] = first, second, third
    first, second, third = found
    drawn = request_id.encode()
    return b"".join((first, drawn, second, drawn, third))


def shed(app: Any) -> type[HttpToolsProtocol]:
    """The protocol for an API app, which `uvicorn.run(http=...)` takes."""
    wiring = app.state.wiring

    def note(route: str, status: int, exchange: Exchange) -> None:
        wiring.measures.request(route, status, exchange)
        wiring.records.refused(exchange, status)

    return shedding(app.lanes, lambda: wiring.answering.overload(_SHARE_OF_WAIT), note)
