"""How far recent documents are from those a version was measured on, as effect sizes with intervals.

Effect sizes, not p-values: with enough traffic any difference is "significant", and with little traffic many a
distance looks large. An effect and its 99 % interval do neither.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dashboards.windows import TENTHS, Counts, Window

Reals = NDArray[np.float64]

QUANTILES = 201
WORDS_PER_SAMPLE = 500

_FEWEST_WORDS = 100
_RESAMPLES = 400
_CHUNK = 2_000_000
_ERROR_SHARE = 0.01
_Z = 2.576
_TENTH_MIDDLES = (np.arange(TENTHS) + 0.5) / TENTHS


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its standard error."""

    value: float
    error: float


@dataclass(frozen=True, slots=True)
class Effect:
    """A distance >= 0 with its 99 % interval. `now_error` and `training_error` are the half-widths that the recent and
    the training documents each bring to it: the first shrinks with more traffic.
    """

    size: float
    low: float
    high: float
    now_error: float
    training_error: float


def ratio(numerators: Reals | Counts, denominators: Reals | Counts) -> Estimate | None:
    """Sum over sum, with the error of a ratio of document totals (Cochran 1977, 6.4); None below two documents."""
    total, count = float(denominators.sum()), len(denominators)
    if total <= 0 or count < 2:
        return None
    value = float(numerators.sum()) / total
    residuals = numerators - value * denominators
    return Estimate(value, math.sqrt(count / (count - 1) * float((residuals**2).sum())) / total)


def unknown_rate(window: Window) -> Estimate | None:
    """Share of tokens that the model does not know."""
    return ratio(window.unknown, window.tokens)


def mean_confidence(window: Window) -> Estimate | None:
    """Mean confidence of entities, from the tenths that they fall in."""
    return ratio(window.confidences @ _TENTH_MIDDLES, window.confidences.sum(axis=1))


@dataclass(frozen=True, slots=True)
class Overlap:
    """Share of distinct words that the model knows, in samples of `words` words; `deviation` is between samples."""

    value: float
    deviation: float
    samples: int
    words: int


def vocabulary_overlap(window: Window, words: int = WORDS_PER_SAMPLE) -> Overlap | None:
    """The overlap in samples of exactly `words` words each, made of whole documents in a random order.

    Counted over a window as a whole, the overlap falls as the window grows, because rare words pile up; at a fixed
    size it does not. None where the window holds no such sample.
    """
    order = np.random.default_rng(0).permutation(len(window))
    pooled = np.fromiter((word for index in order for word in window.words[index]), np.int64)
    samples = len(pooled) // words if words else 0
    if samples == 0:
        return None
    shares = np.array(
        [float((np.unique(part) > 0).mean()) for part in pooled[: samples * words].reshape(samples, words)]
    )
    deviation = float(shares.std(ddof=1)) if samples > 1 else math.sqrt(max(shares[0] * (1 - shares[0]), 0.01) / words)
    return Overlap(float(shares.mean()), deviation, samples, words)


def sample_size(window: Window) -> int:
    """How many words a sample of this training window should have: 500, or a quarter of what there is; 0 if too few."""
    available = sum(len(words) for words in window.words)
    size = min(WORDS_PER_SAMPLE, available // 4)
    return size if size >= _FEWEST_WORDS else 0


def shift(now: Estimate, training: Estimate) -> Effect:
    """Distance between two figures, whichever is larger."""
    size = abs(now.value - training.value)
    half = _Z * math.hypot(now.error, training.error)
    return Effect(size, max(0.0, size - half), size + half, _Z * now.error, _Z * training.error)


def largest_gap(now: Reals | Counts, quantiles: Sequence[float], training_documents: int) -> Effect:
    """Kolmogorov's distance between recent values and the quantiles of the training ones.

    The half-width is Massart's (1990) bound, which holds for every distribution, ties included.
    """
    values, reference = np.sort(np.asarray(now, np.float64)), np.asarray(quantiles, np.float64)
    points = np.unique(np.concatenate([values, reference]))
    gaps = np.abs(
        np.searchsorted(values, points, side="right") / len(values)
        - np.searchsorted(reference, points, side="right") / len(reference)
    )
    size = float(gaps.max())
    now_error, training_error = (
        math.sqrt(math.log(2 / _ERROR_SHARE) / (2 * n)) for n in (len(values), training_documents)
    )
    half = math.hypot(now_error, training_error)
    return Effect(size, max(0.0, size - half), min(1.0, size + half), now_error, training_error)


def mix_distance(now: Counts, training: Counts, *, seed: int = 0) -> Effect:
    """Jensen-Shannon distance (the root of the divergence in bits) between two label mixes.

    `now` has a row for each document and a column for each label, `training` is one row of totals. The divergence of
    two samples of one mix is above zero; the bootstrap over documents estimates by how much, and that is taken off.
    """
    generator = np.random.default_rng(seed)
    reference = training / training.sum()
    seen = _divergence(now.sum(axis=0)[None, :], training[None, :])[0]
    draws = _divergence(
        _resampled_totals(now, generator), generator.multinomial(int(training.sum()), reference, size=_RESAMPLES)
    )
    low, high = np.quantile(draws, [_ERROR_SHARE / 2, 1 - _ERROR_SHARE / 2])
    size, least, most = (
        math.sqrt(max(0.0, float(value))) for value in (2 * seen - draws.mean(), 2 * seen - high, 2 * seen - low)
    )
    return Effect(size, min(least, size), max(most, size), (most - least) / 2, 0.0)


def _resampled_totals(rows: Counts, generator: np.random.Generator) -> Reals:
    # How often each kind of row is drawn is all that the totals need, and many rows are equal.
    kinds, counts = np.unique(rows, axis=0, return_counts=True)
    per_chunk = max(1, _CHUNK // len(kinds))
    sizes = [min(per_chunk, _RESAMPLES - first) for first in range(0, _RESAMPLES, per_chunk)]
    draws = (generator.multinomial(len(rows), counts / len(rows), size=size) for size in sizes)
    return np.concatenate([drawn.astype(np.float64) @ kinds for drawn in draws])


def _divergence(left: Reals | Counts, right: Reals | Counts) -> Reals:
    """Jensen-Shannon divergence in bits between the rows of two matrices of counts."""
    p = left / np.maximum(left.sum(axis=1, keepdims=True), 1)
    q = right / np.maximum(right.sum(axis=1, keepdims=True), 1)
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(p > 0, p * np.log2(p / middle), 0) + np.where(q > 0, q * np.log2(q / middle), 0)
    return np.asarray(parts.sum(axis=1) / 2, np.float64)


def aligned(window: Window, totals: Mapping[str, int]) -> tuple[tuple[str, ...], Counts, Counts]:
    """The label mix of a window and of training over one list of labels: `(labels, per document, totals)`."""
    labels = tuple(sorted({*window.labels, *totals}))
    column = {label: index for index, label in enumerate(labels)}
    entities = np.zeros((len(window), len(labels)), np.int64)
    for index, label in enumerate(window.labels):
        entities[:, column[label]] = window.entities[:, index]
    return labels, entities, np.array([totals.get(label, 0) for label in labels], np.int64)
