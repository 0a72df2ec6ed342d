"""What comes first in the queue, and that a random share of it is really random."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner.predictions import ScoredSpan, Tagged
from ner.priority import Mixture, expected_errors, order_by_priority

SURE = Mixture(random_share=0.0)


def _answer(*confidences: float, expected: float | None = None, unknown: int = 0) -> Tagged:
    spans = tuple(ScoredSpan(10 * place, 10 * place + 5, "geo", value) for place, value in enumerate(confidences))
    return Tagged(spans, 50, unknown, (), expected)


def test_expected_errors_are_wrong_spans_and_missed_entities() -> None:
    assert expected_errors(_answer(0.9, 0.6, expected=2.0)) == pytest.approx(0.5 + 0.5)
    assert expected_errors(_answer(0.9, 0.6)) == pytest.approx(0.5)
    assert expected_errors(_answer(expected=0.0)) == 0.0


def test_the_least_sure_comes_first() -> None:
    answers = [_answer(0.99), _answer(0.5), _answer(expected=0.1), _answer(0.7, 0.4)]
    assert order_by_priority(answers, mixture=SURE) == [3, 1, 2, 0]


def test_unknown_words_decide_when_the_model_is_equally_sure() -> None:
    answers = [_answer(0.9), _answer(0.9, unknown=3), _answer(0.9, unknown=1)]
    assert order_by_priority(answers, mixture=SURE) == [1, 2, 0]


def test_disagreement_decides_when_the_rest_is_equal() -> None:
    ours = [_answer(0.9), _answer(0.9)]
    assert order_by_priority(ours, others=[_answer(0.8), _answer(0.8, 0.7)], mixture=SURE) == [1, 0]


@given(st.lists(st.floats(0, 1), max_size=30), st.floats(0, 1), st.integers(0, 5))
def test_every_document_comes_once_in_an_order_that_the_seed_decides(
    confidences: list[float], share: float, seed: int
) -> None:
    answers = [_answer(value) for value in confidences]
    order = order_by_priority(answers, mixture=Mixture(random_share=share), seed=seed)
    assert sorted(order) == list(range(len(answers)))
    assert order == order_by_priority(answers, mixture=Mixture(random_share=share), seed=seed)


def test_the_random_share_is_drawn_evenly() -> None:
    answers = [_answer(value) for value in np.linspace(0.5, 1.0, 200)]
    firsts = [order_by_priority(answers, mixture=Mixture(random_share=1.0), seed=seed)[0] for seed in range(300)]
    assert np.mean(firsts) == pytest.approx(99.5, abs=12)
