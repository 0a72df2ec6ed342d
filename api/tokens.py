"""Access tokens that are short, refresh tokens that rotate, and passwords. Attempts to sign in are counted."""

import asyncio

from fastapi import Request, Response

from api.bodies import refusals
from api.callers import AccountKind
from api.roles import Called, Wired, guarded_router, public, role
from api.schemas.tokens import PasswordRequest, RefreshRequest, TokenRequest, Tokens
from api.wiring import Wiring
from ner.errors import InvalidInput, NotAllowed, NotSignedIn
from registry import passwords, refresh_tokens
from registry.keys import get_user, prefix_of

REFRESH_DAYS = 30
# An hour, across all processes: by name and address together, by address alone, and by name from wherever.
_ATTEMPTS_BY_NAME = 10
_ATTEMPTS_BY_ADDRESS = 100
_ATTEMPTS_FROM_ANYWHERE = 100

router = guarded_router(prefix="/api/v1", tags=["people"])


@router.post("/token", response_model=Tokens, responses=refusals(401, 422, 429))
@public
async def sign_in(body: TokenRequest, request: Request, wiring: Wired) -> Tokens:
    """Tokens for a key, or for a name and its password."""
    if body.key is not None:
        await check_attempt(request, wiring, "")
        caller_key = body.key.strip()
        await wiring.callers.by_key(caller_key)
        return await asyncio.to_thread(open_tokens, wiring, "key", prefix_of(caller_key) or "")
    if body.name is None or body.password is None:
        raise InvalidInput("Send a 'key', or a 'name' and a 'password'.")
    name = await signed_in_by_password(request, wiring, body.name, body.password)
    return await asyncio.to_thread(open_tokens, wiring, "user", name)


@router.post("/token/refresh", response_model=Tokens, responses=refusals(401, 422))
@public
async def refresh(body: RefreshRequest, wiring: Wired) -> Tokens:
    """The next pair of tokens. A refresh token that comes twice ends all that came from the same sign-in."""
    rotated = await asyncio.to_thread(_rotate, wiring, body.refresh_token)
    kind: AccountKind = "key" if rotated.kind == "key" else "user"
    if not await wiring.callers.exists(kind, rotated.subject):
        raise NotSignedIn("This session has ended; sign in again.")
    return _pair(wiring, kind, rotated.subject, rotated.token)


@router.post("/token/revoke", status_code=204, responses=refusals(422))
@public
def revoke(body: RefreshRequest, wiring: Wired) -> Response:
    """End a refresh token and all that came from the same sign-in."""
    with wiring.database.transaction() as connection:
        refresh_tokens.close_family(connection, wiring.secret, body.refresh_token)
    return Response(status_code=204)


@router.put("/users/{name}/password", status_code=204, responses=refusals(401, 403, 404, 422))
@role("viewer")
def set_password(name: str, body: PasswordRequest, wiring: Wired, caller: Called) -> Response:
    """Set a person's password: their own, or anybody's for an administrator."""
    with wiring.database.transaction() as connection:
        if caller.role != "admin" and not (caller.id.startswith("user:") and caller.name == name):
            raise NotAllowed("Only an administrator sets the password of somebody else.")
        passwords.set_password(connection, get_user(connection, name), body.password, actor=caller.name)
    return Response(status_code=204)


async def signed_in_by_password(request: Request, wiring: Wiring, name: str, password: str) -> str:
    """The person's name. Raises NotSignedIn, or RateLimited after too many attempts."""
    await check_attempt(request, wiring, name)

    def check() -> bool:
        with wiring.database.reading() as connection:
            return passwords.user_by_password(connection, name, password) is not None

    if not await asyncio.to_thread(check):
        raise NotSignedIn("The name or the password is wrong.")
    return name


async def check_attempt(request: Request, wiring: Wiring, name: str) -> None:
    """Count an attempt to sign in. Raises RateLimited."""
    address = request.client.host if request.client is not None else ""
    wiring.rates.check(await wiring.rates.spend(f"sign-in:{address}", _ATTEMPTS_BY_ADDRESS))
    if name:
        wiring.rates.check(await wiring.rates.spend(f"sign-in:{address}:{name}", _ATTEMPTS_BY_NAME))
        # Who guesses may come from many addresses, or from one that lets them write any into their requests.
        wiring.rates.check(await wiring.rates.spend(f"sign-in name:{name}", _ATTEMPTS_FROM_ANYWHERE))


def open_tokens(wiring: Wiring, kind: AccountKind, subject: str) -> Tokens:
    """The first pair of tokens of a person (by name) or a key (by prefix) that was recognised."""
    with wiring.database.transaction() as connection:
        token = refresh_tokens.open_family(connection, wiring.secret, kind, subject, REFRESH_DAYS)
    return _pair(wiring, kind, subject, token)


def _rotate(wiring: Wiring, token: str) -> refresh_tokens.Rotated:
    with wiring.database.transaction() as connection:
        rotated = refresh_tokens.rotate(connection, wiring.secret, token, REFRESH_DAYS)
    if rotated is None:
        raise NotSignedIn("This refresh token was used already, was revoked, or has expired; sign in again.")
    return rotated


def _pair(wiring: Wiring, kind: AccountKind, subject: str, refresh_token: str) -> Tokens:
    seconds = wiring.settings.access_token_minutes * 60
    access = wiring.callers.session_of(kind, subject, seconds=seconds)
    return Tokens(access_token=access, refresh_token=refresh_token, expires_in=seconds)
