"""How the versions that serve stand today: the figures that alerts and gauges read, measured off the hot path."""

import datetime as dt
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from dashboards.counts import estimated_quality, recent_rollups
from dashboards.effects import WORDS_PER_SAMPLE, ratio, vocabulary_overlap
from dashboards.windows import traffic_window
from ner import tables
from ner.database import utc_now
from registry.rollout import current_rollout
from registry.rollups import Rollup
from registry.standing import F1_ESTIMATE, F1_GOLD, VOCABULARY_OVERLAP, Figure
from registry.versions import VersionRecord, get_version

HOURS = 24
"""How far back traffic is looked at."""
GOLD_DAYS, FEWEST_GOLD, MOST_GOLD = 30, 50, 2_000
"""How far back settled documents count, below how many they say nothing, and how many are read at most."""
FEWEST_ESTIMATED = 30
_Z = 1.96

Profile = Mapping[str, Any]


def measure_standing(connection: Connection, profile_of: Callable[[VersionRecord], Profile]) -> list[Figure]:
    """The figures of the stable version, the canary and the previous one, as far as there is anything to measure.

    The vocabulary overlap is that of samples of one size, the size of the version's profile, so that it does not fall
    when there is more traffic. F1 on gold is that on what people settled of a sample of traffic in the last 30 days;
    with fewer than 50 such documents it is that of the version's own test part. The estimate is of the last day.
    """
    rollout, now = current_rollout(connection), utc_now()
    figures: list[Figure] = []
    for version in filter(None, (rollout.stable, rollout.canary, rollout.previous)):
        record = get_version(connection, version)
        found = (
            _f1_on_traffic(connection, record, now) or _f1_on_test_part(record),
            _f1_estimate(connection, record, now),
            _overlap(connection, record, profile_of(record), now),
        )
        figures.extend(figure for figure in found if figure is not None)
    return figures


def _f1_on_traffic(connection: Connection, record: VersionRecord, now: dt.datetime) -> Figure | None:
    scores = tables.corrected_scores.c
    rows = connection.execute(
        sa.select(scores.correct, scores.predicted, scores.gold, scores.settled_at)
        .where(scores.version == record.version, scores.settled_at >= now - dt.timedelta(days=GOLD_DAYS))
        .order_by(scores.settled_at.desc())
        .limit(MOST_GOLD)
    ).all()
    if len(rows) < FEWEST_GOLD:
        return None
    counts = np.array([row[:3] for row in rows], np.int64)
    f1 = ratio(2 * counts[:, 0], counts[:, 1] + counts[:, 2])
    if f1 is None:
        return None
    half = _Z * f1.error
    low, high = max(0.0, f1.value - half), min(1.0, f1.value + half)
    return Figure(record.version, F1_GOLD, f1.value, low, high, len(rows), rows[0].settled_at)


def _f1_estimate(connection: Connection, record: VersionRecord, now: dt.datetime) -> Figure | None:
    total = Rollup(now, 0, record.version, "")
    for rollup in recent_rollups(connection, HOURS, version=record.version, only="sums"):
        total.add(rollup)
    found = estimated_quality(total.histogram("sums"))
    if found is None or found["documents"] < FEWEST_ESTIMATED:
        return None
    f1 = found["f1"]
    return Figure(record.version, F1_ESTIMATE, f1["value"], f1["low"], f1["high"], found["documents"], now)


def _f1_on_test_part(record: VersionRecord) -> Figure | None:
    f1 = record.performance.get("f1")
    if f1 is None:
        return None
    low, high = record.performance.get("f1_interval") or (None, None)
    documents = int(record.performance.get("documents") or 0)
    return Figure(record.version, F1_GOLD, float(f1), low, high, documents, record.training_completed_at)


def _overlap(connection: Connection, record: VersionRecord, profile: Profile, now: dt.datetime) -> Figure | None:
    window, documents = traffic_window(connection, record.version, since=now - dt.timedelta(hours=HOURS))
    words = (profile.get("vocabulary_overlap") or {}).get("words_per_sample") or WORDS_PER_SAMPLE
    found = vocabulary_overlap(window, words)
    if found is None:
        return None
    half = _Z * found.deviation / math.sqrt(found.samples)
    low, high = max(0.0, found.value - half), min(1.0, found.value + half)
    return Figure(record.version, VOCABULARY_OVERLAP, found.value, low, high, documents, now)
