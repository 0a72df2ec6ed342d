"""What was answered, counted: sums and histograms that can be added up, so that no page has to scan the log.

A histogram is a mapping from the upper edge of a bin to the number of values in it; a value on an edge lies below
it. The limits that policies and alerts name are all edges, so that the number of slower requests is exact at each.
"""

import datetime as dt
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest

import numpy as np

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
    together: dict[tuple[int, Arm], list[LoggedPrediction]] = {}
    for row in rows:
        key = int(row.at.timestamp() // MINUTE_SECONDS), (row.version, row.variant, row.stood_in_for, row.covered_by)
        together.setdefault(key, []).append(row)
    found: dict[tuple[int, Arm], Rollup] = {}
    for (_, arm), some in together.items():
        rollup = _place(found, some[0].at, arm)
        _count_requests(rollup, some)
        answers = [row for row in some if row.status < _FIRST_FAILURE]
        if answers:
            _count_answers(rollup.counts, answers)
    for refusal in refused:
        _count_refusals(_place(found, refusal.at, _NOBODY), refusal)
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


# Rows are counted by the thousand, and by NumPy: the interpreter that it would take row by row is that of the answers.
def _count_requests(rollup: Rollup, rows: Sequence[LoggedPrediction]) -> None:
    statuses = np.array([row.status for row in rows])
    rollup.requests += len(rows)
    rollup.errors_5xx += int((statuses >= _FIRST_ERROR).sum())
    rollup.errors_4xx += int(((statuses >= _FIRST_FAILURE) & (statuses < _FIRST_ERROR)).sum())
    rollup.cached += sum(row.cached for row in rows)
    _count_bins(rollup.counts, "latency_ms", [row.latency_ms for row in rows], LATENCY_EDGES_MS, _LATENCY_KEYS)


def _count_refusals(rollup: Rollup, refused: RefusedRequests) -> None:
    rollup.requests += refused.requests
    if refused.status >= _FIRST_ERROR:
        rollup.errors_5xx += refused.requests
    elif refused.status >= _FIRST_FAILURE:
        rollup.errors_4xx += refused.requests
    place = min(bisect_left(LATENCY_EDGES_MS, refused.latency_ms), len(_LATENCY_KEYS) - 1)
    _increase(rollup.counts, "latency_ms", _LATENCY_KEYS[place], refused.requests)


def _count_bins(
    counts: dict[str, Histogram], name: str, values: Sequence[float], edges: Sequence[float], keys: Sequence[str]
) -> None:
    places = np.minimum(np.searchsorted(edges, values), len(keys) - 1)
    for place, count in zip(*np.unique(places, return_counts=True), strict=True):
        _increase(counts, name, keys[place], int(count))


def _count_answers(counts: dict[str, Histogram], rows: Sequence[LoggedPrediction]) -> None:
    _count_bins(counts, "characters", [row.characters for row in rows], LENGTH_EDGES, _LENGTH_KEYS)
    for label, count in chain.from_iterable([row.entities.items() for row in rows]):
        _increase(counts, "entities", label, count)
    for tenth, column in enumerate(zip_longest(*[row.confidences for row in rows], fillvalue=0)):
        if found := sum(column):
            _increase(counts, "tenths", str(tenth), found)
    _add_sums(counts, _word_sums(rows))
    estimated = [row for row in rows if row.expected_correct is not None and row.expected_entities is not None]
    if estimated:
        _add_sums(counts, _span_sums(estimated))


def _word_sums(rows: Sequence[LoggedPrediction]) -> Mapping[str, float]:
    tokens, unknown = np.array([(row.tokens, row.unknown_tokens) for row in rows], dtype=np.int64).T
    return {
        "documents": len(rows),
        "tokens": int(tokens.sum()),
        "unknown": int(unknown.sum()),
        "tokens_tokens": int(tokens @ tokens),
        "tokens_unknown": int(tokens @ unknown),
        "unknown_unknown": int(unknown @ unknown),
    }


def _span_sums(rows: Sequence[LoggedPrediction]) -> Mapping[str, float]:
    right = np.array([row.expected_correct for row in rows], dtype=np.float64)
    there = np.maximum(np.array([row.expected_entities for row in rows], dtype=np.float64), right)
    found = np.array([sum(row.confidences) for row in rows], dtype=np.int64)
    doubt = np.where(found > 0, np.maximum(0.0, right * (1 - right / np.maximum(found, 1))), 0.0)
    return {
        "estimated": len(rows),
        "right": float(right.sum()),
        "found": int(found.sum()),
        "there": float(there.sum()),
        "doubt": float(doubt.sum()),
        "right_right": float(right @ right),
        "right_found": float(right @ found),
        "right_there": float(right @ there),
        "found_found": int(found @ found),
        "found_there": float(found @ there),
        "there_there": float(there @ there),
    }


def _add_sums(counts: dict[str, Histogram], values: Mapping[str, float]) -> None:
    sums = counts.setdefault("sums", {})
    for name, value in values.items():
        if value:
            sums[name] = sums.get(name, 0) + value


def _increase(counts: dict[str, Histogram], name: str, key: str, by: float = 1) -> None:
    histogram = counts.setdefault(name, {})
    histogram[key] = histogram.get(key, 0) + by
