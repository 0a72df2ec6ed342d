"""What a policy would have done, many times over: canaries of known quality, judged as real ones are.

A breach is judged on all requests since the canary began; a step is passed on the requests of that step alone.
Looks come after every ten requests at first, then after every two percent more.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ner.errors import InvalidInput
from registry.evidence import Borders, Counts, Reals, borders
from registry.policy import Criterion, Policy

Mask = NDArray[np.bool_]
Outcome = Literal["promoted", "rolled_back", "held", "undecided"]

F1_ERROR_AT_500 = 0.006
"""Standard error of the paired F1 difference on 500 labelled sentences: pairing halves the error of each F1."""

_RUNS_AT_ONCE = 500
_LOOK_EVERY, _LOOK_GROWTH = 10, 1.02
_MOST_EVIDENCE = 5_000_000
_ONE_SIDED = 1.645


@dataclass(frozen=True, slots=True)
class Canary:
    """The truth about a simulated canary. `rate` is requests per second over both versions; latencies are
    log-normal; `f1_drop` is measured once, on `labelled_documents` sentences; `memory_share` does not vary.
    """

    error_rate: float
    latency_p50_ms: float
    latency_p95_ms: float
    f1_drop: float
    labelled_documents: int
    memory_share: float
    rate: float

    def exceeds(self, criterion: Criterion) -> float:
        """The chance that one request exceeds a rate criterion."""
        if criterion.slower_than_ms is None:
            return self.error_rate
        spread = math.log(self.latency_p95_ms / self.latency_p50_ms) / NormalDist().inv_cdf(0.95)
        distance = math.log(criterion.slower_than_ms / self.latency_p50_ms)
        if spread == 0:
            return float(distance < 0)
        return NormalDist().cdf(-distance / spread)


@dataclass(slots=True)
class _Batch:
    """Rollouts side by side, one item of each array per run. `exceeded` has a row for each rate criterion, `hours` one
    for each step, NaN where it was not entered. `verdict_after` is -1 until there was a verdict.
    """

    is_alive: Mask
    requests: Counts
    exceeded: Counts
    hours: Reals
    verdict_after: Counts
    outcome: NDArray[np.object_]
    reason: NDArray[np.object_]
    f1_passes: Mask
    f1_fails: Mask


@dataclass(frozen=True, slots=True)
class _Step:
    """What one step shows at each look: `looks` counts the canary's requests, masks are (looks, runs)."""

    looks: Counts
    hours: Reals
    exceeded: Counts
    breaches: dict[str, Mask]
    passes: dict[str, Mask]


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
    runs: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Take `runs` canaries through the policy and count what became of them.

    The median latency is a third of the 95th percentile unless given. Raises InvalidInput for numbers that no
    canary can have.

    Returns "promoted", "rolled_back" and "undecided", which add up to `runs` ("held" are those of the undecided that
    a breach holds for a person); "median_requests_to_verdict": canary requests until the first breach, or until all
    request criteria of the first step had passed, None where no run got there; "median_hours_to_outcome"; "reasons";
    "steps" with the runs that entered each and the median hours they stayed.
    """
    median_ms = latency_p95_ms / 3 if latency_p50_ms is None else latency_p50_ms
    canary = Canary(error_rate, median_ms, latency_p95_ms, f1_drop, labelled_documents, memory_share, rate)
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
        (0 <= canary.rate <= 1_000_000, "The rate is requests per second, from 0 to 1,000,000."),
        (1 <= runs <= 1_000_000, "The runs are a number from 1 to 1,000,000."),
    ]
    for holds, sentence in rules:
        if not holds:
            raise InvalidInput(sentence)


def _roll_out(policy: Policy, canary: Canary, runs: int, generator: np.random.Generator) -> _Batch:
    f1_passes, f1_fails = _f1_verdicts(policy, canary, runs, generator)
    batch = _Batch(
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
        looks = _looks(policy, canary.rate * percent / 100 * 3600)
        if len(looks) == 0 or not batch.is_alive.any():
            break
        step = _watch(policy, canary, batch, looks, canary.rate * percent / 100 * 3600, generator)
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


def _looks(policy: Policy, per_hour: float) -> Counts:
    """The canary's requests in a step at each look, up to the longest bake time; none without traffic."""
    last = math.floor(per_hour * policy.longest_hours)
    if last < 1:
        return np.zeros(0, np.int64)
    counts, count = [math.ceil(per_hour * policy.shortest_hours), last], _LOOK_EVERY
    while count < last:
        counts.append(count)
        count = max(count + _LOOK_EVERY, int(count * _LOOK_GROWTH))
    return np.unique([count for count in counts if 1 <= count <= last])


def _watch(
    policy: Policy, canary: Canary, batch: _Batch, looks: Counts, per_hour: float, generator: np.random.Generator
) -> _Step:
    shape = (len(looks), len(batch.is_alive))
    exceeded = _draw(policy, canary, looks, shape[1], generator)
    breaches, passes = {}, {}
    for row, criterion in enumerate(policy.rate_criteria):
        table = _table(criterion.allowed_share or 0.0, policy.false_alarm_rate)
        life = batch.requests + looks[:, None]
        breaches[criterion.name] = table.fails(batch.exceeded[row] + exceeded[row], life)
        passes[criterion.name] = table.passes(exceeded[row], np.broadcast_to(looks[:, None], shape))
    if policy.criterion("f1_drop"):
        breaches["f1_drop"] = np.broadcast_to(batch.f1_fails, shape)
        passes["f1_drop"] = np.broadcast_to(batch.f1_passes, shape)
    if memory := policy.criterion("memory_share"):
        breaches["memory_share"] = np.full(shape, canary.memory_share >= memory.limit)
        passes["memory_share"] = ~breaches["memory_share"]
    return _Step(looks, looks / per_hour, exceeded, breaches, passes)


