"""How many more requests a verdict on a share will take, if the canary goes on as what was seen of it lets expect.

Canaries are drawn from what is known of the share (Beta(1/2, 1/2) prior, normal in the angle whose sine is its root),
and each goes on, from failure to failure, until the evidence is enough for one answer or the other. The draws are
fixed, so that the same counts are told the same forecast. What is told is not their median: bad luck so far makes a
canary look nearer to the limit than it is, so that most end before the median (docs/benchmarks-rollout.md).
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from registry.evidence import Counts, Reals, Tally, log_evidence

_CANARIES = 120
_MOST_EXCEEDING = 20_000
# Steps are small beside the room between the two verdicts, which grows like the root of the exceeding requests.
_STEP_ROOTS, _COARSE = 0.4, 8
_MOST_REQUESTS = 10_000_000
_LOW, _MIDDLE, _HIGH = 0.1, 0.4, 0.9


@dataclass(frozen=True, slots=True)
class Forecast:
    """More requests: two in five of the canaries take fewer, a tenth fewer than `low`, a tenth more than `high` (None:
    no end in sight).
    """

    requests: int
    low: int
    high: int | None


@dataclass(frozen=True, slots=True)
class _Ends:
    """For growing counts of exceeding requests: the most requests in which they fail, the fewest in which they pass."""

    exceeding: Counts
    fail_up_to: Reals
    pass_from: Reals


def forecast(tally: Tally, limit: float, false_alarm_rate: float) -> Forecast | None:
    """From the counts of now; None where no end is in sight for two in five of the canaries."""
    if tally.exceeded >= _MOST_EXCEEDING:
        return None
    more = np.sort(_more_requests(tally, _ends(limit, false_alarm_rate)))
    low, middle, high = (float(more[int(share * _CANARIES)]) for share in (_LOW, _MIDDLE, _HIGH))
    if middle > _MOST_REQUESTS:
        return None
    return Forecast(_rounded(middle), _rounded(low), _rounded(high) if high <= _MOST_REQUESTS else None)


def _rounded(requests: float) -> int:
    """To two digits: more would promise too much."""
    most = int(10 ** max(0, int(math.log10(max(1.0, requests))) - 1))
    return int(max(1, round(requests / most) * most))


def _more_requests(tally: Tally, ends: _Ends) -> Reals:
    """Of each canary that is drawn; infinity where the counts grow beyond all tables."""
    ahead = np.searchsorted(ends.exceeding, tally.exceeded, side="right")
    exceeding = np.concatenate([[tally.exceeded], ends.exceeding[ahead:]])
    at = tally.requests + np.cumsum(_gaps(np.diff(exceeding), _shares(tally)), axis=1)
    fails = at <= ends.fail_up_to[ahead:]
    begins = np.interp(exceeding[:-1], ends.exceeding, ends.pass_from)
    passes = begins <= at
    settled = fails | passes
    first = settled.argmax(axis=1)
    each = np.arange(_CANARIES)
    total = np.where(passes[each, first], np.maximum(begins[first], tally.requests + 1), at[each, first])
    return np.where(settled[each, first], total - tally.requests, math.inf)


def _shares(tally: Tally) -> Reals:
    """A share for each canary, at equal steps of probability; shape (canaries, 1)."""
    angle = math.asin(math.sqrt((tally.exceeded + 0.375) / (tally.requests + 0.75)))
    places = [NormalDist().inv_cdf((number + 0.5) / _CANARIES) for number in range(_CANARIES)]
    angles = angle + np.array(places) / (2 * math.sqrt(tally.requests + 0.5))
    shares: Reals = np.clip(np.sin(angles) ** 2, 1e-12, 1 - 1e-9)[:, None]
    return shares


def _gaps(failures: Reals, shares: Reals) -> Reals:
    """Requests until so many failures more: geometric for one, by Wilson and Hilferty's cube (1931) for more."""
    uniform, normal = _draws(len(_ladder()))
    steps = len(failures)
    one = np.ceil(np.log(uniform[:, :steps]) / np.log1p(-shares))
    cube = 1 - 1 / (9 * failures) + normal[:, :steps] / (3 * np.sqrt(failures))
    return np.where(failures <= 1, one, failures * np.maximum(cube, 0.0) ** 3 / shares)


@lru_cache(maxsize=1)
def _draws(steps: int) -> tuple[Reals, Reals]:
    """Uniform numbers from raw bits, which no version of NumPy changes, and the normal ones of the same place."""
    bits = np.random.Philox(key=1).random_raw(_CANARIES * steps).reshape(_CANARIES, steps)
    uniform = ((bits >> np.uint64(11)) + 0.5) * 2.0**-53
    inverse = NormalDist().inv_cdf
    normal = np.array([[inverse(value) for value in row] for row in uniform.tolist()], np.float64)
    return np.asarray(uniform, np.float64), normal


@lru_cache(maxsize=1)
def _ladder() -> Counts:
    counts = [0]
    while counts[-1] < _MOST_EXCEEDING:
        counts.append(counts[-1] + max(1, int(_STEP_ROOTS * math.sqrt(counts[-1]))))
    return np.array(counts)


@lru_cache(maxsize=64)
def _ends(limit: float, false_alarm_rate: float) -> _Ends:
    """Where the verdicts change: by bisection for some counts, by a line between them for the rest."""
    needed, ladder = -math.log(false_alarm_rate), _ladder()
    some = np.unique(np.concatenate([ladder[:40], ladder[40::_COARSE], ladder[-1:]]))
    # E-values grow like the square of the distance from the limit, so both ends lie within this of it.
    reach = 20 + 3 * np.sqrt(some * (needed + np.log(some + 1.0) + 12))
    least = np.maximum(some, 1.0)
    fails = np.maximum((some - reach) / limit, least), np.maximum(some / limit, least)
    passes = least / limit, (some + reach) / limit
    for _ in range(14):
        fails = _halved(fails, log_evidence(some, (fails[0] + fails[1]) / 2, limit)[0] >= needed)
        passes = _halved(passes, log_evidence(some, (passes[0] + passes[1]) / 2, limit)[1] < needed)
    never = log_evidence(some, least, limit)[0] < needed
    fail_up_to = np.where(never, 0.0, fails[0])
    return _Ends(ladder, np.interp(ladder, some, fail_up_to), np.interp(ladder, some, passes[1]))


def _halved(ends: tuple[Reals, Reals], is_above: NDArray[np.bool_]) -> tuple[Reals, Reals]:
    middle = (ends[0] + ends[1]) / 2
    return np.where(is_above, middle, ends[0]), np.where(is_above, ends[1], middle)
