"""Who may call: API keys, people, and the links that sign them in once.

Of a key or a link only an HMAC is stored: whoever reads the database can neither use them nor guess them offline.
Every change here writes its audit entry in the caller's transaction.
"""

import datetime as dt
import hmac
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner import tables
from ner.database import utc_now
from ner.errors import Conflict, InvalidInput, NotFound, NotSignedIn
from ner.roles import Role, as_role
from registry import audit
from registry.macs import Mac

PREFIX_CHARACTERS = 8
API_KEY = "api key"
_OPENING = "ner"
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """An API key as it is stored. `rate_limit_per_hour` None means no limit."""

    id: str
    name: str
    prefix: str
    secret_hash: str
    role: Role
    rate_limit_per_hour: int | None
    created_at: dt.datetime
    created_by: str
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None
    scopes: list[str] | None = None

    def is_valid(self, now: dt.datetime) -> bool:
        """Whether the key is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class User:
    """A person who signs in by a link."""

    id: str
    name: str
    role: Role
    created_at: dt.datetime
    disabled_at: dt.datetime | None


def derived_key(secret: bytes, purpose: str) -> bytes:
    """32 bytes for one purpose, so that what is made for one can never be used for another."""
    return hmac.digest(secret, purpose.encode(), "sha256")


def fingerprint(secret: bytes, purpose: str, value: str) -> str:
    """What is stored of a secret value: HMAC-SHA256 as 64 hexadecimal digits."""
    return mac_fingerprint(Mac(derived_key(secret, purpose)), value)


def mac_fingerprint(mac: Mac, value: str) -> str:
    """The same by a MAC that was prepared before, for those who compare often."""
    return mac.digest(value.encode("utf-8", "surrogatepass")).hex()


# --- keys ---------------------------------------------------------------------------------------------------------


def create_key(
    connection: Connection,
    secret: bytes,
    name: str,
    role: Role,
    *,
    rate_limit_per_hour: int | None,
    days: int | None = None,
    scopes: Sequence[str] | None = None,
    created_by: str,
) -> tuple[str, str]:
    """Make a key and return `(id, key)`; the key itself is not kept. `days` None means it never expires,
    `scopes` None that it may do everything its role may.
    """
    key_id, prefix = uuid.uuid4().hex, secrets.token_hex(PREFIX_CHARACTERS // 2)
    key = f"{_OPENING}_{prefix}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    now = utc_now()
    expires_at = now + dt.timedelta(days=days) if days is not None else None
    connection.execute(
        tables.api_keys.insert().values(
            id=key_id,
            name=name,
            prefix=prefix,
            secret_hash=fingerprint(secret, API_KEY, key),
            role=role,
            rate_limit_per_hour=rate_limit_per_hour,
            created_at=now,
            created_by=created_by,
            expires_at=expires_at,
            scopes=list(scopes) if scopes is not None else None,
        )
    )
    details = {
        "name": name,
        "role": role,
        "rate_limit_per_hour": rate_limit_per_hour,
        "expires_at": expires_at,
        "scopes": scopes,
    }
    audit.append(connection, actor=created_by, action="key.created", subject=key_id, details=details)
    return key_id, key


def prefix_of(key: str) -> str | None:
    """The public part of a key, or None where it does not look like a key."""
    opening, _, rest = key.partition("_")
    prefix, _, hidden = rest.partition("_")
    is_key = opening == _OPENING and len(prefix) == PREFIX_CHARACTERS and hidden
    return prefix if is_key else None


def is_secret_of(record: KeyRecord, secret: bytes, key: str) -> bool:
    """Whether `key` is the one that `record` was made for, compared in constant time."""
    return hmac.compare_digest(record.secret_hash, fingerprint(secret, API_KEY, key))


def key_by_prefix(connection: Connection, prefix: str) -> KeyRecord | None:
    """The key with that public part, valid or not."""
    row = connection.execute(sa.select(tables.api_keys).where(tables.api_keys.c.prefix == prefix)).mappings().first()
    return KeyRecord(**row) if row is not None else None


def find_key(connection: Connection, secret: bytes, key: str) -> KeyRecord | None:
    """The record of a key that is right, not revoked and not expired; else None."""
    prefix = prefix_of(key)
    record = key_by_prefix(connection, prefix) if prefix is not None else None
    if record is None or not is_secret_of(record, secret, key) or not record.is_valid(utc_now()):
        return None
    return record


def revoke_key(connection: Connection, key_id: str, *, actor: str) -> None:
    """End a key; every process follows within five seconds. Doing it twice changes nothing. Raises NotFound."""
    if connection.scalar(sa.select(tables.api_keys.c.id).where(tables.api_keys.c.id == key_id)) is None:
        raise NotFound(f"There is no key '{key_id}'.")
    changed = connection.execute(
        tables.api_keys.update()
        .where(tables.api_keys.c.id == key_id, tables.api_keys.c.revoked_at.is_(None))
        .values(revoked_at=utc_now())
    )
    if changed.rowcount:
        audit.append(connection, actor=actor, action="key.revoked", subject=key_id)


def list_keys(connection: Connection) -> list[KeyRecord]:
    """Every key, newest first."""
    rows = connection.execute(sa.select(tables.api_keys).order_by(tables.api_keys.c.created_at.desc())).mappings()
    return [KeyRecord(**row) for row in rows]


# --- people -------------------------------------------------------------------------------------------------------


def create_user(connection: Connection, name: str, role: Role, *, actor: str) -> User:
    """Add a person. Raises Conflict when the name is taken, InvalidInput when it is blank."""
    if not name.strip():
        raise InvalidInput("A person needs a name.")
    if find_user(connection, name) is not None:
        raise Conflict(f"There is a person called '{name}' already; choose another name.")
    user = User(uuid.uuid4().hex, name, role, utc_now(), None)
    connection.execute(
        tables.users.insert().values(id=user.id, name=user.name, role=user.role, created_at=user.created_at)
    )
    audit.append(connection, actor=actor, action="user.created", subject=name, details={"role": role})
    return user


def get_user(connection: Connection, name: str) -> User:
    """Raises NotFound."""
    user = find_user(connection, name)
    if user is None:
        raise NotFound(f"There is no person called '{name}'.")
    return user


def list_users(connection: Connection) -> list[User]:
    """Everybody, by name."""
    rows = connection.execute(sa.select(tables.users).order_by(tables.users.c.name)).mappings()
    return [User(**row) for row in rows]


def find_user(connection: Connection, name: str) -> User | None:
    """The person of that name, or None."""
    row = connection.execute(sa.select(tables.users).where(tables.users.c.name == name)).mappings().first()
    return User(**row) if row is not None else None


# --- links --------------------------------------------------------------------------------------------------------


def create_sign_in_link(
    connection: Connection, secret: bytes, user_name: str, role: str, minutes: float, *, created_by: str = "system"
) -> str:
    """The token of a link that signs `user_name` in once, within `minutes`.

    A person who is not there yet is added, with `role`, when the link is used. Raises Conflict when the person is
    there with another role: a link cannot change what somebody may do.
    """
    user = find_user(connection, user_name)
    if user is not None and user.role != role:
        raise Conflict(f"'{user_name}' is a '{user.role}' already; a link cannot sign them in as '{role}'.")
    token = secrets.token_urlsafe(_SECRET_BYTES)
    now = utc_now()
    connection.execute(
        tables.sign_in_links.insert().values(
            token_hash=fingerprint(secret, "sign-in link", token),
            user_name=user_name,
            role=as_role(role),
            created_at=now,
            expires_at=now + dt.timedelta(minutes=minutes),
        )
    )
    details = {"role": role, "minutes": minutes}
    audit.append(connection, actor=created_by, action="sign_in_link.created", subject=user_name, details=details)
    return token


def use_sign_in_link(connection: Connection, secret: bytes, token: str) -> User:
    """The person whom the link signs in; of two callers with one token, one succeeds.

    Raises NotSignedIn when the link is wrong, used, expired, or its person is disabled.
    """
    links = tables.sign_in_links.c
    token_hash = fingerprint(secret, "sign-in link", token)
    now = utc_now()
    taken = connection.execute(
        tables.sign_in_links.update()
        .where(links.token_hash == token_hash, links.used_at.is_(None), links.expires_at > now)
        .values(used_at=now)
    )
    if taken.rowcount != 1:
        raise NotSignedIn("This sign-in link was used already or has expired; ask for a new one.")
    link = connection.execute(sa.select(tables.sign_in_links).where(links.token_hash == token_hash)).one()
    user = find_user(connection, link.user_name)
    if user is None:
        user = create_user(connection, link.user_name, as_role(link.role), actor=link.user_name)
    if user.disabled_at is not None:
        raise NotSignedIn(f"'{user.name}' may not sign in any more.")
    audit.append(connection, actor=user.name, action="session.opened", subject=user.name)
    return user
