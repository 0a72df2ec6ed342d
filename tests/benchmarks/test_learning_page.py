"""What the page on queue orders says of the points that the runs left."""

from typing import Any

import pytest

from tests.benchmarks.learning_page import gains_of, halves


def _point(order: str, sentences: int, words: int, f1: float, seed: int = 1) -> dict[str, Any]:
    return {"order": order, "seed": seed, "sentences": sentences, "words": words, "entities": words // 10, "f1": f1}


def test_a_gain_is_above_the_random_order_of_the_same_seed_at_the_same_cost() -> None:
    rows = [_point("start", 10, 100, 0.5), _point("random", 40, 400, 0.7), _point("random", 40, 400, 0.1, seed=2)]
    chosen = [_point("queue", 40, 200, 0.65)]
    # 200 words are half of the way from 100 to 400 on their logarithm, where the random order has 0.6.
    assert gains_of([*rows, *chosen], chosen, "words") == pytest.approx([0.05])
    assert gains_of([*rows, *chosen], chosen, "sentences") == pytest.approx([-0.05])
    # Beyond the random order's last point there is nothing to compare with.
    assert gains_of(rows, [_point("queue", 80, 800, 0.8)], "words") == []


def test_a_thousand_of_an_order_stand_beside_two_thousand_at_random_of_the_same_seed() -> None:
    rows = [_point("queue", 1000, 9, 0.76, seed) for seed in (1, 2)]
    assert halves(rows) == []
    (line,) = halves([*rows, _point("random", 2000, 9, 0.75, 1)])
    assert "+0.010 (seed 1); mean +0.010." in line
