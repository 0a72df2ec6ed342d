"""Alerts: what people have to look at, opened once, kept true while it lasts, and closed when it is over."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any, Literal, get_args

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from ner.database import utc_now
from ner.errors import InvalidInput, NotFound
from ner.tables import alerts
from registry import audit, webhooks

Severity = Literal["info", "warning", "critical"]
EVENTS = frozenset({"canary_rolled_back"})
"""Kinds of alerts about what has happened and does not last: over as soon as somebody has seen them."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to look at. `kind` and `subject` (a version, a process, or empty) say what it is about."""

    id: str
    kind: str
    severity: Severity
    subject: str
    sentence: str
    opened_at: dt.datetime
    closed_at: dt.datetime | None
    acknowledged_by: str | None
    acknowledged_at: dt.datetime | None

    @property
    def is_open(self) -> bool:
        """Whether it still lasts."""
        return self.closed_at is None


def raise_alert(
    connection: Connection, kind: str, severity: Severity, sentence: str, *, subject: str = ""
) -> tuple[Alert, bool]:
    """Open an alert; where one of this kind and subject is open already, bring its sentence and severity up to date.

    Returns it, and whether it was opened now: only then is there something to tell people.
    """
    if severity not in get_args(Severity):
        raise InvalidInput(f"The severity of an alert is one of {', '.join(get_args(Severity))}, not '{severity}'.")
    made = Alert(uuid.uuid4().hex, kind, severity, subject, sentence, utc_now(), None, None, None)
    # Of several who raise the same at once the unique index lets one in, without a lock to wait for.
    is_new = connection.execute(_insert(connection).values(**_row(made)).on_conflict_do_nothing()).rowcount > 0
    if is_new:
        _tell(connection, "alert.opened", made)
        return made, True
    is_same = (alerts.c.kind == kind) & (alerts.c.subject == subject) & alerts.c.closed_at.is_(None)
    connection.execute(alerts.update().where(is_same).values(severity=severity, sentence=sentence))
    return _open(connection, kind, subject) or made, False


def close_alert(connection: Connection, kind: str, *, subject: str = "") -> Alert | None:
    """Close the open alert of this kind and subject; None where there is none."""
    found = _open(connection, kind, subject)
    if found is None:
        return None
    still_open = alerts.c.closed_at.is_(None) & (alerts.c.id == found.id)
    is_ours = connection.execute(alerts.update().where(still_open).values(closed_at=utc_now())).rowcount > 0
    closed = get_alert(connection, found.id)
    if is_ours:
        _tell(connection, "alert.closed", closed)
    return closed


def acknowledge(connection: Connection, alert_id: str, *, actor: str) -> Alert:
    """Note that somebody looks after it; the first one to say so is kept. What has only happened, and does not last,
    is closed by that. Raises NotFound.
    """
    found = get_alert(connection, alert_id)
    is_mine = alerts.c.acknowledged_by.is_(None) & (alerts.c.id == alert_id)
    now = utc_now()
    if connection.execute(alerts.update().where(is_mine).values(acknowledged_by=actor, acknowledged_at=now)).rowcount:
        if found.kind in EVENTS and found.is_open:
            connection.execute(alerts.update().where(alerts.c.id == alert_id).values(closed_at=now))
        details = {"kind": found.kind, "subject": found.subject, "sentence": found.sentence}
        audit.append(connection, actor=actor, action="alert.acknowledged", subject=alert_id, details=details)
    return get_alert(connection, alert_id)


def open_alerts(connection: Connection, *, subject: str) -> list[Alert]:
    """What lasts and is about `subject`."""
    wanted = sa.select(alerts).where(alerts.c.subject == subject, alerts.c.closed_at.is_(None))
    return [Alert(**row._mapping) for row in connection.execute(wanted)]


def get_alert(connection: Connection, alert_id: str) -> Alert:
    """Raises NotFound."""
    row = connection.execute(sa.select(alerts).where(alerts.c.id == alert_id)).first()
    if row is None:
        raise NotFound(f"There is no alert '{alert_id}'.")
    return Alert(**row._mapping)


def list_alerts(connection: Connection, *, only_open: bool = False, limit: int = 100) -> list[Alert]:
    """The latest alerts, newest first."""
    wanted = sa.select(alerts).order_by(alerts.c.opened_at.desc(), alerts.c.id).limit(limit)
    if only_open:
        wanted = wanted.where(alerts.c.closed_at.is_(None))
    return [Alert(**row._mapping) for row in connection.execute(wanted)]


def _open(connection: Connection, kind: str, subject: str) -> Alert | None:
    row = connection.execute(
        sa.select(alerts).where(alerts.c.kind == kind, alerts.c.subject == subject, alerts.c.closed_at.is_(None))
    ).first()
    return Alert(**row._mapping) if row is not None else None


def _insert(connection: Connection) -> Any:
    return sqlite.insert(alerts) if connection.dialect.name == "sqlite" else postgresql.insert(alerts)


def _tell(connection: Connection, event: str, alert: Alert) -> None:
    webhooks.tell(connection, event, alert.severity, {"sentence": alert.sentence, "alert": _row(alert)})


def _row(alert: Alert) -> dict[str, object]:
    return {name: getattr(alert, name) for name in Alert.__slots__}
