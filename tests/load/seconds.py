"""What came back, by the second in which it was due: counts of latencies, which several generators can add up."""

import collections
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_TENTHS = 10


@dataclass(slots=True)
class Second:
    """Answers to what was due within one second: how many took how many tenths of a ms, and what failed."""

    tenths: collections.Counter[int] = field(default_factory=collections.Counter)
    failures: collections.Counter[str] = field(default_factory=collections.Counter)

    def add(self, milliseconds: float, failure: str | None) -> None:
        """Note one answer; `failure` says what was wrong with it."""
        self.tenths[round(milliseconds * _TENTHS)] += 1
        if failure is not None:
            self.failures[failure] += 1


class Seconds(collections.defaultdict[int, Second]):
    """By the whole second of the clock."""

    def __init__(self) -> None:
        super().__init__(Second)

    def take(self) -> dict[str, Any]:
        """Everything, as plain values to be sent; it is empty afterwards."""
        packed = {str(at): [list(one.tenths.items()), dict(one.failures)] for at, one in self.items()}
        self.clear()
        return packed

    def merge(self, packed: Mapping[str, Any]) -> None:
        """Add what another generator took."""
        for at, (tenths, failures) in packed.items():
            second = self[int(at)]
            for latency, count in tenths:
                second.tenths[latency] += count
            second.failures.update(failures)

    def between(self, start: float, end: float) -> "Answers":
        """The answers of the seconds that begin in [start, end)."""
        return summed([one for at, one in self.items() if start <= at < end])


@dataclass(frozen=True, slots=True)
class Answers:
    """A sum of seconds. Latencies in milliseconds, 0 where there were no answers."""

    count: int
    failures: dict[str, int]
    p50: float
    p95: float
    p99: float

    @property
    def failed(self) -> int:
        """Answers that were no good answer."""
        return sum(self.failures.values())

    @property
    def failed_share(self) -> float:
        """Of all answers."""
        return self.failed / max(self.count, 1)


def summed(seconds: Iterable[Second]) -> Answers:
    """The figures of several seconds together."""
    tenths: collections.Counter[int] = collections.Counter()
    failures: collections.Counter[str] = collections.Counter()
    for one in seconds:
        tenths.update(one.tenths)
        failures.update(one.failures)
    latencies = np.array(sorted(tenths), dtype=float)
    counts = np.array([tenths[int(latency)] for latency in latencies])
    p50, p95, p99 = (_quantile(latencies, counts, share) / _TENTHS for share in (0.50, 0.95, 0.99))
    return Answers(int(counts.sum()), dict(failures), p50, p95, p99)


def _quantile(values: np.ndarray, counts: np.ndarray, share: float) -> float:
    """The smallest value that at least `share` of the counted are not above; 0 of nothing."""
    if not values.size:
        return 0.0
    return float(values[np.searchsorted(np.cumsum(counts), share * counts.sum())])
