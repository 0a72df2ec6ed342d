"""What a policy would have done, many times over: canaries of known quality, judged as real ones are.

A breach is judged on all requests since the canary began and against the stable version in the same step; a step is
passed on the requests of that step alone. What follows is decided where the controller decides (`registry.decisions`).
Looks come after every ten requests at first, then after every two percent more.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ner.errors import InvalidInput
from registry.decisions import ACTIONS, decide
from registry.evidence import Counts
from registry.policy import Policy
from registry.simulated_steps import Batch, Canary, Mask, Step, first_look, looks_of, watch

Outcome = Literal["promoted", "rolled_back", "held", "undecided"]

F1_ERROR_AT_500 = 0.006
"""Standard error of the paired F1 difference on 500 labelled sentences: pairing halves the error of each F1."""

_RUNS_AT_ONCE = 500
_ONE_SIDED = 1.645
_ENDS: tuple[Outcome, ...] = ("promoted", "rolled_back", "held", "undecided")


def simulate(
    policy: Policy,
    *,
    error_rate: float = 0.001,
    latency_p95_ms: float = 60.0,
    latency_p50_ms: float | None = None,
    f1_drop: float = 0.0,
    labelled_documents: int = 500,
    memory_share: float = 0.5,
    rate: float = 10.0,
    stable_error_rate: float = 0.0,
    runs: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Take `runs` canaries through the policy and count what became of them.

    The median latency is a third of the 95th percentile unless given. Raises InvalidInput for numbers that no
    canary can have.

    Returns "promoted", "rolled_back" and "undecided", which add up to `runs` ("held" are those of the undecided that
    a breach holds for a person); "median_requests_to_verdict": canary requests until the first breach, or until all
    request criteria of the first step had passed, None where no run got there; "median_hours_to_outcome"; "reasons";
    "steps" with the runs that entered each, those that ended in it by outcome, and the median hours they stayed.
    """
    median_ms = latency_p95_ms / 3 if latency_p50_ms is None else latency_p50_ms
    canary = Canary(
        error_rate, median_ms, latency_p95_ms, f1_drop, labelled_documents, memory_share, rate, stable_error_rate
    )
    _check(canary, runs)
    generator = np.random.default_rng(seed)
    sizes = [min(_RUNS_AT_ONCE, runs - first) for first in range(0, runs, _RUNS_AT_ONCE)]
    return _summary(policy, [_roll_out(policy, canary, size, generator) for size in sizes])


def _check(canary: Canary, runs: int) -> None:
    rules = [
        (0 <= canary.error_rate <= 1, "The error rate is a share between 0 and 1."),
        (0 < canary.latency_p50_ms <= canary.latency_p95_ms < math.inf, "Latencies need 0 < p50 <= p95, in ms."),
        (-1 <= canary.f1_drop <= 1, "The F1 drop is a difference between -1 and 1: two points are 0.02."),
        (canary.labelled_documents >= 0, "The labelled documents cannot be fewer than 0."),
        (0 <= canary.memory_share <= 1, "The memory share lies between 0 and 1."),
        (0 <= canary.stable_error_rate <= 1, "The stable version's error rate is a share between 0 and 1."),
        (0 <= canary.rate <= 1_000_000, "The rate is requests per second, from 0 to 1,000,000."),
        (1 <= runs <= 1_000_000, "The runs are a number from 1 to 1,000,000."),
    ]
    for holds, sentence in rules:
        if not holds:
            raise InvalidInput(sentence)


def _roll_out(policy: Policy, canary: Canary, runs: int, generator: np.random.Generator) -> Batch:
    f1_passes, f1_fails = _f1_verdicts(policy, canary, runs, generator)
    batch = Batch(
        is_alive=np.ones(runs, np.bool_),
        requests=np.zeros(runs, np.int64),
        exceeded=np.zeros((len(policy.rate_criteria), runs), np.int64),
        hours=np.full((len(policy.steps_percent), runs), np.nan),
        verdict_after=np.full(runs, -1, np.int64),
        outcome=np.full(runs, "undecided", object),
        reason=np.full(runs, "not enough evidence", object),
        f1_passes=f1_passes,
        f1_fails=f1_fails,
    )
    for number, percent in enumerate(policy.steps_percent):
        looks = looks_of(policy, canary.rate * percent / 100 * 3600)
        if len(looks) == 0 or not batch.is_alive.any():
            break
        step = watch(policy, canary, batch, looks, number, generator)
        _settle(policy, batch, step, number)
    batch.outcome[batch.is_alive & ~np.isnan(batch.hours[-1])] = "promoted"
    return batch


