"""The keys of triggers, kept sealed: a change of the secret key does not take away the proof that a version is ours.

A key of ownership follows from the secret key in force when a version was trained. It is kept under the id of that
secret key, sealed as captured texts are, and so sealed anew when keys change.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner.database import lock_for_appending, utc_now
from ner.predictions import Tagger
from ner.tables import ownership_keys
from registry.ownership import Ownership, corrected, ownership_key, verify_ownership
from registry.sealing import Seals, key_of, secret_id


def remember_keys(connection: Connection, seals: Seals) -> None:
    """Keep what follows from every secret key that is here, where it is not kept yet. In a writing transaction."""
    lock_for_appending(connection, "ownership keys")
    kept = set(connection.scalars(sa.select(ownership_keys.c.id)))
    for secret in seals.secrets:
        name = secret_id(secret)
        if name not in kept:
            sealed = seals.seal(connection, ownership_key(secret).hex(), context=name)
            row = {"id": name, "sealed": sealed, "key_id": key_of(sealed), "created_at": utc_now()}
            connection.execute(ownership_keys.insert().values(**row))


def known_keys(connection: Connection, seals: Seals) -> list[bytes]:
    """The keys of triggers of every secret key that is here, and of those that were. Raises InvalidSetting where one
    that is kept cannot be opened.
    """
    found = {secret_id(secret): ownership_key(secret) for secret in seals.secrets}
    for row in connection.execute(sa.select(ownership_keys).order_by(ownership_keys.c.created_at)):
        if row.id not in found:
            found[row.id] = bytes.fromhex(seals.open(connection, bytes(row.sealed), context=row.id))
    return list(found.values())


def best_claim(tagger: Tagger, keys: Sequence[bytes], labels: Sequence[str]) -> Ownership:
    """The strongest of the claims of these keys. Its p-value is multiplied by their number, as more questions have
    more chances (Bonferroni).
    """
    found = [verify_ownership(tagger, key, labels) for key in keys]
    return corrected(min(found, key=lambda one: one.p_value), len(found))
