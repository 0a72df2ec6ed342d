"""A sampled log: few rows, true sums."""

import math
from random import Random

import pytest

from registry.sampling import RowSampler


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def _sampled(rates: list[int], limit: int, seed: int) -> tuple[list[int], float]:
    """Rows kept in each second, and the sum of their weights, when `rates[i]` rows come evenly in second i."""
    clock = Clock()
    sampler = RowSampler(limit, clock=clock, draw=Random(seed).random)
    kept, total = [], 0.0
    for second, rate in enumerate(rates):
        weights = []
        for number in range(rate):
            clock.now = 1000 + second + number / rate
            weights.append(sampler.weight())
        kept.append(sum(weight is not None for weight in weights))
        total += sum(weight for weight in weights if weight is not None)
    return kept, total


def test_every_row_is_kept_as_it_is_below_the_limit() -> None:
    assert _sampled([50, 100, 3, 0, 100], 100, 1) == ([50, 100, 3, 0, 100], 253.0)


def test_every_row_is_kept_when_there_is_no_limit() -> None:
    assert _sampled([500, 4_000], 0, 1) == ([500, 4_000], 4_500.0)


@pytest.mark.parametrize("rates", [[2_000] * 5, [10, 5_000, 10, 5_000], [100, 200, 400, 800, 1_600]])
def test_sums_stay_true_and_rows_stay_few_above_the_limit(rates: list[int]) -> None:
    limit, trials = 100, 200
    outcomes = [_sampled(rates, limit, seed) for seed in range(trials)]
    totals = [total for _, total in outcomes]
    mean = math.fsum(totals) / trials
    spread = math.sqrt(math.fsum((total - mean) ** 2 for total in totals) / (trials - 1))
    # The mean of all trials lies within four standard errors of the truth.
    assert abs(mean - sum(rates)) < 4 * spread / math.sqrt(trials)
    # In a second that nobody could foresee the logarithm of the excess is kept too.
    most = [min(rate, limit * (1 + math.log(max(1, rate / limit)))) for rate in rates]
    for second, bound in enumerate(most):
        assert sum(kept[second] for kept, _ in outcomes) / trials <= bound * 1.05 + 1
