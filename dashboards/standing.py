"""How the versions that serve stand today: the figures that alerts and gauges read, measured off the hot path."""

import datetime as dt
import math
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.engine import Connection

from dashboards.effects import WORDS_PER_SAMPLE, vocabulary_overlap
from dashboards.windows import traffic_window
from ner.database import utc_now
from registry.rollout import current_rollout
from registry.standing import F1_GOLD, VOCABULARY_OVERLAP, Figure
from registry.versions import VersionRecord, get_version

HOURS = 24
"""How far back traffic is looked at."""
_Z = 1.96

Profile = Mapping[str, Any]


def measure_standing(connection: Connection, profile_of: Callable[[VersionRecord], Profile]) -> list[Figure]:
    """The figures of the stable version, the canary and the previous one, as far as there is anything to measure.

    The vocabulary overlap is that of samples of one size, the size of the version's profile, so that it does not fall
    when there is more traffic; F1 on gold is that of the version's own test part.
    """
    rollout, now = current_rollout(connection), utc_now()
    figures: list[Figure] = []
    for version in filter(None, (rollout.stable, rollout.canary, rollout.previous)):
        record = get_version(connection, version)
        found = (_f1_on_gold(record), _overlap(connection, record, profile_of(record), now))
        figures.extend(figure for figure in found if figure is not None)
    return figures


def _f1_on_gold(record: VersionRecord) -> Figure | None:
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
