"""What is known of a canary at this moment: counts, memory, F1, and whether any of it may be relied on."""

import datetime as dt
import math
from collections.abc import Callable, Sequence

from sqlalchemy.engine import Connection

from registry.judges import Evidence, F1Evidence, in_time
from registry.policy import Policy
from registry.process_reports import FRESH_SECONDS, ProcessReport, fresh_reports
from registry.rollout import Rollout
from registry.tallies import Tallies, TallyCounter, Trialled

F1Judge = Callable[[Connection, str, str, float], F1Evidence | None]
"""(connection, canary, stable, margin) -> what is known of the difference of their F1."""

_LOG_BEHIND_SECONDS = 30.0
# So much longer than the canary's usual pause, and then another minute, is not chance.
_SILENT_PAUSES, _SILENT_SECONDS = 20.0, 60.0


def no_f1(_connection: Connection, _canary: str, _stable: str, _margin: float) -> F1Evidence | None:
    """Nothing is known of F1."""
    return None


def observe(
    connection: Connection,
    policy: Policy,
    whose: Trialled,
    counter: TallyCounter,
    *,
    state: Rollout,
    f1: F1Judge,
    now: dt.datetime,
) -> Evidence:
    """The evidence of now. `state` is the rollout in force."""
    tallies = counter.count(connection, whose)
    reports = fresh_reports(connection, now)
    criterion = policy.criterion("f1_drop")
    shares = [
        report.memory_share
        for report in reports
        if report.memory_share is not None and math.isfinite(report.memory_share)
    ]
    return Evidence(
        hours_in_step=max(0.0, (now - whose.step_began_at).total_seconds() / 3600),
        life=tallies.life,
        step=tallies.step,
        stable=tallies.stable,
        memory_share=max(shares) if shares and len(shares) == len(reports) else None,
        f1=_finite(f1(connection, whose.canary, whose.stable, criterion.limit)) if criterion is not None else None,
        stale=staleness(reports, tallies, state.epoch, whose.step_began_at, now),
    )


def _finite(f1: F1Evidence | None) -> F1Evidence | None:
    """What is no number is no evidence."""
    numbers = (f1.difference, f1.low, f1.high) if f1 is not None else ()
    if f1 is None or all(number is not None and math.isfinite(number) for number in numbers):
        return f1
    return F1Evidence(None, None, None, f1.basis, f1.reason)


def staleness(
    reports: Sequence[ProcessReport], tallies: Tallies, epoch: int, step_began_at: dt.datetime, now: dt.datetime
) -> str:
    """The sentence that says why the counts may not be relied on; "" where they may."""
    if not reports:
        return f"No API process has reported in the last {FRESH_SECONDS:g} seconds, so nothing is decided."
    behind = max(reports, key=lambda report: report.log_behind_seconds)
    if behind.log_behind_seconds > _LOG_BEHIND_SECONDS:
        late = in_time(behind.log_behind_seconds / 60)
        return f"The prediction log of {behind.process} is {late} behind, so nothing is decided."
    if all(report.epoch != epoch for report in reports):
        return "No API process follows the latest change of the rollout yet, so nothing is decided."
    requests = max((tally.requests for tally in tallies.step.values()), default=0)
    if tallies.newest is None or requests == 0:
        return ""
    pause = max(0.0, (tallies.newest - step_began_at).total_seconds()) / requests
    silent = (now - tallies.newest).total_seconds()
    if silent > _SILENT_SECONDS + _SILENT_PAUSES * pause:
        silence = f"The canary has answered nothing for {in_time(silent / 60)}, so nothing is decided."
        return f"{silence} Either nobody asks, or it cannot be loaded: 'workbench doctor' tells."
    return ""
