"""What was answered, counted: sums and histograms that can be added up, so that no page has to scan the log.

A histogram is a mapping from the upper edge of a bin to the number of values in it; a value on an edge lies below
it. The limits that policies and alerts name are all edges, so that the number of slower requests is exact at each.
"""

import datetime as dt
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from registry.logged import LoggedPrediction, RefusedRequests

Histogram = dict[str, float]
Arm = tuple[str, str, str, str]
"""Version, variant, the variant that it stood in for, the variant that covered its failures."""

MINUTE_SECONDS = 60
HOUR_SECONDS = 3600

LIMITS_MS = (5, 10, 25, 50, 100, 150, 200, 250, 300, 400, 500, 750, 1_000, 1_500, 2_000, 2_500, 5_000, 10_000, 30_000)
"""Latencies, in ms, at which the number of slower requests is exact."""

_NOBODY: Arm = ("", "", "", "")
_FIRST_FAILURE = 400
_FIRST_ERROR = 500


def _edges(first: float, last: float, growth: float, exact: Iterable[float] = ()) -> tuple[float, ...]:
    edges, edge = {float(value) for value in exact}, first
    while edge < last:
        edges.add(float(f"{edge:.4g}"))
        edge *= growth
    return tuple(sorted({*edges, float(last)}))


LATENCY_EDGES_MS = _edges(0.05, 120_000, 1.05, LIMITS_MS)
LENGTH_EDGES = _edges(1, 1_000_000, 1.15)
_LATENCY_KEYS = tuple(f"{edge:g}" for edge in LATENCY_EDGES_MS)
_LENGTH_KEYS = tuple(f"{edge:g}" for edge in LENGTH_EDGES)

SUMS = (
    *("documents", "tokens", "unknown", "tokens_tokens", "tokens_unknown", "unknown_unknown"),
    *("estimated", "right", "found", "there", "doubt"),
    *("right_right", "right_found", "right_there", "found_found", "found_there", "there_there"),
)
"""Sums over answers: of documents, their tokens, the unknown ones and the products of both; and, over the answers
whose tagger says how many entities it expects ("estimated" of them), of the right spans to be expected, the spans
found, the entities to be expected, the products of these, and "doubt", an upper bound of the variance of the right
ones given the document. With the products, every ratio has its error over documents (Cochran 1977, 6.4)."""


@dataclass(slots=True)
class Rollup:
    """Counts of the requests that one version answered in a variant during `seconds` from `at`; those where it stood in
    for another variant, and its failures that another one covered, are rows of their own (see LoggedPrediction).

    `counts` holds "sums" (see SUMS), "latency_ms" of all requests, and of the answers "characters" (lengths), "tenths"
    (entities by confidence, 0 to 9) and "entities" by label.
    """

    at: dt.datetime
    seconds: int
    version: str
    variant: str
    requests: int = 0
    errors_4xx: int = 0
    errors_5xx: int = 0
    cached: int = 0
    counts: dict[str, Histogram] = field(default_factory=dict)
    stood_in_for: str = ""
    covered_by: str = ""

    @property
    def arm(self) -> Arm:
        """Whose counts these are."""
        return self.version, self.variant, self.stood_in_for, self.covered_by

    def add(self, other: "Rollup") -> None:
        """Count what `other` has counted too."""
        self.requests += other.requests
        self.errors_4xx += other.errors_4xx
        self.errors_5xx += other.errors_5xx
        self.cached += other.cached
        for name, histogram in other.counts.items():
            mine = self.counts.setdefault(name, {})
            for key, count in histogram.items():
                mine[key] = mine.get(key, 0) + count

    def histogram(self, name: str) -> Histogram:
        """One of the histograms, empty where nothing was counted."""
        return self.counts.get(name, {})

    def slower_than(self, limit_ms: float) -> int:
        """Requests slower than a limit: exact at LIMITS_MS, elsewhere at the edge below it, which is never too few."""
        edge = LATENCY_EDGES_MS[max(0, bisect_left(LATENCY_EDGES_MS, limit_ms * (1 + 1e-12) + 1e-12) - 1)]
        return int(sum(count for key, count in self.histogram("latency_ms").items() if float(key) > edge))


