"""Webhooks: who outside is told of alerts. A telling is a delivery, written down in the transaction of what it tells.

The secret that signs deliveries is sealed at rest with a key derived from the installation's own.
"""

import datetime as dt
import json
import os
import secrets
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.engine import Connection

from ner.database import utc_now
from ner.errors import InvalidSetting, NotFound
from ner.tables import deliveries, webhooks
from registry import audit
from registry.keys import derived_key

PRIVATE_SETTING = "webhook_private_addresses"
"""The setting that lets receivers have private addresses."""
_NONCE_BYTES = 12
_OPENING = "whsec_"
_MOST_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class Webhook:
    """A receiver, told of alerts of these severities."""

    id: str
    name: str
    url: str
    severities: list[str]
    created_at: dt.datetime
    created_by: str


def create_webhook(
    connection: Connection, secret: bytes, *, name: str, url: str, severities: Sequence[str], actor: str
) -> tuple[Webhook, str]:
    """Add a receiver, and return it with its signing secret, which is shown this one time. The address is the caller's
    to check (`registry.addresses`).
    """
    signing = _OPENING + secrets.token_urlsafe(32)
    made = Webhook(uuid.uuid4().hex, name, url, list(severities), utc_now(), actor)
    row = {field: getattr(made, field) for field in Webhook.__slots__}
    connection.execute(webhooks.insert().values(**row, sealed_secret=_sealed(secret, made.id, signing)))
    # Many receivers take whoever knows their whole address for one of theirs.
    details = {"name": name, "host": urlsplit(url).hostname, "severities": list(severities)}
    audit.append(connection, actor=actor, action="webhook.created", subject=made.id, details=details)
    return made, signing


def list_webhooks(connection: Connection) -> list[Webhook]:
    """Everybody who is told, newest first."""
    rows = connection.execute(_select().where(webhooks.c.removed_at.is_(None)).order_by(webhooks.c.created_at.desc()))
    return [Webhook(**row) for row in rows.mappings()]


def get_webhook(connection: Connection, webhook_id: str) -> Webhook:
    """Raises NotFound when there is none, or none any more."""
    row = connection.execute(_select().where(webhooks.c.id == webhook_id, webhooks.c.removed_at.is_(None))).mappings()
    found = row.first()
    if found is None:
        raise NotFound(f"There is no webhook '{webhook_id}'.")
    return Webhook(**found)


def remove_webhook(connection: Connection, webhook_id: str, *, actor: str) -> None:
    """Tell it nothing more; what waits for it is given up. Raises NotFound."""
    found = get_webhook(connection, webhook_id)
    connection.execute(webhooks.update().where(webhooks.c.id == webhook_id).values(removed_at=utc_now()))
    connection.execute(
        deliveries.update()
        .where(deliveries.c.webhook_id == webhook_id, deliveries.c.next_attempt_at.is_not(None))
        .values(next_attempt_at=None, problem="The webhook was removed.")
    )
    audit.append(connection, actor=actor, action="webhook.removed", subject=webhook_id, details={"name": found.name})


def signing_secret(connection: Connection, secret_keys: Sequence[bytes], webhook_id: str) -> bytes:
    """What deliveries to this receiver are signed with. Any of the installation's
    `secret_keys` may have sealed it. Raises NotFound, and InvalidSetting when it cannot be unsealed.
    """
    sealed = connection.scalar(sa.select(webhooks.c.sealed_secret).where(webhooks.c.id == webhook_id))
    if sealed is None:
        raise NotFound(f"There is no webhook '{webhook_id}'.")
    for secret in secret_keys:
        with suppress(InvalidTag, ValueError):
            return AESGCM(_key(secret)).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], webhook_id.encode())
    raise InvalidSetting(
        "The secret of a webhook cannot be unsealed: NER_SECRET_KEY is not the key that sealed it. Make it anew."
    )


def tell(connection: Connection, event: str, severity: str, facts: Mapping[str, Any]) -> list[str]:
    """Write down a delivery for everybody who wants to know, and return their ids. It is sent after the commit."""
    told = [webhook for webhook in list_webhooks(connection) if severity in webhook.severities]
    return [write_delivery(connection, webhook.id, event, facts) for webhook in told]


def write_delivery(connection: Connection, webhook_id: str, event: str, facts: Mapping[str, Any]) -> str:
    """One delivery, to be sent as soon as possible; its id stays the same at every attempt."""
    delivery_id, now = uuid.uuid4().hex, utc_now()
    body = {"id": delivery_id, "event": event, "at": now.isoformat(), **facts}
    connection.execute(
        deliveries.insert().values(
            id=delivery_id,
            webhook_id=webhook_id,
            event=event,
            body=json.dumps(body, ensure_ascii=False, default=str, separators=(",", ":")),
            created_at=now,
            attempts=0,
            next_attempt_at=now,
        )
    )
    _forget_old(connection, webhook_id)
    return delivery_id


def _forget_old(connection: Connection, webhook_id: str) -> None:
    """Of a receiver's finished deliveries the newest 1,000 are kept."""
    own = deliveries.c.webhook_id == webhook_id
    oldest = connection.scalar(
        sa.select(deliveries.c.created_at)
        .where(own)
        .order_by(deliveries.c.created_at.desc())
        .offset(_MOST_KEPT)
        .limit(1)
    )
    if oldest is not None:
        is_done = deliveries.c.next_attempt_at.is_(None)
        connection.execute(deliveries.delete().where(own, is_done, deliveries.c.created_at <= oldest))


def _select() -> sa.Select[Any]:
    return sa.select(*(webhooks.c[name] for name in Webhook.__slots__))


def _key(secret: bytes) -> bytes:
    return derived_key(secret, "webhook secrets")


def _sealed(secret: bytes, webhook_id: str, signing: str) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(_key(secret)).encrypt(nonce, signing.encode(), webhook_id.encode())
