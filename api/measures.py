"""What this process measures of itself: Prometheus metrics, and the last five minutes in numbers."""

import math
import threading
import time
from array import array
from dataclasses import dataclass

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, generate_latest

from api.exchange import Exchange
from api.request_counts import RequestCounts
from api.schemas import MetricsResponse
from api.text_counts import TextCounts

WINDOW_SECONDS = 300
_KEPT = 1 << 16
# Every threshold that a success criterion names is an edge, so that a share below it can be read off exactly.
_EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0)
ANSWERING_ROUTES = frozenset(
    {
        "/api/v1/ner/predict",
        "/api/v1/ner/batch",
        "/v2/models/{model}/infer",
        "/v2/models/{model}/versions/{version}/infer",
    }
)


@dataclass(slots=True)
class _Second:
    """What happened in one second."""

    requests: int = 0
    errors: int = 0
    lookups: int = 0
    hits: int = 0


class Recent:
    """The answers of the last `WINDOW_SECONDS`: latencies of the newest 65,536, counts of all of them."""

    def __init__(self) -> None:
        self._moments = array("d", [-math.inf]) * _KEPT
        self._latencies_ms = array("d", [0.0]) * _KEPT
        self._next = 0
        self._seconds: dict[int, _Second] = {}
        self._lock = threading.Lock()

    def answered(self, latency_ms: float, *, failed: bool, now: float) -> None:
        """Note one answer to a request."""
        with self._lock:
            self._moments[self._next] = now
            self._latencies_ms[self._next] = latency_ms
            self._next = (self._next + 1) % _KEPT
            second = self._second(now)
            second.requests += 1
            second.errors += failed

    def looked_up(self, *, hits: int, lookups: int, now: float) -> None:
        """Note looks into the cache."""
        with self._lock:
            second = self._second(now)
            second.lookups += lookups
            second.hits += hits

    def summary(self, now: float) -> MetricsResponse:
        """The figures of the window that ends at `now` (seconds of a monotonic clock)."""
        with self._lock:
            latencies = np.array(self._latencies_ms)[np.array(self._moments) > now - WINDOW_SECONDS]
            seconds = [counted for second, counted in self._seconds.items() if second > now - WINDOW_SECONDS]
            requests, errors = sum(one.requests for one in seconds), sum(one.errors for one in seconds)
            lookups, hits = sum(one.lookups for one in seconds), sum(one.hits for one in seconds)
        p50, p95, p99 = np.percentile(latencies, (50, 95, 99)).tolist() if latencies.size else (None, None, None)
        return MetricsResponse(
            latency_p50=p50,
            latency_p95=p95,
            latency_p99=p99,
            throughput=requests / WINDOW_SECONDS,
            error_rate=_share(errors, requests),
            cache_hit_rate=_share(hits, lookups),
            requests=requests,
            window_seconds=WINDOW_SECONDS,
        )

    def _second(self, now: float) -> _Second:
        second = self._seconds.get(int(now))
        if second is None:
            for old in [known for known in self._seconds if known <= now - WINDOW_SECONDS]:
                del self._seconds[old]
            second = self._seconds[int(now)] = _Second()
        return second


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


class Measures:
    """The metrics of one app, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.texts = TextCounts()
        self.registry.register(self.texts)
        self.recent = Recent()
        self._requests = RequestCounts(_EDGES)
        self.registry.register(self._requests)
        lookups = Counter("ner_cache_lookups", "Looks into the cache.", ("result",), registry=self.registry)
        self._hits, self._misses = lookups.labels("hit"), lookups.labels("miss")
        self.load_seconds = Gauge(
            "ner_model_load_seconds", "Seconds that loading took.", ("version",), registry=self.registry
        )
        self.load_failures = Counter(
            "ner_model_load_failures", "Versions that could not be loaded.", ("version",), registry=self.registry
        )
        self.answer_failures = Counter(
            "ner_answer_failures",
            "Texts at which a version failed or hung; another one answered where it could.",
            ("version", "variant"),
            registry=self.registry,
        )
        self.log_spooled = Gauge(
            "ner_prediction_log_spooled", "Batches of log rows that wait on disk.", registry=self.registry
        )
        self.canary_share = Gauge("ner_canary_share", "The canary's share of traffic, 0 to 1.", registry=self.registry)
        self.log_waiting = Gauge("ner_prediction_log_waiting", "Log rows not written yet.", registry=self.registry)
        self.log_dropped = Gauge("ner_prediction_log_dropped", "Log rows lost since start.", registry=self.registry)

    def request(self, route: str, status: int, exchange: Exchange) -> None:
        """Count one answered request."""
        latency_ms = exchange.latency_ms()
        self._requests.request(route, status, exchange.version, exchange.variant, latency_ms / 1000)
        if route in ANSWERING_ROUTES:
            self.recent.answered(latency_ms, failed=status >= 500, now=time.monotonic())

    def refused(self, route: str, status: int) -> None:
        """Count one request for answers that was refused before anything was done for it."""
        self._requests.request(route, status, "", "", 0.0)
        self.recent.answered(0.0, failed=status >= 500, now=time.monotonic())

    def entities(self, version: str, labels: dict[str, int]) -> None:
        """Count what was found in one text."""
        self._requests.entities(version, labels)

    def cache_lookups(self, *, hits: int, misses: int) -> None:
        """Count looks into the cache."""
        if hits:
            self._hits.inc(hits)
        if misses:
            self._misses.inc(misses)
        self.recent.looked_up(hits=hits, lookups=hits + misses, now=time.monotonic())

    def loads(self) -> dict[str, float]:
        """Seconds that loading each version took."""
        samples = [sample for metric in self.load_seconds.collect() for sample in metric.samples]
        return {sample.labels["version"]: sample.value for sample in samples}

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)
