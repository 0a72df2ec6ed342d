"""The canary on trial: each criterion of the policy judged on what is known now, in words."""

from typing import Any

from sqlalchemy.engine import Connection

from ner.database import utc_now
from registry.evidence import Tally, share_interval
from registry.judges import CriterionVerdict, Evidence, judge
from registry.observation import F1Judge, observe
from registry.paired_labels import f1_evidence
from registry.policy import Criterion, Policy, default_policy, policy_text
from registry.rollout import Rollout, current_rollout, history
from registry.tallies import Counters, TallyCounter, Trialled
from registry.trials import Trial, active_trial, latest_trial
from registry.verdicts import RateVerdict


def trial(
    connection: Connection,
    policy: Policy | None = None,
    *,
    f1: F1Judge = f1_evidence,
    counters: Counters | None = None,
) -> dict[str, Any] | None:
    """The verdicts on the canary as the controller would find them now; None where no version is on trial. Nothing is
    promoted or rolled back here.

    The policy is that of the automatic rollout, where one is under way, else `policy` or the default one. "verdict" is
    "fail" when one criterion fails, "pass" when all pass, else "not enough evidence"; "action" what follows from it;
    each criterion has its "title", its "value" with the interval "low" to "high" (a share of requests in this step, the
    fullest process's share of memory, canary minus stable for F1; None where unknown), its tallies (of this step,
    "life" of the whole trial), "requests_to_go" (its "range" holds eight canaries of ten;
    an end of None is not in sight) and "minutes_to_go" at the rate of this step (None while nothing comes in), and a
    "reason".
    "automatic" says how the automatic rollout stands, None without one. `counters`, where they are kept from one
    question to the next, spare it reading the whole trial's log again.
    """
    state = current_rollout(connection)
    if state.canary is None or state.stable is None:
        return None
    under_way = active_trial(connection)
    if under_way is not None and under_way.epoch != state.epoch:
        under_way = None
    rules = under_way.rules if under_way is not None else policy or default_policy()
    whose = under_way.trialled if under_way is not None else _by_hand(history(connection), state)
    now = utc_now()
    counter = TallyCounter(rules.rate_criteria)
    if counters is not None:
        counter = counters.setdefault(rules.rate_criteria, counter)
    evidence = observe(connection, rules, whose, counter, state=state, f1=f1, now=now)
    judged = judge(rules, evidence, canary=state.canary, percent=state.percent)
    return {
        "canary": state.canary,
        "stable": state.stable,
        "percent": state.percent,
        "began_at": whose.began_at.isoformat(),
        "step_began_at": whose.step_began_at.isoformat(),
        "verdict": judged.verdict,
        "action": judged.action,
        "sentence": judged.sentence,
        "is_stale": bool(evidence.stale),
        "is_shared_outage": judged.is_shared_outage,
        "criteria": [_criterion(rules, evidence, one) for one in judged.criteria],
        "automatic": automatic(under_way) if under_way is not None else None,
    }


def automatic(under_way: Trial) -> dict[str, Any]:
    """How an automatic rollout stands."""
    rules = under_way.rules
    return {
        "id": under_way.id,
        "canary": under_way.canary,
        "stable": under_way.stable,
        "status": under_way.status,
        "sentence": under_way.sentence,
        "step": under_way.step,
        "steps_percent": list(rules.steps_percent),
        "shortest_hours": rules.shortest_hours,
        "longest_hours": rules.longest_hours,
        "policy": under_way.policy,
        "began_by": under_way.began_by,
        "began_at": under_way.began_at.isoformat(),
        "step_began_at": under_way.step_began_at.isoformat(),
        "ended_at": under_way.ended_at.isoformat() if under_way.ended_at is not None else None,
    }


def last_automatic(connection: Connection) -> dict[str, Any] | None:
    """The automatic rollout that is under way, or the one that ended last; None before the first."""
    found = latest_trial(connection)
    return automatic(found) if found is not None else None


def _by_hand(changes: list[Rollout], state: Rollout) -> Trialled:
    """Since when the present canary is on trial, and since when it has its present share."""
    began = state.changed_at
    for change in changes:
        if change.canary != state.canary or change.stable != state.stable:
            break
        began = change.changed_at
    return Trialled(state.canary or "", state.stable or "", began, state.changed_at)


def policy_in_force(connection: Connection) -> dict[str, Any]:
    """The policy of the automatic rollout under way, else the default one: "of" ("automatic rollout" or "default"), the
    YAML, and what it says.
    """
    under_way = active_trial(connection)
    rules = under_way.rules if under_way is not None else default_policy()
    return {
        "of": "automatic rollout" if under_way is not None else "default",
        "policy": under_way.policy if under_way is not None else policy_text(),
        "steps_percent": list(rules.steps_percent),
        "shortest_hours": rules.shortest_hours,
        "longest_hours": rules.longest_hours,
        "false_alarm_rate": rules.false_alarm_rate,
        "criteria": [_promise(one) for one in rules.criteria],
    }


def _promise(criterion: Criterion) -> dict[str, Any]:
    return {
        "name": criterion.name,
        "title": criterion.title,
        "limit": criterion.limit,
        "allowed_share": criterion.allowed_share,
        "on_breach": criterion.on_breach,
    }


def _criterion(policy: Policy, evidence: Evidence, judged: CriterionVerdict) -> dict[str, Any]:
    criterion = policy.criterion(judged.name)
    assert criterion is not None
    rate = judged.rate
    value, low, high = _measured(policy, evidence, judged)
    return {
        **_promise(criterion),
        "verdict": judged.verdict,
        "reason": judged.reason,
        "value": value,
        "low": low,
        "high": high,
        "canary": _share(rate.canary) if rate is not None else None,
        "life": _share(rate.life) if rate is not None else None,
        "stable": _share(rate.stable) if rate is not None and rate.stable is not None else None,
        "is_shared_outage": judged.is_shared_outage,
        "requests_to_go": judged.requests_to_go,
        "requests_to_go_range": _range(rate),
        "minutes_to_go": judged.minutes_to_go,
    }


def _measured(policy: Policy, evidence: Evidence, judged: CriterionVerdict) -> tuple[float | None, ...]:
    """The value of a criterion, and its interval."""
    if judged.rate is not None:
        seen = judged.rate.canary
        if not seen.is_evidence:
            return None, None, None
        return seen.exceeded / seen.requests, *share_interval(seen, policy.false_alarm_rate)
    if judged.name == "memory_share":
        return evidence.memory_share, None, None
    f1 = evidence.f1
    return (f1.difference, f1.low, f1.high) if f1 is not None else (None, None, None)


def _range(rate: RateVerdict | None) -> tuple[int, int | None] | None:
    to_go = rate.to_go if rate is not None else None
    return (to_go.low, to_go.high) if to_go is not None else None


def _share(tally: Tally) -> dict[str, float | None]:
    share = tally.exceeded / tally.requests if tally.requests else None
    return {"exceeded": tally.exceeded, "requests": tally.requests, "share": share}
