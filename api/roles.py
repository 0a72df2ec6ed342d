"""What a route needs of its caller. A route that does not say so cannot be built: the default is to refuse."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Literal, TypeVar

import orjson
from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from api.deprecation import deprecation_of
from api.errors import UnstorableBody
from api.exchange import Caller, exchange_of
from api.wiring import Wiring
from ner.errors import NotAllowed, NotSignedIn
from ner.roles import Role, require_role

Access = Role | Literal["public"]
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
_ATTRIBUTE = "required_role"
# By the tag of a route; any other tag is a scope by its own name.
_SCOPES = {"answering": "predict", "open inference protocol": "predict", "health": "predict"}


def scope_of(route: APIRoute) -> str:
    """What a key with scopes has to have for this route."""
    tag = str(route.tags[0]) if route.tags else ""
    return _SCOPES.get(tag, tag)


def role(needed: Role) -> Callable[[Endpoint], Endpoint]:
    """Declare the least role that may call this route."""
    return _declare(needed)


def public(endpoint: Endpoint) -> Endpoint:
    """Declare that anybody may call this route."""
    return _declare("public")(endpoint)


def access_of(endpoint: Callable[..., Any]) -> Access | None:
    """What was declared for a route's function; None when nothing was."""
    return getattr(endpoint, _ATTRIBUTE, None)


def _declare(access: Access) -> Callable[[Endpoint], Endpoint]:
    def declare(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _ATTRIBUTE, access)
        return endpoint

    return declare


class StrictRequest(Request):
    """A request whose JSON is UTF-8 with real characters and finite numbers, and which a database can store."""

    async def body(self) -> bytes:
        """The whole body. Raises ClientDisconnect. The base class reads it as a stream of parts, which costs more."""
        if not hasattr(self, "_body"):
            parts = []
            while True:
                message = await self.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                parts.append(message.get("body", b""))
                if not message.get("more_body", False):
                    break
            self._body = b"".join(parts)
        return self._body

    async def json(self) -> Any:
        """The body, parsed. Raises orjson.JSONDecodeError, which FastAPI turns into a refusal, or UnstorableBody."""
        body = await self.body()
        parsed = orjson.loads(body)
        if b"\\u0000" in body and _holds_nul(parsed):
            raise UnstorableBody()
        return parsed


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(key) or _holds_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(_holds_nul(item) for item in value)


class GuardedRoute(APIRoute):
    """Lets a request in after its caller was recognised, holds the role, and has budget left."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        access = access_of(self.endpoint)
        if access is None:
            raise TypeError(f"{self.path} does not say which role may call it; decorate it with @role or @public.")
        answer = super().get_route_handler()
        scope, deprecation = scope_of(self), deprecation_of(self.endpoint)

        async def guarded(request: Request) -> Response:
            if access != "public":
                await let_in(request, access, scope)
            response = await answer(StrictRequest(request.scope, request.receive))
            if deprecation is not None:
                response.headers.update(deprecation.headers())
            return response

        return guarded


async def let_in(request: Request, needed: Role, scope: str) -> None:
    """Recognise the caller, and take one request from their budget. Raises NotSignedIn, NotAllowed, or RateLimited."""
    wiring: Wiring = request.app.state.wiring
    exchange = exchange_of(request.scope)
    caller = await wiring.callers.identify(request)
    exchange.caller = caller
    require_role(caller.role, needed)
    if caller.scopes is not None and scope not in caller.scopes:
        raise NotAllowed(f"This needs the scope '{scope}', which this key does not have.")
    limit = caller.rate_limit_per_hour or wiring.settings.role_rate_limits.get(caller.role)
    if limit is not None:
        exchange.budget = await wiring.rates.spend(caller.id, limit)
        wiring.rates.check(exchange.budget)


def guarded_router(**options: Any) -> APIRouter:
    """A router whose routes are all guarded."""
    return APIRouter(route_class=GuardedRoute, **options)


async def caller_of(request: Request) -> Caller:
    """The caller that the guard recognised."""
    caller = exchange_of(request.scope).caller
    if caller is None:
        raise NotSignedIn("This needs a caller.")
    return caller


async def wiring_of(request: Request) -> Wiring:
    """The parts of this app."""
    wiring: Wiring = request.app.state.wiring
    return wiring


Called = Annotated[Caller, Depends(caller_of)]
Wired = Annotated[Wiring, Depends(wiring_of)]
