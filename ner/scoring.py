"""How right spans are. Where no scheme is named it is strict: a span counts when borders and label are both right.

Scores are micro-averaged over documents. Intervals are 95 % bootstrap percentile intervals over documents (the unit
that people sample), so they hold however spans cluster inside a document.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ner.documents import EntitySpan
from ner.errors import InvalidInput
from ner.outcomes import OUTCOMES, Found, Marked, Outcome, Wanted, key_of, match_spans
from ner.predictions import ScoredSpan
from ner.reliability import confidence_histogram, reliability
from ner.schemes import scheme_scores

DifferenceKind = Literal["match", "label", "border", "both", "missing", "spurious"]
Counts = NDArray[np.int64]
"""Per document: correct, predicted, gold; along the last axis. A middle axis, where there is one, is the label."""
Interval = list[float]

NO_LABEL = "none"
_CHUNK_DRAWS = 4_000_000
_TAIL = 0.025
_KIND_OF: dict[Outcome, DifferenceKind] = {
    "correct": "match",
    "wrong_label": "label",
    "wrong_border": "border",
    "both": "both",
    "missed": "missing",
    "spurious": "spurious",
}


@dataclass(frozen=True, slots=True)
class Score:
    """Precision, recall and F1 in [0, 1], 0 where undefined, and the counts that they come from."""

    precision: float
    recall: float
    f1: float
    correct: int
    predicted: int
    gold: int


def score_of(correct: int, predicted: int, gold: int) -> Score:
    """The score that these counts give."""
    return Score(
        precision=correct / predicted if predicted else 0.0,
        recall=correct / gold if gold else 0.0,
        f1=2 * correct / (predicted + gold) if predicted + gold else 0.0,
        correct=correct,
        predicted=predicted,
        gold=gold,
    )


def strict_score(gold: Sequence[Sequence[EntitySpan]], predicted: Sequence[Sequence[EntitySpan]]) -> Score:
    """Strict micro score over documents. Raises InvalidInput when the two sides differ in length."""
    correct, found, wanted = _count(gold, predicted, []).sum(axis=(0, 1))
    return score_of(int(correct), int(found), int(wanted))


def performance(
    gold: Sequence[Sequence[EntitySpan]],
    predicted: Sequence[Sequence[ScoredSpan]],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """The content of a version's `performance.json`: scores with intervals, confusion, outcomes, confidence.

    In the confusion matrix rows are gold labels and then "none", columns predicted labels and then "none"; a row sums
    to the gold spans of its label, a column to the predicted ones. Its diagonal is "label right", borders or not.
    """
    labels = sorted({span.label for spans in gold for span in spans} | {s.label for spans in predicted for s in spans})
    counts = _count(gold, predicted, labels)
    sums = _resampled_sums(counts, resamples, seed)
    total = counts.sum(axis=(0, 1))
    overall = score_of(*(int(value) for value in total))
    intervals = _intervals(sums.sum(axis=1), total)
    return {
        "scheme": "strict",
        "documents": len(gold),
        "entities": overall.gold,
        "precision": overall.precision,
        "recall": overall.recall,
        "f1": overall.f1,
        "precision_interval": intervals["precision"],
        "recall_interval": intervals["recall"],
        "f1_interval": intervals["f1"],
        "per_label": {
            label: _label_part(counts[:, index].sum(axis=0), sums[:, index]) for index, label in enumerate(labels)
        },
        **_outcome_part(gold, predicted, labels),
        "confidence": _confidence_part(gold, predicted),
    }


def paired_f1_difference(
    gold: Sequence[Sequence[EntitySpan]],
    left: Sequence[Sequence[Marked]],
    right: Sequence[Sequence[Marked]],
    *,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, float]:
    """Strict F1 of `right` minus that of `left` on the same documents, with a paired bootstrap interval.

    Pairing matters: documents that are hard for one version are hard for the other, which halves the error of the
    difference. Yeh (2000) shows why tests that assume independent spans mislead for F1.
    """
    both = np.concatenate([_count(gold, left, []), _count(gold, right, [])], axis=1)
    sums = _resampled_sums(both, resamples, seed)
    draws = _ratios(sums[:, 1])["f1"] - _ratios(sums[:, 0])["f1"]
    total = both.sum(axis=0)
    difference = score_of(*map(int, total[1])).f1 - score_of(*map(int, total[0])).f1
    low, high = _percentiles(draws, difference, (1 - level) / 2)
    return {"difference": difference, "low": low, "high": high}


def scores_by_class(
    counts: Counts, classes: Sequence[str], *, resamples: int = 1000, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Precision, recall and F1 with its interval for each class, from counts of shape (documents, classes, 3)."""
    sums = _resampled_sums(counts, resamples, seed)
    return {name: _label_part(counts[:, place].sum(axis=0), sums[:, place]) for place, name in enumerate(classes)}


def span_differences(
    left: Sequence[Wanted], right: Sequence[Found]
) -> list[tuple[DifferenceKind, Wanted | None, Found | None]]:
    """What two versions say differently about one text, in text order; agreement is the kind "match"."""
    return [(_KIND_OF[outcome], first, second) for outcome, first, second in match_spans(left, right)]


