"""Signing in and out of the browser."""

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from api.bodies import refusals
from api.callers import COOKIE
from api.roles import Called, Wired, guarded_router, public, role
from api.schemas import SessionRequest, SessionShape
from api.tokens import check_attempt
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
    """Sign the browser in with an API key; the session ends with the key."""
    await check_attempt(request, wiring, "")
    key = body.key.strip()
    caller = await wiring.callers.by_key(key)
    wiring.callers.set_cookie(request, response, wiring.callers.session_of("key", prefix_of(key) or ""))
    return SessionShape(name=caller.name, role=caller.role)


@router.get("/api/v1/session", response_model=SessionShape, responses=refusals(401, 403, 422))
@role("viewer")
def show(caller: Called, at_least: Role = "viewer") -> SessionShape:
    """Who this caller is; refused where they do not hold the role `at_least`, which is what a gateway asks."""
    require_role(caller.role, at_least)
    return SessionShape(name=caller.name, role=caller.role)


@router.delete("/api/v1/session", status_code=204)
@public
def close_session() -> Response:
    """Sign the browser out."""
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
    return response
