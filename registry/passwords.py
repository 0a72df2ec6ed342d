"""Passwords of people: Argon2id, with the parameters of RFC 9106 for where memory is scarce."""

import base64
import os

import argon2
import argon2.low_level
import sqlalchemy as sa
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlalchemy.engine import Connection

from ner import tables
from ner.database import utc_now
from ner.errors import InvalidInput
from registry import audit
from registry.keys import User, find_user

SHORTEST = 12
_LONGEST = 200
_HASHER = argon2.PasswordHasher.from_parameters(argon2.profiles.RFC_9106_LOW_MEMORY)


def _of_nobody() -> str:
    """What no password gives: random bytes in the place of a hash, which would take a quarter of a second to make."""
    salt, digest = (
        base64.b64encode(os.urandom(length)).decode().rstrip("=") for length in (_HASHER.salt_len, _HASHER.hash_len)
    )
    cost = f"m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}"
    return f"$argon2id$v={argon2.low_level.ARGON2_VERSION}${cost}${salt}${digest}"


# Verified where there is no such person or no password, so that both take the same time.
_NOBODY = _of_nobody()


def set_password(connection: Connection, user: User, password: str, *, actor: str) -> None:
    """Replace the person's password. Raises InvalidInput when it is too short or too long."""
    if not SHORTEST <= len(password) <= _LONGEST:
        raise InvalidInput(f"A password has {SHORTEST} to {_LONGEST} characters.")
    connection.execute(tables.passwords.delete().where(tables.passwords.c.user_id == user.id))
    connection.execute(tables.passwords.insert().values(user_id=user.id, hash=hashed(password), changed_at=utc_now()))
    audit.append(connection, actor=actor, action="password.changed", subject=user.name)


def user_by_password(connection: Connection, name: str, password: str) -> User | None:
    """The person of that name if the password is theirs and they are not disabled; takes a while on purpose."""
    user = find_user(connection, name)
    passwords = tables.passwords.c
    kept = user and connection.scalar(sa.select(passwords.hash).where(passwords.user_id == user.id))
    is_theirs = is_right(kept or _NOBODY, password)
    return user if user is not None and kept and is_theirs and user.disabled_at is None else None


def hashed(password: str) -> str:
    """What is stored of a password: Argon2id with its parameters and salt."""
    return _HASHER.hash(password.encode("utf-8", "surrogatepass"))


def is_right(kept: str, password: str) -> bool:
    """Whether `password` is the one that `kept` was made of; takes a while on purpose."""
    try:
        return _HASHER.verify(kept, password.encode("utf-8", "surrogatepass"))
    except (Argon2Error, InvalidHashError):
        return False
