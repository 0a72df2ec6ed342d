"""The judge of a canary on trial: evidence in, one verdict per criterion and one action out. It reads no clock and no
database, so that the same evidence gives the same judgement, to the last bit, whenever it is asked again.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from registry.decisions import ACTIONS, Action, decide
from registry.evidence import Tally
from registry.policy import Criterion, Policy
from registry.verdicts import RateVerdict, Verdict, judge_f1, judge_rate

NO_TRAFFIC = Tally(0, 0)


@dataclass(frozen=True, slots=True)
class F1Evidence:
    """The paired difference of F1, canary minus stable, with its 90 % interval; None where nothing is measured.

    `basis`: "labels", or "estimate" where the versions' own probabilities stand in; `reason` is a sentence.
    """

    difference: float | None
    low: float | None
    high: float | None
    basis: str
    reason: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a judgement rests on. Tallies by criterion: the canary's since its trial began, the canary's and the
    stable version's in this step. `stale` is the sentence that says why none of it may be relied on; "" when it may.
    """

    hours_in_step: float
    life: Mapping[str, Tally]
    step: Mapping[str, Tally]
    stable: Mapping[str, Tally]
    memory_share: float | None = None
    f1: F1Evidence | None = None
    stale: str = ""


@dataclass(frozen=True, slots=True)
class CriterionVerdict:
    """What was found on one criterion. `rate` holds the e-values, where single requests keep or break it."""

    name: str
    limit: float
    on_breach: str
    verdict: Verdict
    reason: str
    is_shared_outage: bool = False
    requests_to_go: int | None = None
    minutes_to_go: float | None = None
    rate: RateVerdict | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What to do, why in one sentence, and the verdict on each criterion."""

    action: Action
    verdict: Verdict
    sentence: str
    criteria: tuple[CriterionVerdict, ...]

    @property
    def is_shared_outage(self) -> bool:
        """Whether both versions are beyond a limit."""
        return any(criterion.is_shared_outage for criterion in self.criteria)


def judge(policy: Policy, evidence: Evidence, *, canary: str, percent: float, alone_fails: bool = False) -> Judgement:
    """Judge one step, in which the canary has `percent` of the traffic. Stale evidence leads to no action, whatever it
    says. `alone_fails`: see `judge_rate`.
    """
    if percent >= 100 and not alone_fails:
        # What the stable version still answers was asked before the share grew: these few are no control.
        evidence = dataclasses.replace(evidence, stable={})
    criteria = tuple(_judge_one(policy, criterion, evidence, alone_fails) for criterion in policy.criteria)
    verdict = _together(criteria)
    if evidence.stale:
        # What comes in no more, or is not counted, has no rate at present.
        still = tuple(dataclasses.replace(criterion, minutes_to_go=None) for criterion in criteria)
        return Judgement("wait", "not enough evidence", evidence.stale, still)
    code = decide(
        policy,
        {criterion.name: np.bool_(criterion.verdict == "fail") for criterion in criteria},  # type: ignore[misc]
        {criterion.name: np.bool_(criterion.verdict == "pass") for criterion in criteria},  # type: ignore[misc]
        np.float64(evidence.hours_in_step),  # type: ignore[arg-type]
        np.bool_(percent >= 100 and any(_is_unopposed(criterion) for criterion in criteria)),
    )
    action = ACTIONS[int(code)]
    return Judgement(action, verdict, _sentence(policy, evidence, canary, action, verdict, criteria), criteria)


def _is_unopposed(criterion: CriterionVerdict) -> bool:
    """Whether it is beyond its limit and there is nobody to compare it with."""
    stable = criterion.rate.stable if criterion.rate is not None else None
    return criterion.is_shared_outage and stable is not None and not stable.is_evidence


def _judge_one(policy: Policy, criterion: Criterion, evidence: Evidence, alone_fails: bool) -> CriterionVerdict:
    if criterion.allowed_share is not None:
        return _judge_requests(policy, criterion, evidence, alone_fails)
    verdict, reason = (
        _judge_memory(criterion, evidence) if criterion.name == "memory_share" else _judge_f1(criterion, evidence)
    )
    return CriterionVerdict(criterion.name, criterion.limit, criterion.on_breach, verdict, reason)


def _judge_requests(policy: Policy, criterion: Criterion, evidence: Evidence, alone_fails: bool) -> CriterionVerdict:
    found = judge_rate(
        evidence.step.get(criterion.name, NO_TRAFFIC),
        criterion.allowed_share or 0.0,
        life=evidence.life.get(criterion.name, NO_TRAFFIC),
        stable=evidence.stable.get(criterion.name, NO_TRAFFIC),
        false_alarm_rate=policy.false_alarm_rate,
        exceeding=criterion.exceeding,
        alone_fails=alone_fails,
    )
    minutes = evidence.hours_in_step * 60
    rate = found.canary.requests / minutes if found.canary.is_evidence and minutes > 0 else 0.0
    to_go = found.to_go.requests if found.to_go is not None else None
    return CriterionVerdict(
        criterion.name,
        criterion.limit,
        criterion.on_breach,
        found.verdict,
        found.reason,
        found.is_shared_outage,
        to_go,
        to_go / rate if to_go is not None and rate > 0 else None,
        found,
    )


def _judge_memory(criterion: Criterion, evidence: Evidence) -> tuple[Verdict, str]:
    share = evidence.memory_share
    if share is None or not 0 <= share < np.inf:
        return "not enough evidence", "No answering process has reported how much memory it uses."
    seen = f"The fullest process uses {share:.0%} of the memory that it may use"
    if share >= criterion.limit:
        return "fail", f"{seen}: at or above the limit of {criterion.limit:.0%}."
    return "pass", f"{seen}: below the limit of {criterion.limit:.0%}."


def _judge_f1(criterion: Criterion, evidence: Evidence) -> tuple[Verdict, str]:
    f1 = evidence.f1
    if f1 is None:
        return "not enough evidence", "F1 of the two versions is not measured on the same documents yet."
    if f1.difference is None or f1.low is None or f1.high is None:
        return "not enough evidence", f1.reason
    verdict, reason = judge_f1(f1.difference, f1.low, f1.high, margin=criterion.limit)
    return verdict, f1.reason or reason


def _together(criteria: tuple[CriterionVerdict, ...]) -> Verdict:
    found = {criterion.verdict for criterion in criteria}
    if "fail" in found:
        return "fail"
    return "pass" if found == {"pass"} else "not enough evidence"


def _sentence(
    policy: Policy,
    evidence: Evidence,
    canary: str,
    action: Action,
    verdict: Verdict,
    criteria: tuple[CriterionVerdict, ...],
) -> str:
    if verdict == "fail":
        broken = _named(policy, *(one for one in criteria if one.verdict == "fail"))
        return f"{canary} breaks a limit. {broken}"
    unopposed = tuple(one for one in criteria if _is_unopposed(one))
    if unopposed:
        return (
            f"Whether {canary} is to blame cannot be told while nobody answers beside it. {_named(policy, *unopposed)}"
        )
    if any(criterion.is_shared_outage for criterion in criteria):
        return "Both versions are beyond a limit: this is not the canary's doing, look at what they share."
    bake_minutes = (policy.shortest_hours - evidence.hours_in_step) * 60
    if verdict == "pass":
        waits = f" It bakes for {in_time(bake_minutes)} more." if action == "wait" and bake_minutes > 0 else ""
        return f"{canary} keeps every limit.{waits}"
    if action == "ask":
        names = ", ".join(_title(policy, one) for one in criteria if one.verdict != "pass")
        return f"{canary} has baked for {in_time(evidence.hours_in_step * 60)} without an answer on {names}."
    if all(tally.requests == 0 for tally in evidence.step.values()):
        silence = in_time(evidence.hours_in_step * 60)
        return f"{canary} has answered nothing in {silence} with this share. {_to_go(policy, criteria)}"
    return f"{canary} has not shown enough yet: {_to_go(policy, criteria)}"


def _title(policy: Policy, one: CriterionVerdict) -> str:
    criterion = policy.criterion(one.name)
    return criterion.title if criterion is not None else one.name


def _named(policy: Policy, *those: CriterionVerdict) -> str:
    """The reason of each, said once where several have the same."""
    titles: dict[str, list[str]] = {}
    for one in those:
        titles.setdefault(one.reason, []).append(_title(policy, one))
    return " ".join(f"{_begun(', '.join(names))}: {reason}" for reason, names in titles.items())


def _begun(line: str) -> str:
    return line[0].upper() + line[1:]


def _to_go(policy: Policy, criteria: tuple[CriterionVerdict, ...]) -> str:
    open_ones = [one for one in criteria if one.verdict == "not enough evidence"]
    without_end = [one for one in open_ones if one.requests_to_go is None]
    if without_end:
        return _named(policy, *without_end)
    requests = max(one.requests_to_go or 0 for one in open_ones)
    minutes = max((one.minutes_to_go for one in open_ones if one.minutes_to_go is not None), default=None)
    in_minutes = f", {in_time(minutes)} at its present rate," if minutes is not None else ""
    return f"about {requests:,} more requests{in_minutes} to go."


def in_time(minutes: float) -> str:
    """A length of time as people say it."""
    seconds = max(0.0, minutes) * 60
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}s"
    return f"{seconds:.0f} seconds" if round(seconds) != 1 else "1 second"


def as_facts(value: Any) -> dict[str, Any]:
    """An Evidence or a Judgement as plain dicts, lists, strings and numbers."""
    facts = dataclasses.asdict(value)
    if "criteria" in facts:
        facts["criteria"] = list(facts["criteria"])
    return facts


def evidence_of(facts: Mapping[str, Any]) -> Evidence:
    """The Evidence that `as_facts` took apart. Raises KeyError or TypeError for anything else."""
    tallies = {
        name: {criterion: Tally(**tally) for criterion, tally in facts[name].items()}
        for name in ("life", "step", "stable")
    }
    f1 = F1Evidence(**facts["f1"]) if facts["f1"] is not None else None
    return Evidence(
        facts["hours_in_step"], tallies["life"], tallies["step"], tallies["stable"],
        facts["memory_share"], f1, facts["stale"],
    )  # fmt: skip
