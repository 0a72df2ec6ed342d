"""Signing in and out of the browser."""

from typing import Literal

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from api.bodies import refusals
from api.callers import COOKIE
from api.exchange import Caller
from api.roles import Called, Wired, guarded_router, public, role
from api.schemas import SessionRequest, SessionShape, SignInWays
from api.tokens import check_attempt, signed_in_by_password
from api.wiring import Wiring
from ner.errors import InvalidInput
from ner.roles import Role, require_role
from registry.keys import prefix_of, use_sign_in_link

router = guarded_router(tags=["people"])


@router.get("/sign-in", response_class=RedirectResponse, status_code=303, responses=refusals(401, 422))
@public
def sign_in(token: str, request: Request, wiring: Wired) -> Response:
    """Use a one-time link: the browser is signed in and sent to the workbench."""
    with wiring.database.transaction() as connection:
        user = use_sign_in_link(connection, wiring.secret, token)
    wiring.callers.forget()
    response = RedirectResponse("/", status_code=303)
    wiring.callers.set_cookie(request, response, wiring.callers.session_of("user", user.name))
    return response


@router.post("/api/v1/session", response_model=SessionShape, responses=refusals(401, 422, 429))
@public
async def open_session(body: SessionRequest, request: Request, response: Response, wiring: Wired) -> SessionShape:
    """Sign the browser in with an API key (the session ends with the key), or with a name and its password."""
    token = await _session_of(body, request, wiring)
    caller = await wiring.callers.by_session(token)
    wiring.callers.set_cookie(request, response, token)
    return _shape(caller)


def _shape(caller: Caller) -> SessionShape:
    kind: Literal["person", "key"] = "person" if caller.id.startswith("user:") else "key"
    return SessionShape(name=caller.name, role=caller.role, kind=kind)


async def _session_of(body: SessionRequest, request: Request, wiring: Wiring) -> str:
    if body.key is not None:
        await check_attempt(request, wiring, "")
        key = body.key.strip()
        await wiring.callers.by_key(key)
        return wiring.callers.session_of("key", prefix_of(key) or "")
    if body.name is None or body.password is None:
        raise InvalidInput("Send a 'key', or a 'name' and a 'password'.")
    return wiring.callers.session_of("user", await signed_in_by_password(request, wiring, body.name, body.password))


@router.get("/api/v1/sign-in", response_model=SignInWays)
@public
def ways(wiring: Wired) -> SignInWays:
    """What the sign-in page offers."""
    return SignInWays(provider=wiring.settings.oidc_name if wiring.settings.oidc_issuer else None)


@router.get("/api/v1/session", response_model=SessionShape, responses=refusals(401, 403, 422))
@role("viewer")
def show(caller: Called, at_least: Role = "viewer") -> SessionShape:
    """Who this caller is; refused where they do not hold the role `at_least`, which is what a gateway asks."""
    require_role(caller.role, at_least)
    return _shape(caller)


@router.delete("/api/v1/session", status_code=204)
@public
def close_session() -> Response:
    """Sign the browser out."""
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
    return response
