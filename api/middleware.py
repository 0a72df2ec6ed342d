"""The edge of every request: its id, the limit of its body, the headers of its answer, and its metrics.

One pure ASGI middleware; what is not the API's own path passes through untouched.
"""

from collections.abc import Callable, MutableMapping
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import BodyTooLarge, Fact, fact_noted, fact_of
from api.exchange import Exchange, begin
from api.express import Lanes
from api.measures import ANSWERING_ROUTES, Measures

Refused = Callable[[Exchange, int], None]
"""Takes note of a request for answers that got none, with its status."""

_FIRST_FAILURE = 400
_OWN_PATHS = ("/api/", "/v2", "/metrics", "/docs", "/openapi.json", "/sign-in")
SECURITY: list[tuple[bytes, bytes]] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]
_SECURED = frozenset(name for name, _ in SECURITY)


class Edge:
    """`body_bytes` limits every body but an import's, which `upload_bytes` limits."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        lanes: Lanes,
        measures: Measures,
        refused: Refused,
        body_bytes: int,
        upload_bytes: int,
    ) -> None:
        self._app = app
        self._lanes = lanes
        self._measures = measures
        self._refused = refused
        self._body_bytes = body_bytes
        self._upload_bytes = upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_OWN_PATHS):
            await self._app(scope, receive, send)
            return
        exchange = begin(scope)
        sender = _Sender(scope, send, exchange, self._measures, self._refused)
        limit = self._upload_bytes if scope["path"].endswith("/import") else self._body_bytes
        fact = _refusal(scope, limit)
        if fact is not None:
            await fact.response(exchange.request_id)(scope, receive, sender)
            return
        await self._answer(scope, receive if _is_measured(scope) else _limited(receive, limit), sender, exchange)

    async def _answer(self, scope: Scope, receive: Receive, sender: "_Sender", exchange: Exchange) -> None:
        lane = self._lanes.get((scope["method"], scope["path"]))
        try:
            await (self._app if lane is None else lane)(scope, receive, sender)
        except ClientDisconnect:
            return
        except Exception as error:
            fact = fact_noted(error, exchange.request_id)
            if sender.has_started:
                raise
            await fact.response(exchange.request_id)(scope, receive, sender)


class _Sender:
    """`send`, which adds the headers to the answer and measures it once its status is known."""

    def __init__(self, scope: Scope, send: Send, exchange: Exchange, measures: Measures, refused: Refused) -> None:
        self._scope = scope
        self._send = send
        self._exchange = exchange
        self._measures = measures
        self._refused = refused
        self.has_started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_started = True
            _add_headers(message, self._exchange)
            route = getattr(self._scope.get("route"), "path", "none")
            self._measures.request(route, message["status"], self._exchange)
            if message["status"] >= _FIRST_FAILURE and route in ANSWERING_ROUTES and not self._exchange.is_recorded:
                self._refused(self._exchange, message["status"])
        await self._send(message)


def _add_headers(message: MutableMapping[str, Any], exchange: Exchange) -> None:
    headers = list(message.get("headers", ()))
    present = {name.lower() for name, _ in headers}
    headers.append((b"x-request-id", exchange.request_id.encode()))
    headers.extend(SECURITY if present.isdisjoint(_SECURED) else (pair for pair in SECURITY if pair[0] not in present))
    budget = exchange.budget
    if budget is not None:
        headers.append((b"ratelimit-limit", b"%d" % budget.limit))
        headers.append((b"ratelimit-remaining", b"%d" % budget.remaining))
        headers.append((b"ratelimit-reset", b"%d" % budget.reset_seconds))
    message["headers"] = headers


def _refusal(scope: Scope, limit_bytes: int) -> Fact | None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > limit_bytes:
            return fact_of(BodyTooLarge(limit_bytes))
    if "\0" in scope["path"] or b"%00" in scope.get("query_string", b""):
        return Fact(422, "invalid_input", "An address cannot hold the character NUL.")
    return None


def _is_measured(scope: Scope) -> bool:
    """Whether the body is as long as its head says: the server reads no further, and `_refusal` saw the number."""
    names = {name for name, _ in scope["headers"]}
    return b"content-length" in names and b"transfer-encoding" not in names


def _limited(receive: Receive, limit_bytes: int) -> Receive:
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit_bytes:
            raise BodyTooLarge(limit_bytes)
        return message

    return counted
