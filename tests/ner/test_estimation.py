"""The label-free estimate against windows whose outcomes were drawn from the confidences."""

from dataclasses import replace

import numpy as np
import pytest

from ner.estimation import LOST_PER_UNKNOWN, estimate_quality, unknown_share
from ner.predictions import ScoredSpan, Tagged


def _window(documents: int, random: np.random.Generator) -> tuple[list[Tagged], int, int]:
    """Answers, and how many of their spans are right and how many entities there are, drawn from the confidences."""
    answers, right, entities = [], 0, 0
    for _ in range(documents):
        confidences = random.beta(6, 2, size=random.integers(0, 5))
        missed = random.gamma(1.0, 0.3)
        spans = tuple(ScoredSpan(place * 10, place * 10 + 5, "geo", float(c)) for place, c in enumerate(confidences))
        answers.append(Tagged(spans, 50, 0, (), float(confidences.sum() + missed)))
        hits = int((random.random(len(confidences)) < confidences).sum())
        right, entities = right + hits, entities + hits + int(random.poisson(missed))
    return answers, right, entities


def test_the_estimate_is_the_ratio_of_expected_counts() -> None:
    answers = [
        Tagged((ScoredSpan(0, 3, "geo", 0.9), ScoredSpan(4, 6, "per", 0.5)), 9, 0, (), 1.6),
        Tagged((ScoredSpan(0, 3, "geo", 0.6),), 9, 0, (), 0.9),
    ]
    found = estimate_quality(answers)
    assert found.recall is not None
    assert found.f1 is not None
    assert found.precision.value == pytest.approx(2.0 / 3)
    assert found.recall.value == pytest.approx(2.0 / 2.5)
    assert found.f1.value == pytest.approx(4.0 / 5.5)
    assert (found.documents, found.predicted) == (2, 3)


def test_the_interval_holds_the_truth_about_as_often_as_it_says_when_confidences_are_calibrated() -> None:
    random, inside = np.random.default_rng(3), 0
    for seed in range(200):
        answers, right, entities = _window(120, random)
        found = estimate_quality(answers, resamples=300, seed=seed)
        predicted = sum(len(answer.spans) for answer in answers)
        assert found.f1 is not None
        inside += found.f1.low <= 2 * right / (predicted + entities) <= found.f1.high
    assert inside >= 186


def test_the_interval_is_narrower_when_there_are_more_documents() -> None:
    random = np.random.default_rng(5)
    small, large = (estimate_quality(_window(size, random)[0]).precision for size in (50, 2000))
    assert large.high - large.low < (small.high - small.low) / 4


def test_recall_is_unknown_when_a_tagger_expects_no_number_of_entities() -> None:
    found = estimate_quality([Tagged((ScoredSpan(0, 3, "geo", 0.9),), 9, 0)])
    assert found.precision.value == pytest.approx(0.9)
    assert found.recall is None
    assert found.f1 is None


@pytest.mark.parametrize("answers", [[], [Tagged((), 5, 0, (), 0.0)]])
def test_nothing_is_known_when_nothing_was_found(answers: list[Tagged]) -> None:
    found = estimate_quality(answers)
    assert (found.precision.low, found.precision.high) == (0.0, 1.0)


def test_the_interval_reaches_lower_the_more_words_the_model_does_not_know() -> None:
    answers, *_ = _window(400, np.random.default_rng(1))
    strange = [replace(answer, unknown_tokens=answer.tokens // 5) for answer in answers]
    here, away = (estimate_quality(one, home_unknown_share=0.0).f1 for one in (answers, strange))
    plain = estimate_quality(strange).f1
    assert here is not None
    assert away is not None
    assert plain is not None
    distance = unknown_share(strange) - unknown_share(answers)
    assert (away.value, away.high) == (plain.value, plain.high) == (here.value, here.high)
    assert away.low == pytest.approx(max(0.0, plain.low - LOST_PER_UNKNOWN * unknown_share(strange)))
    assert distance > 0
    assert estimate_quality(strange, home_unknown_share=1.0).f1 == plain
