"""Sending what was written down: signed, tried again with growing pauses, and logged.

A delivery is claimed for a minute before it is sent. Whoever dies with it in hand leaves it to be sent again after
that, under the same id; a receiver that remembers ids therefore acts on each once.
"""

import datetime as dt
import hmac
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner.database import Database, utc_now
from ner.errors import NerError, NotFound
from ner.tables import deliveries, webhooks
from registry.addresses import resolve
from registry.webhooks import PRIVATE_SETTING, signing_secret

PAUSES_SECONDS = (5, 30, 120, 600, 3_600, 4 * 3_600, 12 * 3_600)
"""After each failed attempt; after the last one the delivery is given up."""
_CLAIM = dt.timedelta(minutes=1)
_TIMEOUT = httpx.Timeout(10, connect=5)
_AT_ONCE = 20
_OK = range(200, 300)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One telling. It waits while `next_attempt_at` is set; else it was delivered, or given up."""

    id: str
    webhook_id: str
    event: str
    body: str
    created_at: dt.datetime
    attempts: int
    next_attempt_at: dt.datetime | None
    delivered_at: dt.datetime | None
    status: int | None
    problem: str | None


def signature(secret: bytes, moment: int, body: bytes) -> str:
    """The header X-NER-Signature: HMAC-SHA256 over the moment (seconds since the epoch), a dot, and the body."""
    mac = hmac.digest(secret, b"%d." % moment + body, "sha256").hex()
    return f"t={moment},v1={mac}"


def list_deliveries(connection: Connection, webhook_id: str, *, limit: int = 50) -> list[Delivery]:
    """The latest deliveries to one receiver, newest first."""
    wanted = deliveries.c.webhook_id == webhook_id
    rows = connection.execute(sa.select(deliveries).where(wanted).order_by(deliveries.c.created_at.desc()).limit(limit))
    return [Delivery(**row) for row in rows.mappings()]


def get_delivery(connection: Connection, delivery_id: str) -> Delivery:
    """Raises NotFound."""
    row = connection.execute(sa.select(deliveries).where(deliveries.c.id == delivery_id)).mappings().first()
    if row is None:
        raise NotFound(f"There is no delivery '{delivery_id}'.")
    return Delivery(**row)


def send_due(database: Database, secrets: Sequence[bytes], *, may_be_private: bool) -> int:
    """Send everything whose time has come, oldest first; how many were delivered."""
    now = utc_now()
    with database.reading() as connection:
        due = deliveries.c.next_attempt_at <= now
        wanted = sa.select(deliveries.c.id).where(due).order_by(deliveries.c.next_attempt_at).limit(_AT_ONCE)
        found = list(connection.scalars(wanted))
    return sum(send(database, secrets, delivery_id, may_be_private=may_be_private) for delivery_id in found)


def send(database: Database, secrets: Sequence[bytes], delivery_id: str, *, may_be_private: bool) -> bool:
    """Make one attempt; whether it was delivered. False too where another process has it in hand."""
    with database.transaction() as connection:
        delivery = _claimed(connection, delivery_id)
    if delivery is None:
        return False
    status, problem = _attempt(database, secrets, delivery, may_be_private)
    with database.transaction() as connection:
        _note(connection, delivery, status, problem)
    return problem is None


def _claimed(connection: Connection, delivery_id: str) -> Delivery | None:
    now = utc_now()
    claimed = connection.execute(
        deliveries.update()
        .where(deliveries.c.id == delivery_id, deliveries.c.next_attempt_at <= now)
        .values(next_attempt_at=now + _CLAIM, attempts=deliveries.c.attempts + 1)
    )
    return get_delivery(connection, delivery_id) if claimed.rowcount else None


def _attempt(
    database: Database, secrets: Sequence[bytes], delivery: Delivery, may_be_private: bool
) -> tuple[int | None, str | None]:
    """What the receiver answered, and what went wrong."""
    try:
        with database.reading() as connection:
            url = connection.scalar(sa.select(webhooks.c.url).where(webhooks.c.id == delivery.webhook_id))
            signing = signing_secret(connection, secrets, delivery.webhook_id)
        target = resolve(str(url), may_be_private=may_be_private, allowed_by=PRIVATE_SETTING)
        body, moment = delivery.body.encode(), int(time.time())
        headers = {
            "Host": target.host_header,
            "Content-Type": "application/json",
            "User-Agent": "ner-workbench",
            "X-NER-Delivery": delivery.id,
            "X-NER-Event": delivery.event,
            "X-NER-Signature": signature(signing, moment, body),
        }
        # Nothing is followed and nothing is read: an answer must not lead anywhere, nor fill the memory.
        with httpx.Client(timeout=_TIMEOUT, follow_redirects=False, trust_env=False) as client:
            extensions = {"sni_hostname": target.host}
            with client.stream("POST", target.url, content=body, headers=headers, extensions=extensions) as answer:
                status = answer.status_code
    except NerError as fact:
        return None, fact.message
    except httpx.HTTPError as error:
        return None, f"The receiver could not be reached ({type(error).__name__})."
    return status, None if status in _OK else f"The receiver answered {status}."


def _note(connection: Connection, delivery: Delivery, status: int | None, problem: str | None) -> None:
    values: dict[str, object] = {"status": status, "problem": problem, "next_attempt_at": None}
    if problem is None:
        values["delivered_at"] = utc_now()
    elif delivery.event != "test" and delivery.attempts <= len(PAUSES_SECONDS):
        values["next_attempt_at"] = utc_now() + dt.timedelta(seconds=PAUSES_SECONDS[delivery.attempts - 1])
    # A webhook that was removed meanwhile has given it up.
    still_ours = sa.and_(deliveries.c.id == delivery.id, deliveries.c.next_attempt_at.is_not(None))
    connection.execute(deliveries.update().where(still_ours).values(**values))
