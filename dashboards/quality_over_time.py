"""How good versions are from day to day or week to week: measured on what people settled, and estimated without labels.

Measured: what a version says about documents that people settled after it was trained, from a random sample of
traffic, by the moment at which they were settled. Estimated: what to expect of the version's answers to traffic from
their confidences, which is right as far as these are calibrated; it is there on days when nobody settled anything.
"""

import datetime as dt
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from dashboards.counts import Estimate, bucketed, estimated_quality, grouped, ratio_of_sums
from ner import tables
from ner.database import utc_now
from registry.rollup_table import read_rollups

Stretch = Literal["day", "week"]
Score = dict[str, Any]

FEWEST_DOCUMENTS = 30
"""Fewer documents than these give no score: their interval would be too narrow where all or none are right."""
FIGURES: Mapping[str, tuple[Mapping[str, float], Mapping[str, float]]] = {
    "precision": ({"right": 1}, {"found": 1}),
    "recall": ({"right": 1}, {"there": 1}),
    "f1": ({"right": 2}, {"found": 1, "there": 1}),
}
KINDS = ("measured", "estimated")

_DAY_SECONDS = 86_400
_DAYS = {"day": 1, "week": 7}
_FIRST_MONDAY = 4  # 5 January 1970, counted from the 1st
_COUNTED = ("right", "found", "there")


def quality_over_time(connection: Connection, *, days: int = 28, by: Stretch = "day") -> dict[str, Any]:
    """Strict precision, recall and F1 of each version in each day or week (from Monday) of UTC, oldest first.

    Each of "points" has "version", "from" (a date), and "measured" and "estimated": None with fewer than 30 documents,
    else "documents", each figure with its 95 % interval over documents, and "change", the difference of F1 from the
    version's stretch before, if that has a score, with its interval (Zou & Donner 2008). The last stretch still goes
    on.
    """
    since = _start(utc_now(), by) - dt.timedelta(days=(math.ceil(days / _DAYS[by]) - 1) * _DAYS[by])
    found = {"measured": _measured(connection, since, by), "estimated": _estimated(connection, since, by)}
    for scores in found.values():
        _compare_with_before(scores, dt.timedelta(days=_DAYS[by]))
    keys = sorted({key for scores in found.values() for key in scores})
    points = [
        {"version": version, "from": start.date().isoformat()}
        | {kind: scores.get((version, start)) for kind, scores in found.items()}
        for version, start in keys
    ]
    return {"by": by, "since": since.date().isoformat(), "points": points}


def table_of(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The same as rows of a table: one for each version, stretch, kind and figure."""
    return [
        {"version": point["version"], "from": point["from"], "kind": kind, "figure": figure}
        | {"documents": point[kind]["documents"]}
        | point[kind][figure]
        for point in body["points"]
        for kind in KINDS
        if point[kind]
        for figure in (*FIGURES, "change")
        if point[kind].get(figure)
    ]


def _start(moment: dt.datetime, by: Stretch) -> dt.datetime:
    day = int(moment.timestamp()) // _DAY_SECONDS
    if by == "week":
        day -= (day - _FIRST_MONDAY) % 7
    return dt.datetime.fromtimestamp(day * _DAY_SECONDS, dt.UTC)


def _measured(connection: Connection, since: dt.datetime, by: Stretch) -> dict[tuple[str, dt.datetime], Score]:
    scores = tables.corrected_scores.c
    rows = connection.execute(
        sa.select(scores.version, scores.settled_at, scores.correct, scores.predicted, scores.gold).where(
            scores.settled_at >= since
        )
    )
    documents: dict[tuple[str, dt.datetime], list[Sequence[int]]] = {}
    for version, settled_at, *counts in rows:
        documents.setdefault((version, _start(settled_at, by)), []).append(counts)
    return {key: score for key, counts in documents.items() if (score := _score(counts))}


def _score(documents: Sequence[Sequence[int]]) -> Score | None:
    """The score of documents, each with its number of right, found and gold spans."""
    sums = {"documents": float(len(documents))} | dict(_sums(documents))
    parts = {name: ratio_of_sums(sums, over, under, "documents") for name, (over, under) in FIGURES.items()}
    known = {name: part.as_json() for name, part in parts.items() if part is not None}
    return {"documents": len(documents), **known} if len(documents) >= FEWEST_DOCUMENTS and "f1" in known else None


def _sums(documents: Sequence[Sequence[int]]) -> Iterator[tuple[str, float]]:
    for place, name in enumerate(_COUNTED):
        yield name, float(sum(counts[place] for counts in documents))
        for other in range(place, len(_COUNTED)):
            yield f"{name}_{_COUNTED[other]}", float(sum(counts[place] * counts[other] for counts in documents))


def _estimated(connection: Connection, since: dt.datetime, by: Stretch) -> dict[tuple[str, dt.datetime], Score]:
    by_hour = bucketed(read_rollups(connection, since=since, only="sums"), _DAY_SECONDS)
    sums = grouped(
        ((rollup.version, _start(dt.datetime.fromtimestamp(day, dt.UTC), by)), rollup) for day, rollup in by_hour
    )
    scores = {key: estimated_quality(rollup.histogram("sums")) for key, rollup in sums.items()}
    return {key: score for key, score in scores.items() if score and score["documents"] >= FEWEST_DOCUMENTS}


def _compare_with_before(scores: Mapping[tuple[str, dt.datetime], Score], length: dt.timedelta) -> None:
    for (version, start), score in scores.items():
        before = scores.get((version, start - length))
        score["change"] = _difference(score["f1"], before["f1"]).as_json() if before else None


def _difference(now: Mapping[str, float], before: Mapping[str, float]) -> Estimate:
    value = now["value"] - before["value"]
    down = math.hypot(now["value"] - now["low"], before["high"] - before["value"])
    up = math.hypot(now["high"] - now["value"], before["value"] - before["low"])
    return Estimate(value, value - down, value + up)
