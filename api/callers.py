"""Who is calling: an API key, a session as a bearer token, or a session in the browser's cookie.

What the database says about a key or a person is remembered for `FRESH_SECONDS`, so that the hot path does no SQL and
a revoked key is refused everywhere within five seconds.
"""

import asyncio
import datetime as dt
import hmac
import logging
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import jwt
import sqlalchemy as sa
from fastapi import Request, Response

from api.exchange import Caller
from ner.database import Database, utc_now
from ner.errors import NotAllowed, NotSignedIn
from registry.keys import API_KEY, derived_key, find_user, key_by_prefix, mac_fingerprint, prefix_of
from registry.macs import Mac

FRESH_SECONDS = 2.0
# While the database does not answer, what was known of a caller holds a little longer.
_STALE_SECONDS = 300.0
_REST_SECONDS = 1.0
COOKIE = "ner_session"
WRITE_HEADER = (b"x-requested-with", b"workbench")
_REMEMBERED = 10_000
_AUDIENCE = "ner-workbench"
_ALGORITHM = "HS256"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_SIGN_IN_FIRST = "Send an API key in X-API-Key or Authorization: Bearer, or sign in to the workbench."
_WRONG_KEY = "This API key is wrong, expired or revoked; ask an administrator for a new one."
_ENDED = "This session has ended; sign in again."
_LOG = logging.getLogger(__name__)

AccountKind = Literal["key", "user"]


@dataclass(frozen=True, slots=True)
class Account:
    """What the database says about a key or a person."""

    caller: Caller
    secret_hash: str
    expires_at: dt.datetime | None

    def is_valid(self, now: dt.datetime) -> bool:
        """Whether the key has not expired yet."""
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True)
class _Remembered:
    account: Account | None
    at: float


