"""Refresh tokens: each works once and is replaced by the next of its family.

A token that comes a second time was copied by somebody: the whole family ends.
"""

import datetime as dt
import secrets
import uuid
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner import tables
from ner.database import utc_now
from registry import audit
from registry.keys import fingerprint

_PURPOSE = "refresh token"
_BYTES = 32
_tokens = tables.refresh_tokens


@dataclass(frozen=True, slots=True)
class Rotated:
    """Whose token it was, and the next one."""

    kind: str
    subject: str
    token: str


def open_family(connection: Connection, secret: bytes, kind: str, subject: str, days: float) -> str:
    """The first token of a new family, for a person (kind "user", by name) or a key ("key", by prefix)."""
    audit.append(connection, actor=subject, action="tokens.opened", subject=subject, details={"kind": kind})
    return _insert(connection, secret, uuid.uuid4().hex, kind, subject, days)


def rotate(connection: Connection, secret: bytes, token: str, days: float) -> Rotated | None:
    """Use a token: the next of its family, or None where it is wrong, expired, revoked or used.

    The caller has to commit what this writes in either case.
    """
    now = utc_now()
    token_hash = fingerprint(secret, _PURPOSE, token)
    row = connection.execute(sa.select(_tokens).where(_tokens.c.token_hash == token_hash)).first()
    if row is None:
        return None
    fresh = (_tokens.c.used_at.is_(None), _tokens.c.revoked_at.is_(None), _tokens.c.expires_at > now)
    taken = connection.execute(
        _tokens.update().where(_tokens.c.token_hash == token_hash, *fresh).values(used_at=now)
    ).rowcount
    if taken != 1:
        if row.used_at is not None:
            _revoke(connection, row.family)
            audit.append(connection, actor=row.subject, action="tokens.reused", subject=row.subject)
        return None
    return Rotated(row.kind, row.subject, _insert(connection, secret, row.family, row.kind, row.subject, days))


def close_family(connection: Connection, secret: bytes, token: str) -> None:
    """End every token of the family that `token` belongs to. A token that is not known changes nothing."""
    token_hash = fingerprint(secret, _PURPOSE, token)
    family = connection.scalar(sa.select(_tokens.c.family).where(_tokens.c.token_hash == token_hash))
    if family is not None:
        _revoke(connection, family)


def _revoke(connection: Connection, family: str) -> None:
    is_open = (_tokens.c.family == family, _tokens.c.revoked_at.is_(None))
    connection.execute(_tokens.update().where(*is_open).values(revoked_at=utc_now()))


def _insert(connection: Connection, secret: bytes, family: str, kind: str, subject: str, days: float) -> str:
    token = secrets.token_urlsafe(_BYTES)
    now = utc_now()
    connection.execute(
        _tokens.insert().values(
            token_hash=fingerprint(secret, _PURPOSE, token),
            family=family,
            kind=kind,
            subject=subject,
            created_at=now,
            expires_at=now + dt.timedelta(days=days),
        )
    )
    return token
