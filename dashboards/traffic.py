"""What was asked, how fast it was answered, and by whom: figures from the log of predictions."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from dashboards.trial import trial
from ner.database import utc_now
from ner.tables import predictions
from registry.policy import Policy

_BUCKETS_WANTED = 60
_BUCKET_SECONDS = (10, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 604_800)
_QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
# Latencies below each limit are counted in steps of so many ms: half a step is at most 1 % of the latency from 2.5 ms.
_LATENCY_STEPS = ((10, 0.05), (100, 0.2), (1_000, 2.0), (10_000, 20.0))
_LONGEST_STEP = 200.0


@dataclass(slots=True)
class _Tally:
    """Counts of some requests, and how many took how long."""

    requests: float = 0
    errors_4xx: float = 0
    errors_5xx: float = 0
    cache_hits: float = 0
    latencies: Counter[float] = field(default_factory=Counter)

    def add(self, other: "_Tally") -> None:
        self.requests += other.requests
        self.errors_4xx += other.errors_4xx
        self.errors_5xx += other.errors_5xx
        self.cache_hits += other.cache_hits
        self.latencies.update(other.latencies)

    def figures(self, seconds: float) -> dict[str, Any]:
        return {
            "requests": round(self.requests),
            "errors_4xx": round(self.errors_4xx),
            "errors_5xx": round(self.errors_5xx),
            "throughput": self.requests / seconds,
            "error_rate": self.errors_5xx / self.requests if self.requests else None,
            "cache_hit_rate": self.cache_hits / self.requests if self.requests else None,
            **self._quantiles(),
        }

    def _quantiles(self) -> dict[str, float | None]:
        found: dict[str, float | None] = dict.fromkeys(_QUANTILES)
        rank = 0
        for latency, count in sorted(self.latencies.items()):
            rank += count
            for name, share in _QUANTILES.items():
                if found[name] is None and rank >= share * self.requests:
                    found[name] = latency
        return found


def traffic(connection: Connection, *, hours: float = 24, policy: Policy | None = None) -> dict[str, Any]:
    """Traffic of the last `hours`.

    "total" and each of "arms" (a version in a variant, the busiest first) hold requests, errors (4xx and 5xx apart),
    error_rate (5xx), cache_hit_rate, throughput in answers a second, and p50, p95, p99 in ms, exact to 1 %; None
    without requests; arms also their share of all requests. "series" holds the same per bucket of time, silent buckets
    included, and "arm_series" per bucket and arm. "trial" is the verdict on the canary, None where there is none.
    """
    now = utc_now()
    since = now - dt.timedelta(hours=hours)
    width = _bucket_seconds(hours)
    arm_buckets = _counted(connection, since, width)
    arms = _sums((key[1:], tally) for key, tally in arm_buckets.items())
    buckets = _sums((key[0], tally) for key, tally in arm_buckets.items())
    total = _sums((None, tally) for tally in arms.values()).get(None, _Tally())

    # The first and the last bucket are not whole: their rates are over the time that they cover.
    def covered(start: int) -> float:
        return max(width / 10, min(start + width, now.timestamp()) - max(start, since.timestamp()))

    moments = range(int(since.timestamp()) // width * width, int(now.timestamp()) + 1, width)
    return {
        "hours": hours,
        "bucket_seconds": width,
        "since": since.isoformat(),
        "until": now.isoformat(),
        "total": total.figures(hours * 3600),
        "arms": [
            {
                "version": version,
                "variant": variant,
                "share": arm.requests / total.requests,
                **arm.figures(hours * 3600),
            }
            for (version, variant), arm in sorted(arms.items(), key=lambda item: (-item[1].requests, item[0]))
        ],
        "series": [{"at": _moment(start), **buckets.get(start, _Tally()).figures(covered(start))} for start in moments],
        "arm_series": [
            {"at": _moment(start), "version": version, "variant": variant, **arm.figures(covered(start))}
            for (start, version, variant), arm in sorted(arm_buckets.items())
        ],
        "trial": trial(connection, policy),
    }


def _bucket_seconds(hours: float) -> int:
    wanted = hours * 3600 / _BUCKETS_WANTED
    return next((width for width in _BUCKET_SECONDS if width >= wanted), _BUCKET_SECONDS[-1])


def _counted(connection: Connection, since: dt.datetime, width: int) -> dict[tuple[int, str, str], _Tally]:
    """One pass over the log: what was asked in each bucket of time (its first second), by version and variant."""
    epoch = sa.extract("epoch", predictions.c.at)
    bucket = sa.cast(epoch - epoch % width, sa.BigInteger).label("bucket")
    latency = _rounded(predictions.c.latency_ms).label("latency_ms")
    status = predictions.c.status
    rows = connection.execute(
        sa.select(
            bucket,
            predictions.c.version,
            predictions.c.variant,
            latency,
            sa.func.sum(predictions.c.weight),
            _count(sa.and_(status >= 400, status < 500)),
            _count(status >= 500),
            _count(predictions.c.cached),
        )
        .where(predictions.c.at >= since)
        .group_by(bucket, predictions.c.version, predictions.c.variant, latency)
    )
    tallies: dict[tuple[int, str, str], _Tally] = {}
    for start, version, variant, milliseconds, requests, errors_4xx, errors_5xx, cache_hits in rows:
        tally = tallies.setdefault((int(start), version, variant), _Tally())
        tally.requests += requests
        tally.errors_4xx += errors_4xx
        tally.errors_5xx += errors_5xx
        tally.cache_hits += cache_hits
        tally.latencies[float(milliseconds)] += requests
    return tallies


def _rounded(latency: sa.ColumnElement[float]) -> sa.ColumnElement[float]:
    return sa.case(
        *((latency < limit, sa.func.round(latency / step) * step) for limit, step in _LATENCY_STEPS),
        else_=sa.func.round(latency / _LONGEST_STEP) * _LONGEST_STEP,
    )


def _count(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[float]:
    return sa.func.sum(sa.case((condition, predictions.c.weight), else_=0))


def _sums(parts: Iterable[tuple[Any, _Tally]]) -> dict[Any, _Tally]:
    sums: dict[Any, _Tally] = {}
    for key, part in parts:
        sums.setdefault(key, _Tally()).add(part)
    return sums


def _moment(start: int) -> str:
    return dt.datetime.fromtimestamp(start, dt.UTC).isoformat()
