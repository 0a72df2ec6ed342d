"""Alerts: what people have to look at, opened once, kept true while it lasts, and closed when it is over."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Literal, get_args

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner.database import lock_for_appending, utc_now
from ner.errors import InvalidInput, NotFound
from ner.tables import alerts
from registry import audit

Severity = Literal["info", "warning", "critical"]


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
    lock_for_appending(connection, "alerts")
    found = _open(connection, kind, subject)
    if found is None:
        made = Alert(uuid.uuid4().hex, kind, severity, subject, sentence, utc_now(), None, None, None)
        connection.execute(alerts.insert().values(**_row(made)))
        return made, True
    if (found.severity, found.sentence) != (severity, sentence):
        connection.execute(alerts.update().where(alerts.c.id == found.id).values(severity=severity, sentence=sentence))
    return get_alert(connection, found.id), False


def close_alert(connection: Connection, kind: str, *, subject: str = "") -> Alert | None:
    """Close the open alert of this kind and subject; None where there is none."""
    lock_for_appending(connection, "alerts")
    found = _open(connection, kind, subject)
    if found is None:
        return None
    connection.execute(alerts.update().where(alerts.c.id == found.id).values(closed_at=utc_now()))
    return get_alert(connection, found.id)


def acknowledge(connection: Connection, alert_id: str, *, actor: str) -> Alert:
    """Note that somebody looks after it; the first one to say so is kept. Raises NotFound."""
    lock_for_appending(connection, "alerts")
    found = get_alert(connection, alert_id)
    if found.acknowledged_by is not None:
        return found
    connection.execute(
        alerts.update().where(alerts.c.id == alert_id).values(acknowledged_by=actor, acknowledged_at=utc_now())
    )
    details = {"kind": found.kind, "subject": found.subject, "sentence": found.sentence}
    audit.append(connection, actor=actor, action="alert.acknowledged", subject=alert_id, details=details)
    return get_alert(connection, alert_id)


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


def _row(alert: Alert) -> dict[str, object]:
    return {name: getattr(alert, name) for name in Alert.__slots__}
