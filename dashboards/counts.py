"""Figures from roll-ups: quantiles from histograms, and ratios of sums with their errors."""

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy.engine import Connection

from ner.database import utc_now
from registry.rollup_table import MINUTES_KEPT_HOURS, read_rollups
from registry.rollups import HOUR_SECONDS, LATENCY_EDGES_MS, MINUTE_SECONDS, Histogram, Rollup, start_of

Key = TypeVar("Key")

QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
_EDGES_BELOW = {f"{edge:g}": below for below, edge in zip((0.0, *LATENCY_EDGES_MS), LATENCY_EDGES_MS, strict=False)}
_Z95 = 1.959964


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval, cut to [0, 1]."""

    value: float
    low: float
    high: float

    def as_json(self) -> dict[str, float]:
        """value, low, high."""
        return {"value": self.value, "low": self.low, "high": self.high}


def window_start(now: dt.datetime, hours: float) -> dt.datetime:
    """Where a look back over `hours` begins: with a whole minute or, where minutes are gone, a whole hour."""
    seconds = MINUTE_SECONDS if hours <= MINUTES_KEPT_HOURS - 1 else HOUR_SECONDS
    return start_of(now - dt.timedelta(hours=hours), seconds)


def recent_rollups(
    connection: Connection, hours: float, *, version: str | None = None, only: str | None = None
) -> list[Rollup]:
    """The roll-ups of the last `hours`. `only`: see `read_rollups`."""
    return read_rollups(connection, since=window_start(utc_now(), hours), version=version, only=only)


def grouped(pairs: Iterable[tuple[Key, Rollup]]) -> dict[Key, Rollup]:
    """One sum for each key."""
    sums: dict[Key, Rollup] = {}
    for key, rollup in pairs:
        if key not in sums:
            version, variant, stood_in_for, covered_by = rollup.arm
            sums[key] = Rollup(
                *(rollup.at, rollup.seconds, version, variant), stood_in_for=stood_in_for, covered_by=covered_by
            )
        sums[key].add(rollup)
    return sums


def latency_quantiles(histogram: Histogram) -> dict[str, float | None]:
    """p50, p95 and p99 in ms, None where nothing was counted.

    Inside its bin a quantile is found by linear interpolation, as if requests lay evenly in it; bins are at most 5 %
    wide, so a quantile is off by 5 % at most, and commonly by less than one.
    """
    bins = sorted((float(key), count, key) for key, count in histogram.items())
    total = sum(count for _, count, _ in bins)
    found: dict[str, float | None] = dict.fromkeys(QUANTILES)
    if not total:
        return found
    for name, share in QUANTILES.items():
        before = 0.0
        for upper, count, key in bins:
            if before + count >= share * total:
                lower = _EDGES_BELOW.get(key, upper / 1.05)
                found[name] = lower + (upper - lower) * (share * total - before) / count
                break
            before += count
    return found


def ratio_of_sums(
    sums: Mapping[str, float],
    over: Mapping[str, float],
    under: Mapping[str, float],
    documents: str,
    *,
    doubt: float = 0,
) -> Estimate | None:
    """A ratio of two weighted sums over documents, such as 2 right / (found + there), with its 95 % interval.

    `over` and `under` map names of sums to their weights; the products of the sums must be among `sums`. `doubt` is a
    further variance of the numerator. None where the denominator is nothing.
    """
    count = sums.get(documents, 0)
    top, bottom = _weighted(sums, over), _weighted(sums, under)
    if count < 2 or bottom <= 0:
        return None
    value = top / bottom
    residual = {name: over.get(name, 0) - value * under.get(name, 0) for name in {*over, *under}}
    squares = sum(a * b * _product(sums, one, other) for one, a in residual.items() for other, b in residual.items())
    error = math.sqrt(max(0.0, squares) * count / (count - 1) + doubt) / bottom
    return Estimate(min(1.0, value), max(0.0, value - _Z95 * error), min(1.0, value + _Z95 * error))


def estimated_quality(sums: Mapping[str, float]) -> dict[str, Any] | None:
    """Precision, recall and F1 that are to be expected without labels, from the sums of a roll-up; each with its
    interval, over documents and over how the spans came out. None without answers that say what they expect.
    """
    if not sums.get("estimated"):
        return None
    doubt = sums.get("doubt", 0.0)
    unseen = max(0.0, sums.get("there", 0) - sums.get("right", 0))
    parts = {
        "precision": ratio_of_sums(sums, {"right": 1}, {"found": 1}, "estimated", doubt=doubt),
        "recall": ratio_of_sums(sums, {"right": 1}, {"there": 1}, "estimated", doubt=doubt + unseen),
        "f1": ratio_of_sums(sums, {"right": 2}, {"found": 1, "there": 1}, "estimated", doubt=4 * doubt + unseen),
    }
    known = {name: part.as_json() for name, part in parts.items() if part is not None}
    return {"documents": int(sums["estimated"]), **known} if "f1" in known else None


def bucketed(rollups: Sequence[Rollup], width_seconds: int) -> list[tuple[int, Rollup]]:
    """Each roll-up with the first second of the stretch of `width_seconds` that it lies in."""
    return [(int(rollup.at.timestamp()) // width_seconds * width_seconds, rollup) for rollup in rollups]


def _weighted(sums: Mapping[str, float], weights: Mapping[str, float]) -> float:
    return sum(weight * sums.get(name, 0.0) for name, weight in weights.items())


def _product(sums: Mapping[str, float], one: str, other: str) -> float:
    return sums.get(f"{one}_{other}", sums.get(f"{other}_{one}", 0.0))
