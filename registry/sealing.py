"""What the database holds in secret: AES-256-GCM under keys that change while everything runs.

A data key is 32 random bytes, kept in `sealing_keys` sealed with the secret key of the installation. The newest one
seals; every one that is there opens. A sealed value says which key it needs, so both kinds stand side by side until
the older ones are sealed anew (`reseal`) and the old key is destroyed (`retire`).
"""

import datetime as dt
import os
import uuid
from collections.abc import Iterable

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy.engine import Connection

from ner import tables
from ner.database import lock_for_appending, utc_now
from ner.errors import InvalidSetting
from registry import audit

NONCE_BYTES = 12
_KEY_BYTES = 32
_PURPOSE = b"ner workbench: captured texts"
_MARK = b"\x01key"
_ID_BYTES = 16
_LOCK = "sealing keys"
_keys = tables.sealing_keys
_CANNOT = "A sealed value cannot be opened: NER_SECRET_KEY is not the key that it was sealed with."


def seal(key: bytes, text: str, *, context: str = "") -> bytes:
    """12 bytes of nonce, then the text under AES-256-GCM. `key`: the secret key, of any length (HKDF-SHA256 makes
    it 32 bytes); `context` must be the same again to unseal.
    """
    return encrypted(sealing_key(key), text.encode(), context)


def unseal(key: bytes, sealed: bytes, *, context: str = "") -> str:
    """The text again. Raises InvalidSetting when the key is another one, or the bytes were changed."""
    return decrypted(sealing_key(key), sealed, context).decode()


def encrypted(key: bytes, plain: bytes, context: str) -> bytes:
    """12 bytes of nonce, then `plain` under AES-256-GCM with a key of 32 bytes."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, context.encode())


def decrypted(key: bytes, sealed: bytes, context: str) -> bytes:
    """What `encrypted` hid. Raises InvalidSetting."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context.encode())
    except (InvalidTag, ValueError):
        raise InvalidSetting(_CANNOT) from None


def key_of(sealed: bytes) -> str | None:
    """The id of the data key that opens a value; None where the secret key itself does."""
    is_marked = sealed.startswith(_MARK) and len(sealed) > len(_MARK) + _ID_BYTES
    return sealed[len(_MARK) : len(_MARK) + _ID_BYTES].hex() if is_marked else None


class Seals:
    """Seals and opens with the keys of one installation. `secrets`: its secret keys, the one in force first."""

    def __init__(self, *secrets: bytes) -> None:
        self.secrets = secrets
        self._known: dict[str, bytes] = {}

    def seal(self, connection: Connection, text: str, *, context: str) -> bytes:
        """The text under the newest key, which is made if need be. Run it in a writing transaction: a key cannot be
        destroyed while a transaction that has sealed with it is open.
        """
        key_id = self.newest(connection, lock=True)
        if key_id is None:
            lock_for_appending(connection, _LOCK)
            key_id = self.newest(connection) or self._make(connection)
        return _MARK + bytes.fromhex(key_id) + encrypted(self._key(connection, key_id), text.encode(), context)

    def open(self, connection: Connection, sealed: bytes, *, context: str) -> str:
        """The text again. Raises InvalidSetting."""
        key_id = key_of(sealed)
        if key_id is not None:
            body = sealed[len(_MARK) + _ID_BYTES :]
            return decrypted(self._key(connection, key_id), body, context).decode()
        return self._first(sealed, context).decode()

    def newest(self, connection: Connection, *, lock: bool = False) -> str | None:
        """The id of the key that seals, among those that these secret keys open; None where there is none yet."""
        ours = _keys.c.secret_id.in_([secret_id(secret) for secret in self.secrets])
        newest = sa.select(_keys.c.id).where(ours).order_by(_keys.c.created_at.desc(), _keys.c.id).limit(1)
        return connection.scalar(newest.with_for_update(read=True, key_share=True) if lock else newest)

    def rotate(self, connection: Connection, *, actor: str) -> str:
        """Make a new key, which seals from the commit on. Run it in a writing transaction."""
        lock_for_appending(connection, _LOCK)
        key_id = self._make(connection)
        audit.append(connection, actor=actor, action="sealing_key.rotated", subject=key_id)
        return key_id

    def wrapped_anew(self, connection: Connection) -> int:
        """Seal every data key that an older secret key still seals with the one in force; how many there were."""
        older = [secret_id(secret) for secret in self.secrets[1:]]
        late = connection.execute(sa.select(_keys).where(_keys.c.secret_id.in_(older))).all()
        for row in late:
            wrapped = encrypted(sealing_key(self.secrets[0]), self._key(connection, row.id), row.id)
            values = {"wrapped": wrapped, "secret_id": secret_id(self.secrets[0])}
            connection.execute(_keys.update().where(_keys.c.id == row.id).values(**values))
        return len(late)

    def _make(self, connection: Connection) -> str:
        key_id, key = uuid.uuid4().hex, os.urandom(_KEY_BYTES)
        last = connection.scalar(sa.select(sa.func.max(_keys.c.created_at)))
        values = {
            "id": key_id,
            "wrapped": encrypted(sealing_key(self.secrets[0]), key, key_id),
            "secret_id": secret_id(self.secrets[0]),
            # After the one before it, whatever the clocks of two machines say.
            "created_at": max(utc_now(), last + dt.timedelta(microseconds=1)) if last else utc_now(),
        }
        connection.execute(_keys.insert().values(**values))
        return key_id

    def _key(self, connection: Connection, key_id: str) -> bytes:
        known = self._known.get(key_id)
        if known is None:
            wrapped = connection.scalar(sa.select(_keys.c.wrapped).where(_keys.c.id == key_id))
            if wrapped is None:
                raise InvalidSetting(f"A value is sealed with the key {key_id}, which was destroyed or is not here.")
            known = self._known[key_id] = self._first(bytes(wrapped), key_id)
        return known

    def _first(self, sealed: bytes, context: str) -> bytes:
        for secret in self.secrets[:-1]:
            try:
                return decrypted(sealing_key(secret), sealed, context)
            except InvalidSetting:
                continue
        return decrypted(sealing_key(self.secrets[-1]), sealed, context)


def secret_id(secret: bytes) -> str:
    """16 hexadecimal digits that say which secret key is meant, and nothing about it."""
    return (
        HKDF(algorithm=SHA256(), length=8, salt=None, info=b"ner workbench: name of a secret key").derive(secret).hex()
    )


def retire(connection: Connection, in_use: Iterable[str | None], *, actor: str) -> list[str]:
    """Destroy every key but those `in_use`: what they sealed is gone for good. Returns their ids."""
    kept = set(in_use)
    late = [key_id for key_id in connection.scalars(sa.select(_keys.c.id)) if key_id not in kept]
    for key_id in late:
        connection.execute(_keys.delete().where(_keys.c.id == key_id))
        audit.append(connection, actor=actor, action="sealing_key.destroyed", subject=key_id)
    return late


def sealing_key(key: bytes) -> bytes:
    """The 32 bytes under which a secret key seals."""
    return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=_PURPOSE).derive(key)
