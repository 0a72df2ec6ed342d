"""Fits a package's calibration on the dev part: what the model was sure of, and whether it was right."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ner.reliability import reliability
from ner.tags import TokenSpan, decode_tags
from registry.calibration import Calibration, fit_line
from registry.crf import Crf, Emissions, Lengths, best_tags, span_probabilities

FEWEST_SPANS = 100
"""A label found less often on dev than this has no line of its own."""
_COLDEST, _HOTTEST = 0.5, 5.0
_GOLDEN = (5**0.5 - 1) / 2
_STEPS = 12
_CERTAIN = 1e-9


@dataclass(frozen=True, slots=True)
class Scored:
    """One batch of dev sentences: emissions, lengths, and the spans that are right."""

    emissions: Emissions
    lengths: Lengths
    gold: Sequence[Sequence[TokenSpan]]


@dataclass(frozen=True, slots=True)
class CalibrationFit:
    """The calibration, and the expected calibration error on dev before and after it; None without spans."""

    calibration: Calibration
    spans: int
    error_before: float | None
    error_after: float | None

    def summary(self) -> dict[str, object]:
        """What a package's metadata says of it."""
        return {
            "temperature": self.calibration.temperature,
            "labels": sorted(self.calibration.lines),
            "dev_spans": self.spans,
            "dev_ece_before": self.error_before,
            "dev_ece_after": self.error_after,
        }


@dataclass(frozen=True, slots=True)
class _Evidence:
    labels: list[str]
    is_right: NDArray[np.bool_]
    marginals_at: Callable[[float], NDArray[np.float64]]


def fit_calibration(crf: Crf, batches: Sequence[Scored]) -> CalibrationFit:
    """The temperature that makes the outcomes on `batches` most likely, then a line for each frequent label.

    Without a single span that is found, nothing is changed.
    """
    evidence = _gather(crf, batches)
    if not evidence.labels:
        return CalibrationFit(Calibration(), 0, None, None)
    before = evidence.marginals_at(1.0)
    temperature = _best_temperature(evidence)
    tempered = evidence.marginals_at(temperature)
    calibration = Calibration(temperature, _fit_lines(evidence, tempered))
    after = np.array(
        [
            calibration.confidence(label, float(marginal))
            for label, marginal in zip(evidence.labels, tempered, strict=True)
        ]
    )
    return CalibrationFit(
        calibration,
        len(evidence.labels),
        reliability(before, evidence.is_right)["ece"],
        reliability(after, evidence.is_right)["ece"],
    )


def _gather(crf: Crf, batches: Sequence[Scored]) -> _Evidence:
    found = [_decode(crf, batch) for batch in batches]
    flat = [
        (label, (first, end, label) in set(gold))
        for batch, sentences in zip(batches, found, strict=True)
        for spans, gold in zip(sentences, batch.gold, strict=True)
        for first, end, label in spans
    ]

    def marginals_at(temperature: float) -> NDArray[np.float64]:
        values: list[float] = []
        for batch, spans in zip(batches, found, strict=True):
            cooled, emissions = Calibration(temperature).tempered(crf, batch.emissions)
            values += [value for row in span_probabilities(cooled, emissions, batch.lengths, spans) for value in row]
        return np.array(values, dtype=np.float64)

    return _Evidence([label for label, _ in flat], np.array([right for _, right in flat], dtype=np.bool_), marginals_at)


def _decode(crf: Crf, batch: Scored) -> list[list[TokenSpan]]:
    paths = best_tags(crf, batch.emissions, batch.lengths)
    return [
        decode_tags([crf.tags[tag] for tag in path[:length]]) for path, length in zip(paths, batch.lengths, strict=True)
    ]


def _best_temperature(evidence: _Evidence) -> float:
    """Golden-section search over the logarithm of the temperature."""

    def loss(log_temperature: float) -> float:
        share = np.clip(evidence.marginals_at(float(np.exp(log_temperature))), _CERTAIN, 1 - _CERTAIN)
        return float(-np.where(evidence.is_right, np.log(share), np.log1p(-share)).sum())

    low, high = np.log(_COLDEST), np.log(_HOTTEST)
    inner = [high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)]
    losses = [loss(place) for place in inner]
    for _ in range(_STEPS):
        if losses[0] < losses[1]:
            high, inner[1], losses[1] = inner[1], inner[0], losses[0]
            inner[0] = high - _GOLDEN * (high - low)
            losses[0] = loss(inner[0])
        else:
            low, inner[0], losses[0] = inner[0], inner[1], losses[1]
            inner[1] = low + _GOLDEN * (high - low)
            losses[1] = loss(inner[1])
    return float(np.exp((low + high) / 2))


def _fit_lines(evidence: _Evidence, marginals: NDArray[np.float64]) -> dict[str, tuple[float, float]]:
    labels = np.array(evidence.labels)
    frequent = [label for label in sorted(set(evidence.labels)) if (labels == label).sum() >= FEWEST_SPANS]
    return {
        label: fit_line(list(marginals[labels == label]), list(evidence.is_right[labels == label]))
        for label in frequent
    }
