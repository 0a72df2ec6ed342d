"""Requests and what was found in their texts, counted at each answer: plain numbers, made into metrics when asked for.

The client library's own counters take a lock for every number; these are counted and read in one thread, the event
loop's.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

_REQUEST = ("route", "status", "version", "variant")
_ARM = ("route", "version", "variant")
_FOUND = ("label", "version")


class _Latencies:
    __slots__ = ("counts", "seconds")

    def __init__(self, edges: int) -> None:
        self.counts = [0] * (edges + 1)
        self.seconds = 0.0


class RequestCounts:
    """A collector for a Prometheus registry. `edges`: upper bounds of the latency histogram in seconds, rising."""

    def __init__(self, edges: Sequence[float]) -> None:
        self._edges = tuple(edges)
        self._names = [*map(str, self._edges), "+Inf"]
        self._requests: dict[tuple[str, int, str, str], int] = {}
        self._latencies: dict[tuple[str, str, str], _Latencies] = {}
        self._found: dict[tuple[str, str], int] = {}

    def request(self, route: str, status: int, version: str, variant: str, seconds: float) -> None:
        """Count one answered request."""
        key = (route, status, version, variant)
        self._requests[key] = self._requests.get(key, 0) + 1
        arm = (route, version, variant)
        latencies = self._latencies.get(arm)
        if latencies is None:
            latencies = self._latencies[arm] = _Latencies(len(self._edges))
        latencies.counts[bisect_left(self._edges, seconds)] += 1
        latencies.seconds += seconds

    def entities(self, version: str, labels: dict[str, int]) -> None:
        """Count what was found in one text."""
        for label, count in labels.items():
            self._found[label, version] = self._found.get((label, version), 0) + count

    def collect(self) -> Iterator[Metric]:
        """The counts of this moment."""
        requests = CounterMetricFamily("ner_requests", "Requests answered.", labels=_REQUEST)
        for (route, status, version, variant), count in self._requests.items():
            requests.add_metric((route, str(status), version, variant), count)
        seconds = HistogramMetricFamily("ner_request_seconds", "Seconds from request to answer.", labels=_ARM)
        for arm, latencies in self._latencies.items():
            seconds.add_metric(arm, self._cumulated(latencies.counts), latencies.seconds)
        found = CounterMetricFamily("ner_entities", "Entities found.", labels=_FOUND)
        for names, count in self._found.items():
            found.add_metric(names, count)
        yield from (requests, seconds, found)

    def _cumulated(self, counts: Sequence[int]) -> list[tuple[str, float]]:
        buckets, total = [], 0
        for name, count in zip(self._names, counts, strict=True):
            total += count
            buckets.append((name, float(total)))
        return buckets
