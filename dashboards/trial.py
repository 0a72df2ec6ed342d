"""The canary on trial: each criterion of the policy judged on the requests that it has answered, in words."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner.database import utc_now
from ner.tables import predictions
from registry.evidence import Tally
from registry.policy import Criterion, Policy, default_policy
from registry.rollout import Rollout, current_rollout, history
from registry.verdicts import RateVerdict, Verdict, judge_rate

_FIRST_FAILURE = 500


def trial(connection: Connection, policy: Policy | None = None) -> dict[str, Any] | None:
    """The verdicts on the canary since its trial began, against the limits and against the stable version of that
    time; None where no version is on trial. Nothing is promoted or rolled back here.

    "verdict" is "fail" when one criterion fails, "pass" when all pass, else "not enough evidence"; each criterion has
    its tallies, "requests_to_go" and "minutes_to_go" at the canary's present rate, and a "reason".
    """
    rollout = current_rollout(connection)
    if rollout.canary is None or rollout.stable is None:
        return None
    policy = policy or default_policy()
    began = _began(history(connection), rollout)
    canary = _tallies(connection, policy, rollout.canary, "canary", began)
    stable = _tallies(connection, policy, rollout.stable, "stable", began)
    minutes = (utc_now() - began).total_seconds() / 60
    criteria = [
        _criterion(
            criterion,
            judge_rate(
                canary[criterion.name],
                criterion.allowed_share or 0.0,
                stable=stable[criterion.name],
                false_alarm_rate=policy.false_alarm_rate,
            ),
            minutes,
        )
        for criterion in policy.rate_criteria
    ]
    verdict = _together([criterion["verdict"] for criterion in criteria])
    return {
        "canary": rollout.canary,
        "stable": rollout.stable,
        "percent": rollout.percent,
        "began_at": began.isoformat(),
        "verdict": verdict,
        "sentence": _sentence(rollout.canary, verdict, criteria),
        "criteria": criteria,
    }


def _began(changes: list[Rollout], rollout: Rollout) -> dt.datetime:
    """When the present canary came on trial; a changed share goes on with the same trial."""
    began = rollout.changed_at
    for change in changes:
        if change.canary != rollout.canary or change.stable != rollout.stable:
            break
        began = change.changed_at
    return began


def _tallies(
    connection: Connection, policy: Policy, version: str, variant: str, since: dt.datetime
) -> dict[str, Tally]:
    criteria = policy.rate_criteria
    counts = connection.execute(
        sa.select(sa.func.count(), *(_exceeding(criterion) for criterion in criteria)).where(
            predictions.c.at >= since, predictions.c.version == version, predictions.c.variant == variant
        )
    ).one()
    return {criterion.name: Tally(counts[index + 1], counts[0]) for index, criterion in enumerate(criteria)}


def _exceeding(criterion: Criterion) -> sa.ColumnElement[int]:
    slow = criterion.slower_than_ms
    condition = predictions.c.status >= _FIRST_FAILURE if slow is None else predictions.c.latency_ms > slow
    return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)


def _criterion(criterion: Criterion, judged: RateVerdict, minutes: float) -> dict[str, Any]:
    rate = judged.canary.requests / minutes if minutes > 0 else 0.0
    to_go = judged.requests_to_go
    return {
        "name": criterion.name,
        "limit": criterion.limit,
        "allowed_share": criterion.allowed_share,
        "on_breach": criterion.on_breach,
        "verdict": judged.verdict,
        "reason": judged.reason,
        "canary": _share(judged.canary),
        "stable": _share(judged.stable) if judged.stable else None,
        "is_shared_outage": judged.is_shared_outage,
        "requests_to_go": to_go,
        "minutes_to_go": to_go / rate if to_go is not None and rate > 0 else None,
    }


def _share(tally: Tally) -> dict[str, float | None]:
    share = tally.exceeded / tally.requests if tally.requests else None
    return {"exceeded": tally.exceeded, "requests": tally.requests, "share": share}


def _together(verdicts: list[Verdict]) -> Verdict:
    if "fail" in verdicts:
        return "fail"
    return "pass" if verdicts and set(verdicts) == {"pass"} else "not enough evidence"


def _sentence(canary: str, verdict: Verdict, criteria: list[dict[str, Any]]) -> str:
    if verdict == "pass":
        return f"{canary} keeps every limit."
    if verdict == "fail":
        broken = ", ".join(str(criterion["name"]) for criterion in criteria if criterion["verdict"] == "fail")
        return f"{canary} breaks the limit of {broken}."
    if any(criterion["is_shared_outage"] for criterion in criteria):
        return "Both versions are beyond a limit: this is not the canary's doing, look at what they share."
    waits = [criterion["requests_to_go"] for criterion in criteria if criterion["verdict"] == "not enough evidence"]
    if None in waits:
        return f"{canary} has not shown enough yet."
    return f"{canary} has not shown enough yet: about {max(waits):,} more requests to go."
