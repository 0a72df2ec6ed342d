"""Verdicts on a canary that may be asked for at any moment, as often as one likes: pass, fail, or not enough evidence.

A verdict holds all that is needed to compute it again.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

from registry.evidence import Tally, log_evidence, log_worse
from registry.forecast import Forecast, forecast

Verdict = Literal["pass", "fail", "not enough evidence"]


@dataclass(frozen=True, slots=True)
class RateVerdict:
    """The answer on one share. The two log e-values speak for "above the limit" (in the canary's whole life) and
    "below the limit" (in this step); `log_worse_than_stable` for "worse than the version beside it", None where there
    was none to compare with. `is_shared_outage`: above the limit, and nothing says that it is the canary's doing.
    `to_go` is how much longer it takes, None where no end is in sight.
    """

    verdict: Verdict
    reason: str
    limit: float
    false_alarm_rate: float
    canary: Tally
    life: Tally
    stable: Tally | None
    log_above: float
    log_below: float
    log_worse_than_stable: float | None
    is_shared_outage: bool = False
    to_go: Forecast | None = None


def judge_rate(
    canary: Tally,
    limit: float,
    *,
    life: Tally | None = None,
    stable: Tally | None = None,
    false_alarm_rate: float = 0.05,
    exceeding: str = "exceed",
    alone_fails: bool = False,
) -> RateVerdict:
    """Does the canary keep its share of exceeding requests below `limit`?

    `canary` and `stable` are what both answered in this step, while the shares of traffic stayed as they are; `life`
    is what the canary has answered since its trial began (`canary`, unless given). "pass" takes evidence of this step.
    "fail" takes evidence of the whole life and, unless `stable` is None, evidence that the canary is worse than the
    version served at the same time: an outage of both fails no canary, but is reported as `is_shared_outage`, and so is
    a canary beyond the limit beside which nobody answered (which failed in verdicts before format 3: `alone_fails`).
    Only one step is compared: when shares grow, the same outage would weigh differently on the two.
    No traffic, or counts that are no counts, are never evidence. `exceeding` is the verb of the reason.
    """
    life = life if life is not None else canary
    needed = -math.log(false_alarm_rate)
    above = float(log_evidence(life.exceeded, life.requests, limit)[0]) if life.is_evidence else 0.0
    known = RateVerdict(
        verdict="not enough evidence",
        reason="The canary has answered no request that could be counted.",
        limit=limit,
        false_alarm_rate=false_alarm_rate,
        canary=canary,
        life=life,
        stable=stable,
        log_above=above,
        log_below=0.0,
        log_worse_than_stable=None,
        is_shared_outage=above >= needed and stable is not None,
    )
    if not (canary.is_evidence and life.is_evidence):
        return known
    below = float(log_evidence(canary.exceeded, canary.requests, limit)[1])
    beside = stable if stable is not None and stable.is_evidence else None
    is_alone = stable is None or (beside is None and alone_fails)
    worse = log_worse(canary, beside) if beside is not None and above >= needed else None
    verdict, reason = _decide(canary, life, beside, is_alone, limit, needed, above, below, worse, exceeding)
    is_outage = above >= needed and not is_alone and verdict == "not enough evidence"
    is_open = verdict == "not enough evidence" and not is_outage
    return replace(
        known,
        verdict=verdict,
        reason=reason,
        log_below=below,
        log_worse_than_stable=worse,
        is_shared_outage=is_outage,
        to_go=forecast(canary, limit, false_alarm_rate) if is_open else None,
    )


def _decide(
    canary: Tally,
    life: Tally,
    stable: Tally | None,
    is_alone: bool,
    limit: float,
    needed: float,
    above: float,
    below: float,
    worse: float | None,
    exceeding: str,
) -> tuple[Verdict, str]:
    seen, ever = _counted(canary, exceeding), _counted(life, exceeding)
    beside = f"{stable.exceeded / stable.requests:.2%} for the stable version" if stable is not None else ""
    if above >= needed and is_alone:
        return "fail", f"{ever}: above the limit of {limit:.2%}."
    if above >= needed and worse is not None and worse >= needed:
        return "fail", f"{ever}: above the limit of {limit:.2%}, and worse than {beside}."
    if below >= needed:
        return "pass", f"{seen}: below the limit of {limit:.2%}."
    if above >= needed and stable is None:
        return "not enough evidence", f"{ever}: above the limit of {limit:.2%}, and nobody answered beside it."
    if above >= needed:
        return "not enough evidence", f"{ever}: above the limit of {limit:.2%}, but so far no worse than {beside}."
    return "not enough evidence", f"{seen}: not enough to tell on which side of {limit:.2%} the canary is."


def _counted(tally: Tally, exceeding: str) -> str:
    share = tally.exceeded / tally.requests
    return f"{tally.exceeded:,.0f} of {tally.requests:,.0f} requests {exceeding} ({share:.2%})"


def judge_f1(difference: float, low: float, high: float, *, margin: float) -> tuple[Verdict, str]:
    """Is the canary's F1 at most `margin` below the stable version's, on the same documents?

    `difference` is canary minus stable, `low` and `high` its 90 % interval: then each answer is wrong in at most 5 %
    of the cases. NaN is never evidence.
    """
    seen = f"F1 differs by {difference:+.3f} (between {low:+.3f} and {high:+.3f})"
    if low > -margin:
        return "pass", f"{seen}: a drop of {margin:.3f} or more is ruled out."
    if high < -margin:
        return "fail", f"{seen}: a drop of more than {margin:.3f}."
    return (
        "not enough evidence",
        f"{seen}: more labelled documents are needed to tell whether it drops by {margin:.3f}.",
    )
