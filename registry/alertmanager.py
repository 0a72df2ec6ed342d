"""Alerts that Prometheus found, as Alertmanager tells them, among the alerts of the workbench."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

from sqlalchemy.engine import Connection

from registry.alerts import Severity, close_alert, raise_alert

_SUBJECTS = ("version", "process", "instance")
_LONGEST = 1_000


@dataclass(frozen=True, slots=True)
class Notice:
    """One alert, firing or resolved."""

    status: Literal["firing", "resolved"]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


def take(connection: Connection, notices: Iterable[Notice]) -> tuple[int, int]:
    """Open and close alerts; how many of each. Their kind is the rule's name, their subject the version, process or
    instance that the rule names.
    """
    opened = closed = 0
    for notice in notices:
        kind = notice.labels.get("alertname", "Unnamed")[:_LONGEST]
        subject = next((notice.labels[name][:_LONGEST] for name in _SUBJECTS if notice.labels.get(name)), "")
        if notice.status == "resolved":
            closed += close_alert(connection, kind, subject=subject) is not None
        else:
            opened += raise_alert(connection, kind, _severity(notice), _sentence(notice, kind), subject=subject)[1]
    return opened, closed


def _severity(notice: Notice) -> Severity:
    said = notice.labels.get("severity", "")
    return cast(Severity, said) if said in get_args(Severity) else "warning"


def _sentence(notice: Notice, kind: str) -> str:
    parts = (notice.annotations.get(name, "").strip() for name in ("summary", "description"))
    return " ".join(part for part in parts if part)[:_LONGEST] or f"Prometheus raised {kind}."
