"""The express lane: hot routes, found by their exact address and answered without the framework's detour.

They are routes of the app like all others, with the same function, guard and documentation; this is only the short
way to them. A request that does not fit exactly takes the long way.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from api.roles import Access, Endpoint, StrictRequest, access_of, let_in, scope_of

_ATTRIBUTE = "takes_express_lane"


def express(*, asks_model: bool) -> Callable[[Endpoint], Endpoint]:
    """Declare that a route's function takes the bare request, returns a Response, and is worth the short way.

    One that `asks_model` is refused at the door, before anything is read, while the model has too much to do.
    """

    def declare(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _ATTRIBUTE, asks_model)
        return endpoint

    return declare


@dataclass(frozen=True, slots=True)
class Lane:
    """The short way to one route."""

    route: APIRoute
    access: Access
    scope: str
    asks_model: bool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self.route
        request = StrictRequest(scope, receive)
        if self.asks_model:
            request.app.state.wiring.answering.check_load()
        if self.access != "public":
            await let_in(request, self.access, self.scope)
        response = await self.route.endpoint(request)
        await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
        await send({"type": "http.response.body", "body": response.body})


Lanes = Mapping[tuple[str, str], Lane]
"""By method and path."""


def lanes_of(routes: Iterable[BaseRoute]) -> dict[tuple[str, str], Lane]:
    """The lanes of all routes whose functions are declared for them."""
    lanes = {}
    for route in routes:
        asks_model = getattr(getattr(route, "endpoint", None), _ATTRIBUTE, None)
        if isinstance(route, APIRoute) and asks_model is not None:
            access = access_of(route.endpoint)
            assert access is not None
            lanes.update(
                {
                    (method, route.path): Lane(route, access, scope_of(route), asks_model)
                    for method in route.methods or ()
                }
            )
    return lanes
