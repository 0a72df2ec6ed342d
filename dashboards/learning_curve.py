"""What more text is worth: F1 against the documents that versions learned from, and advice when to stop."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection

from registry.versions import VersionRecord, list_versions

_Z = 1.959963984540054
_WORTH_POINTS = 0.5
"""Points of F1 for twice as many documents: what is surely below is not worth correcting for."""


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A version: documents in its train part, strict F1 on its test part with its 95 % interval."""

    version: str
    train_documents: int
    f1: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """`points_per_doubling`: how many points of F1 twice as many documents bring, with its 95 % interval; None where
    there are not two sizes. `advice` is one sentence.
    """

    dataset: str
    recipe: str
    points: list[CurvePoint]
    points_per_doubling: float | None
    interval: tuple[float, float] | None
    advice: str


def learning_curves(connection: Connection, dataset: str) -> list[LearningCurve]:
    """A curve for each recipe that learned from the dataset, the one with most versions first."""
    records: dict[str, list[VersionRecord]] = {}
    for record in list_versions(connection):
        if record.dataset == dataset and _point(record) is not None:
            records.setdefault(record.recipe, []).append(record)
    found = [
        fit_curve(dataset, recipe, [point for one in own if (point := _point(one)) is not None])
        for recipe, own in records.items()
    ]
    return sorted(found, key=lambda curve: -len(curve.points))


def fit_curve(dataset: str, recipe: str, points: Sequence[CurvePoint]) -> LearningCurve:
    """F1 on the logarithm of the documents, by least squares weighted with each point's own uncertainty."""
    ordered = sorted(points, key=lambda point: point.train_documents)
    slope = _slope(ordered)
    if slope is None:
        advice = "Two versions from different amounts of text are needed to tell what more text is worth."
        return LearningCurve(dataset, recipe, ordered, None, None, advice)
    value, error = slope
    interval = (value - _Z * error, value + _Z * error)
    return LearningCurve(dataset, recipe, ordered, value, interval, _advice(value, *interval))


def _slope(points: Sequence[CurvePoint]) -> tuple[float, float] | None:
    """(points of F1 for each doubling, its standard error)."""
    places = [math.log2(point.train_documents) for point in points]
    if len(set(places)) < 2:
        return None
    weights = [1 / max(100 * (point.high - point.low) / (2 * _Z), 0.01) ** 2 for point in points]
    total = sum(weights)
    centre = sum(weight * place for weight, place in zip(weights, places, strict=True)) / total
    spread = sum(weight * (place - centre) ** 2 for weight, place in zip(weights, places, strict=True))
    product = sum(
        weight * (place - centre) * 100 * point.f1 for weight, place, point in zip(weights, places, points, strict=True)
    )
    return product / spread, 1 / math.sqrt(spread)


def _advice(value: float, low: float, high: float) -> str:
    seen = f"Twice as much text brought {value:+.1f} points of F1 (95 % interval {low:+.1f} to {high:+.1f})"
    if low >= _WORTH_POINTS:
        return f"{seen}: go on correcting."
    if high < _WORTH_POINTS:
        return f"{seen}: more of the same text is hardly worth it; look at the weakest labels, or at another recipe."
    return f"{seen}: too few or too small test parts to tell whether more text is worth it."


def _point(record: VersionRecord) -> CurvePoint | None:
    performance: dict[str, Any] = record.performance
    documents = (performance.get("splits") or {}).get("train", 0)
    if not documents or performance.get("f1") is None:
        return None
    low, high = performance.get("f1_interval") or (performance["f1"], performance["f1"])
    return CurvePoint(record.version, documents, performance["f1"], low, high)
