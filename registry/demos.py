"""Links to a demo of a version, or of two side by side, that work without a key until they expire."""

import datetime as dt
import secrets
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner import tables
from ner.database import utc_now
from ner.errors import NoServingVersion, NotFound, NotSignedIn
from registry import audit
from registry.keys import fingerprint
from registry.rollout import current_rollout
from registry.versions import get_version

_TOKEN_BYTES = 24
_PURPOSE = "demo link"
_demos = tables.demos


@dataclass(frozen=True, slots=True)
class Demo:
    """A link as it is stored; its id is the HMAC of its token."""

    id: str
    version: str
    compared_with: str | None
    created_at: dt.datetime
    created_by: str
    expires_at: dt.datetime
    revoked_at: dt.datetime | None
    visits: int
    questions: int
    has_passphrase: bool
    frame_origins: list[str]


def create_demo(
    connection: Connection,
    secret: bytes,
    *,
    version: str | None,
    compared_with: str | None,
    hours: float,
    actor: str,
) -> tuple[Demo, str]:
    """Make a link and return it with its token, which is not kept. `version` None means the stable one of now.

    Raises NotFound for an unknown version, NoServingVersion when none is stable.
    """
    chosen = version or current_rollout(connection).stable
    if chosen is None:
        raise NoServingVersion("No version is stable yet; name the version to show.")
    for name in filter(None, (chosen, compared_with)):
        get_version(connection, name)
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    now = utc_now()
    expires_at = now + dt.timedelta(hours=hours)
    demo = Demo(
        fingerprint(secret, _PURPOSE, token), chosen, compared_with, now, actor, expires_at, None, 0, 0, False, []
    )
    connection.execute(
        _demos.insert().values(
            token_hash=demo.id,
            version=chosen,
            compared_with=compared_with,
            created_at=now,
            created_by=actor,
            expires_at=expires_at,
        )
    )
    details = {"version": chosen, "compared_with": compared_with, "expires_at": expires_at}
    audit.append(connection, actor=actor, action="demo.created", subject=demo.id, details=details)
    return demo, token


def visit_demo(connection: Connection, secret: bytes, token: str) -> Demo:
    """The demo that `token` opens, with one visit more. Raises NotSignedIn when the link does not work any more."""
    demo_id = fingerprint(secret, _PURPOSE, token)
    visited = connection.execute(
        _demos.update()
        .where(_demos.c.token_hash == demo_id, _demos.c.revoked_at.is_(None), _demos.c.expires_at > utc_now())
        .values(visits=_demos.c.visits + 1)
    )
    if visited.rowcount != 1:
        raise NotSignedIn("This demo link has ended; ask whoever sent it for a new one.")
    return _demo(connection.execute(sa.select(_demos).where(_demos.c.token_hash == demo_id)).one())


def list_demos(connection: Connection) -> list[Demo]:
    """Every link, newest first."""
    return [_demo(row) for row in connection.execute(sa.select(_demos).order_by(_demos.c.created_at.desc()))]


def revoke_demo(connection: Connection, demo_id: str, *, actor: str) -> None:
    """End a link at once. Doing it twice changes nothing. Raises NotFound."""
    if connection.scalar(sa.select(_demos.c.token_hash).where(_demos.c.token_hash == demo_id)) is None:
        raise NotFound(f"There is no demo '{demo_id}'.")
    changed = connection.execute(
        _demos.update()
        .where(_demos.c.token_hash == demo_id, _demos.c.revoked_at.is_(None))
        .values(revoked_at=utc_now())
    )
    if changed.rowcount:
        audit.append(connection, actor=actor, action="demo.revoked", subject=demo_id)


def _demo(row: sa.Row) -> Demo:  # type: ignore[type-arg]
    values = dict(row._mapping)
    has_passphrase = values.pop("passphrase_hash") is not None
    origins = values.pop("frame_origins") or []
    return Demo(id=values.pop("token_hash"), has_passphrase=has_passphrase, frame_origins=origins, **values)