def start_of(moment: dt.datetime, seconds: int) -> dt.datetime:
    """The first moment of the minute or hour that a moment lies in."""
    return dt.datetime.fromtimestamp(moment.timestamp() // seconds * seconds, dt.UTC)


def count_up(rows: Iterable[LoggedPrediction], refused: Iterable[RefusedRequests] = ()) -> list[Rollup]:
    """Roll-ups of rows of the log, one for each minute and arm."""
    found: dict[tuple[int, Arm], Rollup] = {}
    for row in rows:
        rollup = _place(found, row.at, (row.version, row.variant, row.stood_in_for, row.covered_by))
        _count_request(rollup, row.status, row.latency_ms)
        rollup.cached += row.cached
        if row.status < _FIRST_FAILURE:
            _count_answer(rollup.counts, row)
    for some in refused:
        _count_request(_place(found, some.at, _NOBODY), some.status, some.latency_ms, some.requests)
    return list(found.values())


def added(rollups: Iterable[Rollup], seconds: int) -> list[Rollup]:
    """Their sums, one for each stretch of `seconds` and arm."""
    sums: dict[tuple[int, Arm], Rollup] = {}
    for rollup in rollups:
        _place(sums, rollup.at, rollup.arm, seconds).add(rollup)
    return list(sums.values())


def _place(rollups: dict[tuple[int, Arm], Rollup], at: dt.datetime, arm: Arm, seconds: int = MINUTE_SECONDS) -> Rollup:
    key = int(at.timestamp() // seconds), arm
    rollup = rollups.get(key)
    if rollup is None:
        version, variant, stood_in_for, covered_by = arm
        rollup = rollups[key] = Rollup(
            *(start_of(at, seconds), seconds, version, variant), stood_in_for=stood_in_for, covered_by=covered_by
        )
    return rollup


def _count_request(rollup: Rollup, status: int, latency_ms: float, requests: int = 1) -> None:
    rollup.requests += requests
    if status >= _FIRST_ERROR:
        rollup.errors_5xx += requests
    elif status >= _FIRST_FAILURE:
        rollup.errors_4xx += requests
    place = min(bisect_left(LATENCY_EDGES_MS, latency_ms), len(_LATENCY_KEYS) - 1)
    _increase(rollup.counts, "latency_ms", _LATENCY_KEYS[place], requests)


def _count_answer(counts: dict[str, Histogram], row: LoggedPrediction) -> None:
    _increase(counts, "characters", _LENGTH_KEYS[min(bisect_left(LENGTH_EDGES, row.characters), len(_LENGTH_KEYS) - 1)])
    for label, count in row.entities.items():
        _increase(counts, "entities", label, count)
    for tenth, count in enumerate(row.confidences):
        if count:
            _increase(counts, "tenths", str(tenth), count)
    _add_sums(counts, _word_sums(row.tokens, row.unknown_tokens))
    if row.expected_correct is not None and row.expected_entities is not None:
        _add_sums(counts, _span_sums(sum(row.confidences), row.expected_correct, row.expected_entities))


def _word_sums(tokens: int, unknown: int) -> Mapping[str, float]:
    return {
        "documents": 1,
        "tokens": tokens,
        "unknown": unknown,
        "tokens_tokens": tokens * tokens,
        "tokens_unknown": tokens * unknown,
        "unknown_unknown": unknown * unknown,
    }


def _span_sums(found: int, right: float, expected: float) -> Mapping[str, float]:
    there = max(expected, right)
    return {
        "estimated": 1,
        "right": right,
        "found": found,
        "there": there,
        "doubt": max(0.0, right * (1 - right / found)) if found else 0.0,
        "right_right": right * right,
        "right_found": right * found,
        "right_there": right * there,
        "found_found": found * found,
        "found_there": found * there,
        "there_there": there * there,
    }


def _add_sums(counts: dict[str, Histogram], values: Mapping[str, float]) -> None:
    sums = counts.setdefault("sums", {})
    for name, value in values.items():
        if value:
            sums[name] = sums.get(name, 0) + value


def _increase(counts: dict[str, Histogram], name: str, key: str, by: float = 1) -> None:
    histogram = counts.setdefault(name, {})
    histogram[key] = histogram.get(key, 0) + by
