"""Links to a demo of a version, or of two side by side, that work without a key until they expire.

A link may ask for a passphrase as well. Whoever gave it holds a ticket, so that the slow check is made once.
"""

import datetime as dt
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner import tables
from ner.database import utc_now
from ner.errors import InvalidInput, NoServingVersion, NotFound, NotSignedIn
from registry import audit
from registry.keys import fingerprint
from registry.passwords import hashed, is_right
from registry.rollout import current_rollout
from registry.versions import get_version

_TOKEN_BYTES = 24
_PURPOSE = "demo link"
_TICKET = "demo ticket"
_TICKET_HOURS = 12
_SHORTEST, _LONGEST = 8, 200
_ORIGIN = re.compile(r"https?://(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?::\d{1,5})?")
# Only whoever holds a link's whole token learns how it ended. What no token fits is one and the same to everybody.
_UNKNOWN = "No demo opens with this link; check that the whole of it was copied, or ask whoever sent it for a new one."
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
    passphrase: str | None = None,
    frame_origins: Sequence[str] = (),
    actor: str,
) -> tuple[Demo, str]:
    """Make a link and return it with its token, which is not kept. `version` None means the stable one of now;
    `frame_origins` are the sites whose pages may embed it.

    Raises NotFound for an unknown version, NoServingVersion when none is stable, InvalidInput for a passphrase or an
    origin that cannot be used.
    """
    chosen = version or current_rollout(connection).stable
    if chosen is None:
        raise NoServingVersion("No version is stable yet; name the version to show.")
    for name in filter(None, (chosen, compared_with)):
        get_version(connection, name)
    if passphrase is not None and not _SHORTEST <= len(passphrase) <= _LONGEST:
        raise InvalidInput(f"A passphrase has {_SHORTEST} to {_LONGEST} characters.")
    token, now = secrets.token_urlsafe(_TOKEN_BYTES), utc_now()
    row = {
        "token_hash": fingerprint(secret, _PURPOSE, token),
        "version": chosen,
        "compared_with": compared_with,
        "created_at": now,
        "created_by": actor,
        "expires_at": now + dt.timedelta(hours=hours),
        "passphrase_hash": hashed(passphrase) if passphrase is not None else None,
        "frame_origins": [_origin(origin) for origin in frame_origins] or None,
    }
    connection.execute(_demos.insert().values(**row))
    kept = ("version", "compared_with", "expires_at", "frame_origins")
    details = {name: row[name] for name in kept} | {"has_passphrase": passphrase is not None}
    audit.append(connection, actor=actor, action="demo.created", subject=str(row["token_hash"]), details=details)
    return _demo(_row(connection, str(row["token_hash"]))), token


def find_demo(connection: Connection, secret: bytes, token: str) -> Demo:
    """The demo that `token` opens. Raises NotSignedIn, with what happened and what to do, when it opens none now."""
    demo_id = fingerprint(secret, _PURPOSE, token)
    row = connection.execute(sa.select(_demos).where(_demos.c.token_hash == demo_id)).first()
    if row is None:
        raise NotSignedIn(_UNKNOWN)
    if row.revoked_at is not None:
        when = f"{row.revoked_at:%-d %B %Y, %H:%M} UTC"
        raise NotSignedIn(f"This demo was closed on {when}; ask whoever sent you the link whether there is another.")
    if row.expires_at <= utc_now():
        when = f"{row.expires_at:%-d %B %Y, %H:%M} UTC"
        raise NotSignedIn(f"This demo link expired on {when}; ask whoever sent it for a new one.")
    return _demo(row)


def enter(connection: Connection, secret: bytes, demo: Demo, passphrase: str | None) -> str:
    """A ticket for the questions of one visit. Raises NotSignedIn when the passphrase is not the demo's."""
    kept = _row(connection, demo.id).passphrase_hash
    if kept is not None and not is_right(kept, passphrase or ""):
        raise NotSignedIn("This is not the passphrase of this demo.")
    ends = int((utc_now() + dt.timedelta(hours=_TICKET_HOURS)).timestamp())
    return f"{ends}.{_seal(secret, demo.id, kept, ends)}"


def check_ticket(connection: Connection, secret: bytes, demo: Demo, ticket: str) -> None:
    """Raises NotSignedIn where a demo with a passphrase is asked without a ticket of its own that still holds."""
    kept = _row(connection, demo.id).passphrase_hash
    if kept is None:
        return
    ends, _, seal = ticket.partition(".")
    is_number = ends.isascii() and ends.isdigit() and len(ends) < 12
    is_ours = is_number and hmac.compare_digest(seal.encode(), _seal(secret, demo.id, kept, int(ends)).encode())
    if not is_ours or int(ends) < utc_now().timestamp():
        raise NotSignedIn("This demo asks for its passphrase first.")


def count_visit(connection: Connection, demo_id: str) -> None:
    """One opening of the page more."""
    connection.execute(_demos.update().where(_demos.c.token_hash == demo_id).values(visits=_demos.c.visits + 1))


def count_question(connection: Connection, demo_id: str) -> None:
    """One text more."""
    connection.execute(_demos.update().where(_demos.c.token_hash == demo_id).values(questions=_demos.c.questions + 1))


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


def _origin(origin: str) -> str:
    """An origin as browsers write it. Raises InvalidInput: what else it holds would be part of a header."""
    written = origin.strip().lower().rstrip("/")
    if not _ORIGIN.fullmatch(written):
        raise InvalidInput(f"'{origin}' is no site; write it like https://intranet.example.org.")
    return written


def _seal(secret: bytes, demo_id: str, kept: str | None, ends: int) -> str:
    return fingerprint(secret, _TICKET, f"{demo_id} {kept} {ends}")


def _row(connection: Connection, demo_id: str) -> sa.Row:  # type: ignore[type-arg]
    return connection.execute(sa.select(_demos).where(_demos.c.token_hash == demo_id)).one()


def _demo(row: sa.Row) -> Demo:  # type: ignore[type-arg]
    values = dict(row._mapping)
    has_passphrase = values.pop("passphrase_hash") is not None
    origins = values.pop("frame_origins") or []
    return Demo(id=values.pop("token_hash"), has_passphrase=has_passphrase, frame_origins=origins, **values)
