"""What was asked, how fast it was answered, and by whom: figures from the counts of the log."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Connection

from dashboards.counts import bucketed, grouped, latency_quantiles, window_start
from dashboards.trial import trial
from ner.database import utc_now
from registry.policy import Policy
from registry.process_samples import ProcessSample, read_samples
from registry.rollup_table import read_rollups
from registry.rollups import Rollup
from registry.tallies import Counters

INTERPOLATION = "Quantiles are interpolated within bins of the histogram that are at most 5 % wide."
Placed = Sequence[tuple[int, Rollup]]
"""Roll-ups, each with the first second of its bucket."""
_BUCKETS_WANTED = 60
_BUCKET_SECONDS = (60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 604_800)
_RESOURCES = ("cpu_cores", "memory_bytes", "disk_share")
_FRESH_SECONDS = 180
_NOTHING = Rollup(dt.datetime.fromtimestamp(0, dt.UTC), 0, "", "")


def traffic(
    connection: Connection, *, hours: float = 24, policy: Policy | None = None, counters: Counters | None = None
) -> dict[str, Any]:
    """Traffic of the last `hours`. `counters`: see `dashboards.trial.trial`.

    "total" and each of "arms" (a version in a variant, the busiest first; the version is empty for requests that were
    refused before one was chosen) hold requests, errors (4xx and 5xx apart), error_rate (5xx), refused_rate (4xx),
    cache_hit_rate, throughput in answers a second, and p50, p95, p99 in ms (see "interpolation"); None without
    requests. Answers given in place of another variant are an arm of their own, whose "stood_in_for" names it. Of an
    arm's requests "covered" are failures after which another arm answered, "share" is its share of what callers got:
    "total" has every request once, and errors that callers saw. "series" holds the same per bucket of time, silent
    buckets included, and "arm_series" per bucket and arm. "processes" are the resources (see `_resources`). "trial" is
    the verdict on the canary, None where there is none.
    """
    now = utc_now()
    since = window_start(now, hours)
    width = _bucket_seconds(hours)
    placed = _placed(read_rollups(connection, since=since, only="latency_ms"), width)
    buckets = grouped((start, one) for start, one in placed if not one.covered_by)
    total = grouped((None, one) for one in buckets.values()).get(None, _NOTHING)

    # The first and the last bucket are not whole: their rates are over the time that they cover.
    def seconds_in(start: int) -> float:
        return max(width / 10, min(start + width, now.timestamp()) - max(start, since.timestamp()))

    moments = range(int(since.timestamp()) // width * width, int(now.timestamp()) + 1, width)
    return {
        "hours": hours,
        "bucket_seconds": width,
        "since": since.isoformat(),
        "until": now.isoformat(),
        "interpolation": INTERPOLATION,
        "total": _figures(total, (now - since).total_seconds()),
        "arms": _arms(placed, total, (now - since).total_seconds()),
        "series": [
            {"at": _moment(start), **_figures(buckets.get(start, _NOTHING), seconds_in(start))} for start in moments
        ],
        "arm_series": _arm_series(placed, seconds_in),
        "processes": _resources(read_samples(connection, since=since), width, now),
        "trial": trial(connection, policy, counters=counters),
    }


def _placed(rollups: Sequence[Rollup], width: int) -> Placed:
    """One roll-up for each bucket and arm: all sums are sums of these, so that the many are added up once."""
    buckets = grouped(((start, one.arm), one) for start, one in bucketed(rollups, width))
    return [(start, one) for (start, _), one in buckets.items()]


def _arms(placed: Placed, total: Rollup, seconds: float) -> list[dict[str, Any]]:
    arms = grouped((one.arm[:3], one) for _, one in placed)
    covered = grouped((one.arm[:3], one) for _, one in placed if one.covered_by)
    return [
        {
            **_named(key, covered.get(key, _NOTHING)),
            "share": _share(arm.requests - covered.get(key, _NOTHING).requests, total.requests),
            **_figures(arm, seconds),
        }
        for key, arm in sorted(arms.items(), key=lambda item: (-item[1].requests, item[0]))
    ]


def _arm_series(placed: Placed, seconds_in: Callable[[int], float]) -> list[dict[str, Any]]:
    arms = grouped(((start, one.arm[:3]), one) for start, one in placed)
    covered = grouped(((start, one.arm[:3]), one) for start, one in placed if one.covered_by)
    return [
        {
            "at": _moment(key[0]),
            **_named(key[1], covered.get(key, _NOTHING)),
            **_figures(arm, seconds_in(key[0])),
        }
        for key, arm in sorted(arms.items())
    ]


def _named(arm: Sequence[str], covered: Rollup) -> dict[str, Any]:
    return {**dict(zip(("version", "variant", "stood_in_for"), arm, strict=True)), "covered": covered.requests}


def _figures(rollup: Rollup, seconds: float) -> dict[str, Any]:
    asked = rollup.requests
    return {
        "requests": asked,
        "errors_4xx": rollup.errors_4xx,
        "errors_5xx": rollup.errors_5xx,
        "throughput": asked / seconds,
        "error_rate": rollup.errors_5xx / asked if asked else None,
        "refused_rate": rollup.errors_4xx / asked if asked else None,
        "cache_hit_rate": rollup.cached / asked if asked else None,
        **latency_quantiles(rollup.histogram("latency_ms")),
    }


def _resources(samples: Sequence[ProcessSample], width: int, now: dt.datetime) -> list[dict[str, Any]]:
    """Each process with its last figures, whether it lives, and "series" of means per bucket: cpu_cores,
    memory_bytes, disk_share; "load_seconds" says by version how long loading it took.
    """
    by_process: dict[str, list[ProcessSample]] = {}
    for sample in samples:
        by_process.setdefault(sample.process, []).append(sample)
    return [
        {
            "process": process,
            "kind": own[-1].kind,
            "seen_at": own[-1].at.isoformat(),
            "is_alive": (now - own[-1].at).total_seconds() < _FRESH_SECONDS,
            "cpu_cores": own[-1].cpu_cores,
            "memory_bytes": own[-1].memory_bytes,
            "memory_share": _share(own[-1].memory_bytes, own[-1].machine_bytes),
            "disk_share": own[-1].disk_share,
            "load_seconds": dict(own[-1].load_seconds),
            "series": _resource_series(own, width),
        }
        for process, own in sorted(by_process.items(), key=lambda item: (item[1][-1].kind, item[0]))
    ]


def _resource_series(samples: Sequence[ProcessSample], width: int) -> list[dict[str, Any]]:
    buckets: dict[int, list[ProcessSample]] = {}
    for sample in samples:
        buckets.setdefault(int(sample.at.timestamp()) // width * width, []).append(sample)
    return [
        {
            "at": _moment(start),
            **{
                name: _mean([getattr(one, name) for one in own]) for name in ("cpu_cores", "memory_bytes", "disk_share")
            },
        }
        for start, own in sorted(buckets.items())
    ]


def summary_row(body: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a bucket or an arm without what is nested in it: a row of a table."""
    return {name: value for name, value in body.items() if not isinstance(value, dict | list)}


def _share(part: int | None, whole: int | None) -> float | None:
    return part / whole if part is not None and whole else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _bucket_seconds(hours: float) -> int:
    wanted = hours * 3600 / _BUCKETS_WANTED
    return next((width for width in _BUCKET_SECONDS if width >= wanted), _BUCKET_SECONDS[-1])


def _moment(start: int) -> str:
    return dt.datetime.fromtimestamp(start, dt.UTC).isoformat()