def _count(gold: Sequence[Sequence[Marked]], predicted: Sequence[Sequence[Marked]], labels: Sequence[str]) -> Counts:
    """Counts of shape (documents, labels or 1, 3). Without `labels` all labels are counted together."""
    if len(gold) != len(predicted):
        raise InvalidInput(f"There are {len(gold)} documents with gold spans but {len(predicted)} that were tagged.")
    index = {label: position for position, label in enumerate(labels)}
    counts = np.zeros((len(gold), max(1, len(labels)), 3), dtype=np.int64)
    for document, (wanted_spans, found_spans) in enumerate(zip(gold, predicted, strict=True)):
        wanted, found = {key_of(span) for span in wanted_spans}, {key_of(span) for span in found_spans}
        for column, keys in enumerate((wanted & found, found, wanted)):
            for _, _, label in keys:
                counts[document, index.get(label, 0), column] += 1
    return counts


def _resampled_sums(counts: Counts, resamples: int, seed: int) -> NDArray[np.float64]:
    """Sums over `resamples` draws of documents with replacement: shape (resamples, labels, 3)."""
    documents = len(counts)
    if documents == 0:
        return np.zeros((resamples, *counts.shape[1:]))
    generator = np.random.default_rng(seed)
    flat = counts.reshape(documents, -1).astype(np.float64)
    sums = np.empty((resamples, flat.shape[1]))
    chunk = max(1, _CHUNK_DRAWS // documents)
    for first in range(0, resamples, chunk):
        rows = min(chunk, resamples - first)
        drawn = generator.integers(documents, size=(rows, documents)) + np.arange(rows)[:, None] * documents
        weights = np.bincount(drawn.ravel(), minlength=rows * documents).reshape(rows, documents)
        sums[first : first + rows] = weights @ flat
    return sums.reshape(resamples, *counts.shape[1:])


def _ratios(sums: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Precision, recall and F1 per draw; NaN where a draw holds nothing to score."""
    correct, predicted, gold = sums[..., 0], sums[..., 1], sums[..., 2]
    with np.errstate(invalid="ignore", divide="ignore"):
        return {"precision": correct / predicted, "recall": correct / gold, "f1": 2 * correct / (predicted + gold)}


def _intervals(sums: NDArray[np.float64], total: Counts) -> dict[str, Interval]:
    correct, predicted, gold = (int(value) for value in total)
    score = score_of(correct, predicted, gold)
    trials = {"precision": predicted, "recall": gold, "f1": max(predicted, gold)}
    return {name: _interval(draws, float(getattr(score, name)), trials[name]) for name, draws in _ratios(sums).items()}


def _interval(draws: NDArray[np.float64], point: float, trials: int) -> Interval:
    """Percentiles of the draws. Where all spans are right, or none, draws do not vary and say nothing: there the
    exact binomial bound (Clopper and Pearson 1934) stands in. Nothing to score means nothing known: [0, 1].
    """
    if trials == 0:
        return [0.0, 1.0]
    bound = _TAIL ** (1 / trials)
    if point == 1.0:
        return [bound, 1.0]
    if point == 0.0:
        return [0.0, 1.0 - bound]
    return list(_percentiles(draws, point))


def _percentiles(draws: NDArray[np.float64], point: float, tail: float = _TAIL) -> tuple[float, float]:
    known = draws[~np.isnan(draws)]
    if known.size == 0:
        return point, point
    low, high = np.quantile(known, [tail, 1 - tail])
    return min(float(low), point), max(float(high), point)


def _label_part(total: Counts, sums: NDArray[np.float64]) -> dict[str, Any]:
    score = score_of(*(int(value) for value in total))
    return {
        "precision": score.precision,
        "recall": score.recall,
        "f1": score.f1,
        "f1_interval": _intervals(sums, total)["f1"],
        "support": score.gold,
        "predicted": score.predicted,
        "correct": score.correct,
    }


def _outcome_part(
    gold: Sequence[Sequence[EntitySpan]], predicted: Sequence[Sequence[ScoredSpan]], labels: Sequence[str]
) -> dict[str, Any]:
    index = {label: position for position, label in enumerate(labels)}
    matrix = np.zeros((len(labels) + 1, len(labels) + 1), dtype=np.int64)
    outcomes: Counter[str] = Counter()
    for wanted_spans, found_spans in zip(gold, predicted, strict=True):
        for outcome, wanted, found in match_spans(wanted_spans, found_spans):
            outcomes[outcome] += 1
            row = index[wanted.label] if wanted else len(labels)
            column = index[found.label] if found else len(labels)
            matrix[row, column] += 1
    return {
        "confusion": {"labels": [*labels, NO_LABEL], "matrix": matrix.tolist()},
        "outcomes": {outcome: outcomes[outcome] for outcome in OUTCOMES},
        "schemes": {scheme: asdict(score) for scheme, score in scheme_scores(outcomes).items()},
    }


def _confidence_part(gold: Sequence[Sequence[EntitySpan]], predicted: Sequence[Sequence[ScoredSpan]]) -> dict[str, Any]:
    confidences, is_correct = [], []
    for wanted_spans, found_spans in zip(gold, predicted, strict=True):
        wanted = {key_of(span) for span in wanted_spans}
        confidences += [span.confidence for span in found_spans]
        is_correct += [key_of(span) in wanted for span in found_spans]
    scores, hits = np.array(confidences, dtype=np.float64), np.array(is_correct, dtype=np.bool_)
    return {"histogram": confidence_histogram(scores), **reliability(scores, hits)}
