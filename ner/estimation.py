"""How good a version is on texts that nobody has labelled, from its own calibrated probabilities.

If confidences are calibrated, their sum is the number of right spans to be expected, and the sum of the probabilities
that an entity starts, over all tokens, is the number of entities to be expected (Guillory et al. 2021 for accuracy;
for spans both sums are exact under the CRF). Precision, recall and F1 follow. The estimate trusts the model's
probabilities: on texts unlike those it was calibrated on it is too high, which no probability of its own can show. What
can be seen without labels is how far away the texts are, by the share of words that the model does not know; told that
share at home, the interval reaches lower by what such a distance has cost at most where it was measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ner.predictions import Tagged

LOST_PER_UNKNOWN = 1.25
"""Points of precision, recall and F1 that may be missing for each point of unknown words above those at home."""
_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Estimated:
    """A figure in [0, 1] with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class QualityEstimate:
    """What precision, recall and F1 probably are; `recall` and `f1` are None where a tagger gives no expected
    number of entities."""

    documents: int
    predicted: int
    precision: Estimated
    recall: Estimated | None
    f1: Estimated | None


def estimate_quality(
    answers: Sequence[Tagged], *, home_unknown_share: float | None = None, resamples: int = 1000, seed: int = 0
) -> QualityEstimate:
    """Estimated strict precision, recall and F1 of a window of answers, without labels.

    With the share of unknown words at home (where the probabilities were calibrated) the interval is widened downwards
    by the window's distance from it; without, it holds at home alone.

    The interval holds two doubts: which documents came (bootstrap over documents), and how the spans of those came
    out (each is right with its confidence, and entities that were missed are counted by a Poisson law).
    """
    confidences = [[span.confidence for span in answer.spans] for answer in answers]
    sums = np.array([_sums(row, answer.expected_entities) for row, answer in zip(confidences, answers, strict=True)])
    sums = sums.reshape(len(answers), 4)
    is_complete = all(answer.expected_entities is not None for answer in answers)
    draws = _draw_outcomes(sums, resamples, np.random.default_rng(seed))
    total = sums.sum(axis=0)
    points = _figures(total[0], total[2], total[3])
    intervals = _figures(*draws)
    distance = 0.0 if home_unknown_share is None else max(0.0, unknown_share(answers) - home_unknown_share)
    figures = [
        _lowered(_estimated(float(point), spread), LOST_PER_UNKNOWN * distance)
        for point, spread in zip(points, intervals, strict=True)
    ]
    predicted = int(total[2])
    if not is_complete:
        return QualityEstimate(len(answers), predicted, figures[0], None, None)
    return QualityEstimate(len(answers), predicted, *figures)


def unknown_share(answers: Sequence[Tagged]) -> float:
    """The share of tokens that the model does not know, in [0, 1]."""
    return sum(answer.unknown_tokens for answer in answers) / max(1, sum(answer.tokens for answer in answers))


def _lowered(figure: Estimated, reach: float) -> Estimated:
    return replace(figure, low=max(0.0, figure.low - reach))


def _sums(confidences: Sequence[float], expected: float | None) -> list[float]:
    """Expected right spans, their variance, spans, expected entities."""
    right = np.asarray(confidences, dtype=np.float64)
    entities = right.sum() if expected is None else max(expected, right.sum())
    return [right.sum(), (right * (1 - right)).sum(), len(right), entities]


def _draw_outcomes(
    sums: NDArray[np.float64], resamples: int, random: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Right spans, spans and entities of `resamples` windows like this one."""
    drawn = np.zeros((resamples, 4))
    if len(sums):
        weights = random.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=resamples)
        drawn = weights @ sums
    right = random.normal(drawn[:, 0], np.sqrt(drawn[:, 1]))
    right = np.clip(right, 0, drawn[:, 2])
    missed = random.poisson(np.maximum(drawn[:, 3] - drawn[:, 0], 0))
    return right, drawn[:, 2], right + missed


def _figures(right: object, found: object, entities: object) -> list[NDArray[np.float64]]:
    """Precision, recall and F1; NaN where undefined."""
    correct, predicted, gold = (np.asarray(part, dtype=np.float64) for part in (right, found, entities))
    with np.errstate(invalid="ignore", divide="ignore"):
        return [correct / predicted, correct / gold, 2 * correct / (predicted + gold)]


def _estimated(point: float, draws: NDArray[np.float64]) -> Estimated:
    known = draws[~np.isnan(draws)]
    if np.isnan(point) or known.size == 0:
        return Estimated(0.0, 0.0, 1.0)
    low, high = np.quantile(known, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Estimated(point, min(float(low), point), max(float(high), point))
