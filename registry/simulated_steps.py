"""Simulated canaries side by side: what each look at one step of a policy shows the judge."""

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from registry.evidence import Borders, Counts, Reals, borders, log_worse_each
from registry.policy import Criterion, Policy

Mask = NDArray[np.bool_]

LOOK_EVERY, LOOK_GROWTH = 10, 1.02
_MOST_EVIDENCE = 5_000_000
_COMPARED_AGAIN_AFTER = 1.1


@dataclass(frozen=True, slots=True)
class Canary:
    """The truth about a simulated canary. `rate` is requests per second over both versions; latencies are
    log-normal; `f1_drop` is measured once, on `labelled_documents` sentences; `memory_share` does not vary. The stable
    version beside it fails in `stable_error_rate` of its requests and is never too slow.
    """

    error_rate: float
    latency_p50_ms: float
    latency_p95_ms: float
    f1_drop: float
    labelled_documents: int
    memory_share: float
    rate: float
    stable_error_rate: float = 0.0

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
class Batch:
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
class Step:
    """What one step shows at each look: `looks` counts the canary's requests, masks are (looks, runs)."""

    looks: Counts
    hours: Reals
    exceeded: Counts
    breaches: dict[str, Mask]
    passes: dict[str, Mask]


def looks_of(policy: Policy, per_hour: float) -> Counts:
    """The canary's requests in a step at each look, up to the longest bake time; none without traffic."""
    last = math.floor(per_hour * policy.longest_hours)
    if last < 1:
        return np.zeros(0, np.int64)
    counts, count = [math.ceil(per_hour * policy.shortest_hours), last], LOOK_EVERY
    while count < last:
        counts.append(count)
        count = max(count + LOOK_EVERY, int(count * LOOK_GROWTH))
    return np.unique([count for count in counts if 1 <= count <= last])


def watch(
    policy: Policy, canary: Canary, batch: Batch, looks: Counts, number: int, generator: np.random.Generator
) -> Step:
    """Draw the requests of a step and judge every criterion at every look, by the rules of `registry.verdicts`.

    With all of the traffic nobody answers beside the canary: where it is beyond a limit, it is compared from there on
    with a stable version that answers what the step before leaves to it, as after a step back.
    """
    percent = policy.steps_percent[number]
    per_hour = canary.rate * percent / 100 * 3600
    shape = (len(looks), len(batch.is_alive))
    exceeded = _draw(policy, canary, looks, shape[1], generator)
    is_whole = percent >= 100
    compared = policy.steps_percent[number - 1] if is_whole and number > 0 else percent
    beside = np.floor(looks * (100 - compared) / compared).astype(np.int64)
    breaches, passes = {}, {}
    for row, criterion in enumerate(policy.rate_criteria):
        table = _table(criterion.allowed_share or 0.0, policy.false_alarm_rate)
        above = table.fails(batch.exceeded[row] + exceeded[row], batch.requests + looks[:, None]) & batch.is_alive
        share = canary.stable_error_rate if criterion.slower_than_ms is None else 0.0
        stable = generator.binomial(np.diff(beside, prepend=0)[:, None], share, size=shape).cumsum(axis=0)
        breaches[criterion.name] = _worse_too(
            above, exceeded[row], looks, stable, beside, policy.false_alarm_rate, from_doubt=is_whole
        )
        passes[criterion.name] = table.passes(exceeded[row], np.broadcast_to(looks[:, None], shape))
    if policy.criterion("f1_drop"):
        breaches["f1_drop"] = np.broadcast_to(batch.f1_fails, shape)
        passes["f1_drop"] = np.broadcast_to(batch.f1_passes, shape)
    if memory := policy.criterion("memory_share"):
        breaches["memory_share"] = np.full(shape, canary.memory_share >= memory.limit)
        passes["memory_share"] = ~breaches["memory_share"]
    hours = np.minimum(looks / per_hour, policy.longest_hours)
    hours[-1] = policy.longest_hours
    return Step(looks, hours, exceeded, breaches, passes)


def _worse_too(
    above: Mask,
    exceeded: Counts,
    looks: Counts,
    stable: Counts,
    beside: Counts,
    false_alarm_rate: float,
    *,
    from_doubt: bool,
) -> Mask:
    """Where a canary above the limit is worse than the stable version too. Once it is, it stays so; before, it is
    compared again after a tenth more requests. `from_doubt`: on what came after it was above the limit only.
    """
    found = np.zeros_like(above)
    if not beside.any():
        return found
    place = first_look(above)
    runs = np.flatnonzero(place < len(looks))
    doubt = np.minimum(place, len(looks) - 1)
    each = np.arange(len(place))
    start = [exceeded[doubt, each], looks[doubt], stable[doubt, each], beside[doubt]]
    before = start if from_doubt else [np.zeros_like(one) for one in start]
    while runs.size:
        look = place[runs]
        so_far = (exceeded[look, runs], looks[look], stable[look, runs], beside[look])
        counts = [now - then[runs] for now, then in zip(so_far, before, strict=True)]
        counts[3] = np.maximum(counts[3], 1)
        is_worse = log_worse_each(*counts) >= -math.log(false_alarm_rate)
        for run in runs[is_worse]:
            found[place[run] :, run] = above[place[run] :, run]
        runs = runs[~is_worse]
        place[runs] = np.searchsorted(looks, np.ceil(looks[place[runs]] * _COMPARED_AGAIN_AFTER))
        runs = runs[place[runs] < len(looks)]
        runs = runs[above[place[runs], runs]]
    return found


def first_look(mask: Mask) -> Counts:
    """For each run the first look at which the mask holds; the number of looks where it never does."""
    return np.where(mask.any(axis=0), mask.argmax(axis=0), len(mask))


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
    counts, count = [], LOOK_EVERY
    while count < _MOST_EVIDENCE:
        counts.append(count)
        count = max(count + LOOK_EVERY, int(count * LOOK_GROWTH))
    return borders(np.array([*range(1, LOOK_EVERY), *counts]), limit, false_alarm_rate)
