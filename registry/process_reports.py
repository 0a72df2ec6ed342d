"""What the answering processes say of themselves: that they live, what they follow, how full they are."""

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner.tables import process_reports

REPORT_SECONDS = 5.0
FRESH_SECONDS = 20.0
_FORGOTTEN_AFTER = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ProcessReport:
    """One process, as it was `at` that moment. `epoch` is the rollout that it follows; `memory_share` the part of the
    memory that it may use, None where it cannot tell; `log_behind_seconds` how long its oldest log row has waited.
    """

    process: str
    at: dt.datetime
    epoch: int
    memory_share: float | None
    log_behind_seconds: float


def report(connection: Connection, one: ProcessReport) -> None:
    """Put the report in the place of the process's last one, and forget processes that are long gone."""
    gone = process_reports.c.at < one.at - _FORGOTTEN_AFTER
    connection.execute(process_reports.delete().where((process_reports.c.process == one.process) | gone))
    connection.execute(
        process_reports.insert().values(**{name: getattr(one, name) for name in ProcessReport.__slots__})
    )


def withdraw(connection: Connection, process: str) -> None:
    """Take back the report of a process that ends."""
    connection.execute(process_reports.delete().where(process_reports.c.process == process))


def fresh_reports(connection: Connection, now: dt.datetime) -> list[ProcessReport]:
    """The reports of the last FRESH_SECONDS."""
    since = now - dt.timedelta(seconds=FRESH_SECONDS)
    rows = connection.execute(sa.select(process_reports).where(process_reports.c.at >= since))
    return [ProcessReport(**row._mapping) for row in rows]