class Callers:
    """Turns a request into its caller. `hours` is the length of a session.

    The first of `secrets`, the installation's, signs sessions; an API key holds that was made under any of them.
    """

    def __init__(self, database: Database, secrets: Sequence[bytes], hours: float) -> None:
        self._database = database
        self._session_key = derived_key(secrets[0], "session")
        self._macs_of_keys = [Mac(derived_key(secret, API_KEY)) for secret in secrets]
        self._lifetime = dt.timedelta(hours=hours)
        self._known: OrderedDict[tuple[AccountKind, str], _Remembered] = OrderedDict()
        self._proven: OrderedDict[str, str] = OrderedDict()
        self._running: dict[tuple[AccountKind, str], asyncio.Future[Account | None]] = {}
        self._resting_until = 0.0
        # Threads of its own: long work of other routes must not keep anybody from being recognised.
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="callers")

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()

    async def identify(self, request: Request) -> Caller:
        """The caller of a request. Raises NotSignedIn, or NotAllowed for a write by cookie without its header."""
        # Starlette's own look-ups decode every header each time.
        headers: dict[bytes, bytes] = dict(request.scope["headers"])
        bearer = headers.get(b"authorization", b"")
        sent = headers.get(b"x-api-key") or (bearer[7:].strip() if bearer[:7].lower() == b"bearer " else b"")
        key = sent.decode("latin-1")
        if key:
            return await (self.by_session(key) if prefix_of(key) is None and key.count(".") == 2 else self.by_key(key))
        token = request.cookies.get(COOKIE)
        if token is None:
            raise NotSignedIn(_SIGN_IN_FIRST)
        if request.method not in _SAFE_METHODS and headers.get(WRITE_HEADER[0]) != WRITE_HEADER[1]:
            raise NotAllowed("A write with the session cookie needs the header X-Requested-With: workbench.")
        return await self.by_session(token)

    async def by_key(self, key: str) -> Caller:
        """The caller who holds `key`. Raises NotSignedIn."""
        prefix = prefix_of(key)
        account = await self._account("key", prefix) if prefix is not None else None
        if account is None or not account.is_valid(utc_now()):
            raise NotSignedIn(_WRONG_KEY)
        if not self._holds(key, account.secret_hash):
            raise NotSignedIn(_WRONG_KEY)
        return account.caller

    def _holds(self, key: str, kept: str) -> bool:
        """Whether a key is the one of which `kept` is stored. The answer is remembered for the keys used last, each
        beside what it was compared with, so that a key that is made anew is compared anew."""
        if self._proven.get(key) == kept:
            return True
        if not any(hmac.compare_digest(kept, mac_fingerprint(mac, key)) for mac in self._macs_of_keys):
            return False
        self._proven[key] = kept
        if len(self._proven) > _REMEMBERED:
            self._proven.popitem(last=False)
        return True

    async def by_session(self, token: str) -> Caller:
        """The caller whose session `token` is. Raises NotSignedIn."""
        try:
            claims = jwt.decode(
                token,
                self._session_key,
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                issuer=_AUDIENCE,
                options={"require": ["exp", "iat", "aud", "iss", "sub"]},
            )
        except (jwt.InvalidTokenError, UnicodeError) as error:
            raise NotSignedIn(_ENDED) from error
        account = await self._account("key" if claims.get("kind") == "key" else "user", str(claims["sub"]))
        if account is None or not account.is_valid(utc_now()):
            raise NotSignedIn(_ENDED)
        return account.caller

    async def exists(self, kind: AccountKind, name: str) -> bool:
        """Whether the person or the key may still call."""
        account = await self._account(kind, name)
        return account is not None and account.is_valid(utc_now())

    def session_of(self, kind: AccountKind, name: str, *, seconds: float | None = None) -> str:
        """A new session token for a person (by name) or a key (by prefix)."""
        now = utc_now()
        lifetime = self._lifetime if seconds is None else dt.timedelta(seconds=seconds)
        claims = {"sub": name, "kind": kind, "iat": now, "exp": now + lifetime}
        return jwt.encode(claims | {"aud": _AUDIENCE, "iss": _AUDIENCE}, self._session_key, algorithm=_ALGORITHM)

    def set_cookie(self, request: Request, response: Response, token: str) -> None:
        """Keep a session in the browser: not readable by scripts, not sent along from other sites."""
        response.set_cookie(
            COOKIE,
            token,
            max_age=int(self._lifetime.total_seconds()),
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
            path="/",
        )

    def forget(self) -> None:
        """Ask the database anew about everybody; called after a change made through this process."""
        self._known.clear()

    async def _account(self, kind: AccountKind, name: str) -> Account | None:
        known = self._known.get((kind, name))
        now = time.monotonic()
        if known is not None and now - known.at < FRESH_SECONDS:
            return known.account
        is_known = known is not None and known.account is not None and now - known.at < _STALE_SECONDS
        if known is not None and is_known and now < self._resting_until:
            return known.account
        try:
            account = await self._asked(kind, name)
        except sa.exc.SQLAlchemyError:
            if known is None or not is_known:
                raise
            self._resting_until = now + _REST_SECONDS
            _LOG.error("The database does not answer; callers are let in by what was known of them.")
            return known.account
        self._known[(kind, name)] = _Remembered(account, now)
        self._known.move_to_end((kind, name))
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return account

    async def _asked(self, kind: AccountKind, name: str) -> Account | None:
        """What the database says; everybody who wants to know the same at the same time asks once together."""
        running = self._running.get((kind, name))
        if running is None:
            running = asyncio.get_running_loop().run_in_executor(self._threads, self._read, kind, name)
            self._running[kind, name] = running
            running.add_done_callback(lambda _: self._running.pop((kind, name), None))
        return await asyncio.shield(running)

    def _read(self, kind: AccountKind, name: str) -> Account | None:
        with self._database.reading() as connection:
            return _key_account(connection, name) if kind == "key" else _user_account(connection, name)


def _key_account(connection: sa.Connection, prefix: str) -> Account | None:
    record = key_by_prefix(connection, prefix)
    if record is None or not record.is_valid(utc_now()):
        return None
    scopes = frozenset(record.scopes) if record.scopes is not None else None
    caller = Caller(record.id, record.name, record.role, record.rate_limit_per_hour, scopes)
    return Account(caller, record.secret_hash, record.expires_at)


def _user_account(connection: sa.Connection, name: str) -> Account | None:
    user = find_user(connection, name)
    if user is None or user.disabled_at is not None:
        return None
    return Account(Caller(f"user:{user.id}", user.name, user.role, None), "", None)