def _f1_verdicts(policy: Policy, canary: Canary, runs: int, generator: np.random.Generator) -> tuple[Mask, Mask]:
    """Where the one measurement of F1 passes, and where it fails."""
    criterion = policy.criterion("f1_drop")
    if criterion is None or canary.labelled_documents == 0:
        return np.zeros(runs, np.bool_), np.zeros(runs, np.bool_)
    error = F1_ERROR_AT_500 * math.sqrt(500 / canary.labelled_documents)
    seen = generator.normal(-canary.f1_drop, error, size=runs)
    return seen - _ONE_SIDED * error > -criterion.limit, seen + _ONE_SIDED * error < -criterion.limit


def _settle(policy: Policy, batch: Batch, step: Step, number: int) -> None:
    """Let every live run advance, be stopped, or come to the end of the longest bake time without either."""
    runs, end = np.arange(len(batch.is_alive)), len(step.looks)
    actions = decide(policy, step.breaches, step.passes, step.hours[:, None])
    advance, hold, rollback, ask = (
        first_look(actions == ACTIONS.index(action)) for action in ("advance", "hold", "roll_back", "ask")
    )
    first_breach = {name: first_look(mask) for name, mask in step.breaches.items()}
    breach = np.minimum.reduce([*first_breach.values(), np.full(len(runs), end)])
    advances = advance < np.minimum.reduce([hold, rollback, ask, np.full(len(runs), end)])
    last = np.where(advances, advance, np.minimum(rollback, end - 1))
    stays = batch.is_alive & ~advances
    _note_verdicts(policy, batch, step, breach, number)
    for name, first in first_breach.items():
        batch.reason[stays & (first == breach) & (first < end)] = name
    batch.outcome[stays & (hold < end)] = "held"
    batch.outcome[stays & (rollback < end)] = "rolled_back"
    batch.hours[number, batch.is_alive] = step.hours[last][batch.is_alive]
    batch.requests += np.where(batch.is_alive, step.looks[last], 0)
    batch.exceeded += np.where(batch.is_alive, step.exceeded[:, last, runs], 0)
    batch.is_alive &= advances


def _note_verdicts(policy: Policy, batch: Batch, step: Step, breach: Counts, number: int) -> None:
    verdict, end = breach, len(step.looks)
    if number == 0 and policy.rate_criteria:
        passed = np.logical_and.reduce([step.passes[criterion.name] for criterion in policy.rate_criteria])
        verdict = np.minimum(verdict, first_look(passed))
    is_new = batch.is_alive & (batch.verdict_after < 0) & (verdict < end)
    batch.verdict_after[is_new] = (batch.requests + step.looks[np.minimum(verdict, end - 1)])[is_new]


def _summary(policy: Policy, batches: Sequence[Batch]) -> dict[str, Any]:
    outcome = np.concatenate([batch.outcome for batch in batches])
    reason = np.concatenate([batch.reason for batch in batches])
    hours = np.concatenate([batch.hours for batch in batches], axis=1)
    verdict_after = np.concatenate([batch.verdict_after for batch in batches])
    entered = ~np.isnan(hours)
    ends = entered & ~np.vstack([entered[1:], np.zeros((1, len(outcome)), np.bool_)])
    is_settled = (outcome == "promoted") | (outcome == "rolled_back")
    return {
        "runs": len(outcome),
        "promoted": int((outcome == "promoted").sum()),
        "rolled_back": int((outcome == "rolled_back").sum()),
        "undecided": int((~is_settled).sum()),
        "held": int((outcome == "held").sum()),
        "median_requests_to_verdict": _median(verdict_after[verdict_after > 0]),
        "median_hours_to_outcome": _median(np.nansum(hours, axis=0)[is_settled]),
        "reasons": dict(Counter(str(name) for name in reason[outcome != "promoted"]).most_common()),
        "steps": [
            {
                "percent": percent,
                "entered": int(entered[number].sum()),
                **{name: int((ends[number] & (outcome == name)).sum()) for name in _ENDS},
                "median_hours": _median(hours[number][entered[number]]),
            }
            for number, percent in enumerate(policy.steps_percent)
        ],
    }


def _median(values: NDArray[Any]) -> float | None:
    return round(float(np.median(values)), 2) if values.size else None
