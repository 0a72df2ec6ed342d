"""How much a count says: e-values that may be looked at after every request.

For a share of exceeding requests p against a limit p0 there are two e-processes: the likelihood of what was seen,
mixed over a Beta(1/2, 1/2) prior cut to p > p0 (and to p < p0), divided by the likelihood at p0. Each is a
non-negative supermartingale under "p <= p0" (under "p >= p0"), so by Ville's inequality (1939) it ever exceeds 1/a
with probability at most a: peeking costs nothing. See Robbins (1970) and Ramdas, Gruenwald, Vovk and Shafer (2023).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Reals = NDArray[np.float64]
Counts = NDArray[np.int64]

_MOST_TERMS = 200_000
_WIDEST_LOG_ODDS = 18.0
_GRID, _ZOOMS = 41, 5
_EDGE, _HALVINGS = 1e-9, 50
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)


@dataclass(frozen=True, slots=True)
class Tally:
    """Requests answered, and how many of them exceeded (failed, or were too slow)."""

    exceeded: float
    requests: float

    @property
    def is_evidence(self) -> bool:
        """False for no traffic, and for counts that are no counts (NaN, negative, more exceeding than asked)."""
        return math.isfinite(self.requests) and self.requests > 0 and 0 <= self.exceeded <= self.requests


def log_evidence(exceeded: ArrayLike, requests: ArrayLike, limit: ArrayLike) -> tuple[Reals, Reals]:
    """Log e-values `(above, below)` for the share lying above and below `limit`; arrays broadcast."""
    seen, asked, share = np.broadcast_arrays(
        np.asarray(exceeded, np.float64), np.asarray(requests, np.float64), np.asarray(limit, np.float64)
    )
    a, b = seen + 0.5, asked - seen + 0.5
    log_share, log_rest = np.log(share), np.log1p(-share)
    total = _log_beta(a, b) - seen * log_share - (asked - seen) * log_rest
    # The smaller tail of the incomplete beta integral is computed, the other is what remains of the whole.
    is_low_side = share < (a + 1) / (a + b + 2)
    first = np.where(is_low_side, a, b)
    fraction = _continued_fraction(first, np.where(is_low_side, b, a), np.where(is_low_side, share, 1 - share))
    tail = (log_share + log_rest) / 2 - np.log(first) + np.log(fraction)
    rest = total + np.log1p(-np.exp(np.minimum(tail - total, -1e-300)))
    prior_below = 2 * np.arcsin(np.sqrt(share))
    below, above = np.where(is_low_side, tail, rest), np.where(is_low_side, rest, tail)
    return above - np.log(math.pi - prior_below), below - np.log(prior_below)


def share_interval(tally: Tally, false_alarm_rate: float) -> tuple[float, float]:
    """The shares that the evidence does not rule out, each side wrong with at most `false_alarm_rate`, however often
    one looks: a confidence sequence. The upper end lies below a limit exactly where the evidence says so.
    """
    needed = -math.log(false_alarm_rate)
    seen = min(1 - _EDGE, max(_EDGE, tally.exceeded / tally.requests))
    low, high = np.array([_EDGE, seen]), np.array([seen, 1 - _EDGE])
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        above, below = log_evidence(tally.exceeded, tally.requests, middle)
        is_ruled_out = np.array([above[0] >= needed, below[1] < needed])
        low, high = np.where(is_ruled_out, middle, low), np.where(is_ruled_out, high, middle)
    return 0.0 if tally.exceeded == 0 else float(low[0]), 1.0 if tally.exceeded == tally.requests else float(high[1])


def log_worse(canary: Tally, stable: Tally) -> float:
    """Log e-value for the canary's share lying above the stable version's, served at the same time.

    Were it not above, some p would separate the two; against every p the product of "canary above p" and "stable
    below p" is an e-process, so the least of them over p is one for the whole hypothesis.
    """
    counts = (canary.exceeded, canary.requests, stable.exceeded, stable.requests)
    return float(log_worse_each(*(np.array([count], np.float64) for count in counts))[0])


def log_worse_each(
    canary_exceeded: ArrayLike, canary_requests: ArrayLike, stable_exceeded: ArrayLike, stable_requests: ArrayLike
) -> Reals:
    """`log_worse` for many pairs at once: four arrays of one length."""
    seen, asked, beside, beside_asked = (
        np.asarray(counts, np.float64)
        for counts in (canary_exceeded, canary_requests, stable_exceeded, stable_requests)
    )
    each = np.arange(len(seen))
    low, high = np.full(len(seen), -_WIDEST_LOG_ODDS), np.full(len(seen), _WIDEST_LOG_ODDS)
    least = np.full(len(seen), math.inf)
    grid = np.linspace(0.0, 1.0, _GRID)[:, None]
    for _ in range(_ZOOMS):
        odds = low + (high - low) * grid
        shares = 1 / (1 + np.exp(-odds))
        separated = log_evidence(seen, asked, shares)[0] + log_evidence(beside, beside_asked, shares)[1]
        place = np.argmin(separated, axis=0)
        least = np.minimum(least, separated[place, each])
        low, high = odds[np.maximum(0, place - 1), each], odds[np.minimum(_GRID - 1, place + 1), each]
    return least


@dataclass(frozen=True, slots=True)
class Borders:
    """For growing numbers of requests: the fewest exceeding ones that fail, and the most that pass (-1: none do)."""

    requests: Counts
    fail_from: Counts
    pass_up_to: Counts

    def fails(self, exceeded: Counts, requests: Counts) -> NDArray[np.bool_]:
        """Whether the evidence says "above the limit"; between two known numbers of requests, the stricter."""
        seen, most = self._within(exceeded, requests)
        return np.asarray(seen >= self.fail_from[np.searchsorted(self.requests, most, side="left")])

    def passes(self, exceeded: Counts, requests: Counts) -> NDArray[np.bool_]:
        """Whether the evidence says "below the limit"; between two known numbers of requests, the stricter."""
        seen, most = self._within(exceeded, requests)
        place = np.searchsorted(self.requests, most, side="right") - 1
        return np.asarray((place >= 0) & (seen <= self.pass_up_to[place]))

    def _within(self, exceeded: Counts, requests: Counts) -> tuple[Reals, Counts]:
        # Above the last number known, the shares count as if they had been seen in that many requests.
        most = self.requests[-1]
        return exceeded * np.minimum(1.0, most / np.maximum(requests, 1)), np.minimum(requests, most)


def borders(requests: Counts, limit: float, false_alarm_rate: float) -> Borders:
    """Where verdicts against `limit` change. Evidence grows with the exceeding requests, so bisection finds them."""
    needed = -math.log(false_alarm_rate)
    # Both borders lie within this many requests of the limit: e-values grow like the square of the distance.
    reach = 20 + 3 * np.sqrt(requests * limit * (1 - limit) * (needed + np.log(requests + 1) + 5))
    low = np.maximum(0, np.floor(requests * limit - reach)).astype(np.int64)
    high = np.minimum(requests + 1, np.ceil(requests * limit + reach)).astype(np.int64)
    fail_from = _first(lambda seen: log_evidence(seen, requests, limit)[0] >= needed, low, high)
    undecided_from = _first(lambda seen: log_evidence(seen, requests, limit)[1] < needed, low, high)
    return Borders(requests, fail_from, undecided_from - 1)


def _first(holds: Callable[[Counts], NDArray[np.bool_]], low: Counts, high: Counts) -> Counts:
    """The least number in [low, high) for which the monotone condition holds, else high; elementwise."""
    while (low < high).any():
        middle = np.maximum(0, np.minimum((low + high) // 2, high - 1))
        does = holds(middle)
        low, high = np.where(does | (low >= high), low, middle + 1), np.where(does & (low < high), middle, high)
    return low


def _continued_fraction(a: Reals, b: Reals, x: Reals) -> Reals:
    """The continued fraction of the incomplete beta function, by Lentz (Numerical Recipes 6.4)."""
    tiny = 1e-300
    c = np.ones_like(a)
    d = 1 / _away_from_zero(1 - (a + b) * x / (a + 1), tiny)
    value = d.copy()
    for term in range(1, _MOST_TERMS):
        even = term * (b - term) * x / ((a + 2 * term - 1) * (a + 2 * term))
        odd = -(a + term) * (a + b + term) * x / ((a + 2 * term) * (a + 2 * term + 1))
        d = 1 / _away_from_zero(1 + even * d, tiny)
        c = _away_from_zero(1 + even / c, tiny)
        value = value * d * c
        d = 1 / _away_from_zero(1 + odd * d, tiny)
        c = _away_from_zero(1 + odd / c, tiny)
        step = d * c
        value = value * step
        if (np.abs(step - 1) < 1e-13).all():
            break
    return value


def _away_from_zero(values: Reals, tiny: float) -> Reals:
    return np.where(np.abs(values) < tiny, tiny, values)


def _log_beta(a: Reals, b: Reals) -> Reals:
    return _log_gamma(a) + _log_gamma(b) - _log_gamma(a + b)


def _log_gamma(x: Reals) -> Reals:
    """Stirling's series, after eight steps of the recurrence; relative error below 1e-14 for x >= 1/2."""
    product = np.ones_like(x)
    for step in range(8):
        product = product * (x + step)
    y = x + 8
    series = sum(factor / y ** (2 * power + 1) for power, factor in enumerate(_STIRLING))
    return (y - 0.5) * np.log(y) - y + 0.5 * math.log(2 * math.pi) + series - np.log(product)
