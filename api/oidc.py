"""Signing in with an identity that an OpenID Connect provider vouches for.

A program hands in the provider's ID token and gets this API's own pair of tokens. A browser is sent to the provider
and comes back with a code; it gets the cookie that every other way of signing in gives. The person is found by their
verified e-mail address, and added where there is none.
"""

import asyncio
import datetime as dt
import secrets
from dataclasses import asdict

import jwt
from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from api import provider
from api.bodies import refusals
from api.links import address
from api.provider import Errand
from api.roles import Wired, guarded_router, public
from api.schemas.tokens import IdTokenRequest, Tokens
from api.tokens import check_attempt, open_tokens
from api.wiring import Wiring
from ner.database import utc_now
from ner.errors import NotFound, NotSignedIn
from registry.keys import create_user, find_user, fingerprint

_COOKIE, _PATH = "ner_errand", "/sign-in/provider"
_MINUTES = 10

router = guarded_router(tags=["people"])


@router.post("/api/v1/token/oidc", response_model=Tokens, responses=refusals(401, 404, 422))
@public
async def sign_in(body: IdTokenRequest, wiring: Wired) -> Tokens:
    """Tokens for the person whom the provider's ID token names."""
    _require_provider(wiring)

    def check() -> Tokens:
        name = provider.verified_name(wiring.settings, body.id_token)
        _welcome(wiring, name)
        return open_tokens(wiring, "user", name)

    return await asyncio.to_thread(check)


@router.get(_PATH, response_class=RedirectResponse, status_code=303, responses=refusals(401, 404, 422, 429))
@public
async def leave(request: Request, wiring: Wired) -> Response:
    """Send the browser to the provider. What must come back with it waits in a signed cookie, for ten minutes."""
    _require_provider(wiring)
    await check_attempt(request, wiring, "")
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    errand = Errand(state, nonce, verifier, address(request, f"{_PATH}/callback").rstrip("?"))
    response = RedirectResponse(await asyncio.to_thread(provider.way_to, wiring.settings, errand), status_code=303)
    claims = asdict(errand) | {"exp": utc_now() + dt.timedelta(minutes=_MINUTES)}
    response.set_cookie(
        _COOKIE,
        jwt.encode(claims, _key(wiring), algorithm="HS256"),
        max_age=60 * _MINUTES,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
        path=_PATH,
    )
    return response


@router.get(
    f"{_PATH}/callback", response_class=RedirectResponse, status_code=303, responses=refusals(401, 404, 422, 429)
)
@public
async def come_back(request: Request, wiring: Wired, state: str = "", code: str = "") -> Response:
    """The browser returns from the provider: it is signed in and sent to the workbench."""
    _require_provider(wiring)
    await check_attempt(request, wiring, "")
    errand = _errand(request, wiring)
    if not secrets.compare_digest(state.encode(), errand.state.encode()):
        raise NotSignedIn("This sign-in was started in another window; start again.")
    if not code:
        raise NotSignedIn("The provider did not let you in; start again, or ask whoever runs it.")
    name = await asyncio.to_thread(provider.redeem, wiring.settings, errand, code)
    await asyncio.to_thread(_welcome, wiring, name)
    response = RedirectResponse("/", status_code=303)
    response.delete_cookie(_COOKIE, path=_PATH, httponly=True, samesite="lax")
    wiring.callers.set_cookie(request, response, wiring.callers.session_of("user", name))
    return response


def _require_provider(wiring: Wiring) -> None:
    if not wiring.settings.oidc_issuer:
        raise NotFound("Signing in with OpenID Connect is not set up here: NER_OIDC_ISSUER is empty.")


def _errand(request: Request, wiring: Wiring) -> Errand:
    try:
        claims = jwt.decode(
            request.cookies.get(_COOKIE, ""), _key(wiring), algorithms=["HS256"], options={"require": ["exp"]}
        )
        return Errand(claims["state"], claims["nonce"], claims["verifier"], claims["redirect_uri"])
    except (jwt.PyJWTError, KeyError) as error:
        raise NotSignedIn("This sign-in took too long, or was started in another browser; start again.") from error


def _key(wiring: Wiring) -> str:
    return fingerprint(wiring.secret, "errand to a provider", "")


def _welcome(wiring: Wiring, name: str) -> None:
    """Add the person where they are new. Raises NotSignedIn for one who was disabled."""
    with wiring.database.transaction() as connection:
        user = find_user(connection, name)
        if user is None:
            user = create_user(connection, name, wiring.settings.oidc_role, actor=name)
        if user.disabled_at is not None:
            raise NotSignedIn(f"'{name}' may not sign in any more.")
    wiring.callers.forget()