def _draw(policy: Policy, canary: Canary, looks: Counts, runs: int, generator: np.random.Generator) -> Counts:
    """Exceeding requests so far at each look: (rate criteria, looks, runs). A request above one latency limit is
    above every lower one, so these are drawn from the highest limit down.
    """
    asked = np.broadcast_to(np.diff(looks, prepend=0)[:, None], (len(looks), runs))
    drawn = np.zeros((len(policy.rate_criteria), len(looks), runs), np.int64)
    slower, share = np.zeros_like(asked), 0.0
    order = sorted(range(len(drawn)), key=lambda row: -(policy.rate_criteria[row].slower_than_ms or 0.0))
    for row in order:
        criterion = policy.rate_criteria[row]
        chance = canary.exceeds(criterion)
        if criterion.slower_than_ms is None:
            drawn[row] = generator.binomial(asked, chance)
            continue
        among_the_rest = min(1.0, (chance - share) / (1 - share)) if share < 1 else 0.0
        slower = slower + generator.binomial(asked - slower, max(0.0, among_the_rest))
        drawn[row], share = slower, chance
    return drawn.cumsum(axis=1)


@lru_cache(maxsize=64)
def _table(limit: float, false_alarm_rate: float) -> Borders:
    counts, count = [], _LOOK_EVERY
    while count < _MOST_EVIDENCE:
        counts.append(count)
        count = max(count + _LOOK_EVERY, int(count * _LOOK_GROWTH))
    return borders(np.array([*range(1, _LOOK_EVERY), *counts]), limit, false_alarm_rate)


def _settle(policy: Policy, batch: _Batch, step: _Step, number: int) -> None:
    """Let every live run advance, be stopped, or come to the end of the longest bake time without either."""
    runs, end = np.arange(len(batch.is_alive)), len(step.looks)
    first_breach = {name: _first(mask) for name, mask in step.breaches.items()}
    breach = np.minimum.reduce([*first_breach.values(), np.full(len(runs), end)])
    rollback = np.minimum.reduce(
        [first_breach[c.name] for c in policy.criteria if c.on_breach == "roll_back"] + [np.full(len(runs), end)]
    )
    all_pass = np.logical_and.reduce(list(step.passes.values()))
    advance = _first(all_pass & (step.hours >= policy.shortest_hours)[:, None])
    advances = (advance < end) & (advance < breach)
    last = np.where(advances, advance, np.minimum(rollback, end - 1))
    _note_verdicts(policy, batch, step, breach, number)
    for name, first in first_breach.items():
        batch.reason[batch.is_alive & ~advances & (first == breach) & (first < end)] = name
    stays = {c.name: c.on_breach for c in policy.criteria}
    investigated = np.logical_or.reduce(
        [first_breach[name] < end for name, action in stays.items() if action == "investigate"] or [runs < 0]
    )
    batch.outcome[batch.is_alive & ~advances & (breach < end)] = "held"
    batch.outcome[batch.is_alive & ~advances & ((rollback < end) | investigated)] = "rolled_back"
    batch.hours[number, batch.is_alive] = step.hours[last][batch.is_alive]
    batch.requests += np.where(batch.is_alive, step.looks[last], 0)
    batch.exceeded += np.where(batch.is_alive, step.exceeded[:, last, runs], 0)
    batch.is_alive &= advances


def _note_verdicts(policy: Policy, batch: _Batch, step: _Step, breach: Counts, number: int) -> None:
    verdict, end = breach, len(step.looks)
    if number == 0 and policy.rate_criteria:
        passed = np.logical_and.reduce([step.passes[criterion.name] for criterion in policy.rate_criteria])
        verdict = np.minimum(verdict, _first(passed))
    is_new = batch.is_alive & (batch.verdict_after < 0) & (verdict < end)
    batch.verdict_after[is_new] = (batch.requests + step.looks[np.minimum(verdict, end - 1)])[is_new]


def _first(mask: Mask) -> Counts:
    """For each run the first look at which the mask holds; the number of looks where it never does."""
    return np.where(mask.any(axis=0), mask.argmax(axis=0), len(mask))


def _summary(policy: Policy, batches: Sequence[_Batch]) -> dict[str, Any]:
    outcome = np.concatenate([batch.outcome for batch in batches])
    reason = np.concatenate([batch.reason for batch in batches])
    hours = np.concatenate([batch.hours for batch in batches], axis=1)
    verdict_after = np.concatenate([batch.verdict_after for batch in batches])
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
                "entered": int((~np.isnan(hours[number])).sum()),
                "median_hours": _median(hours[number][~np.isnan(hours[number])]),
            }
            for number, percent in enumerate(policy.steps_percent)
        ],
    }


def _median(values: NDArray[Any]) -> float | None:
    return round(float(np.median(values)), 2) if values.size else None
