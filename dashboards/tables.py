"""The figures of the dashboards as rows of tables, for CSV: each from the dict that its figure is drawn from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from dashboards.traffic import summary_row

Body = Mapping[str, Any]
Rows = list[dict[str, Any]]
_SCORES = ("f1", "precision", "recall")


def versions(quality: Body) -> Rows:
    """Each version with its scores and their 95 % intervals. `quality`: see `dashboards.quality`."""
    facts = ("version", "recipe", "dataset", "data_version", "trained_at", "scheme", "documents", "entities")
    return [
        {name: one[name] for name in facts} | {"aliases": " ".join(one["aliases"])} | _scores(one)
        for one in quality["versions"]
    ]


def labels(version: Body) -> Rows:
    """Each label of a version of `quality` with its scores."""
    return _parts(version.get("per_label"), "label")


def tags(version: Body) -> Rows:
    """Each tag of a version of `quality` with its scores, token by token."""
    return _parts(version.get("per_tag"), "tag")


def confusion(version: Body) -> Rows:
    """Every cell of a version's confusion matrix; an empty name stands for none: made up, or missed."""
    cells = version.get("confusion") or {"labels": [], "matrix": []}
    names = [*cells["labels"][:-1], ""]
    return [
        {"true": true, "predicted": predicted, "spans": count}
        for true, row in zip(names, cells["matrix"], strict=False)
        for predicted, count in zip(names, row, strict=False)
    ]


def reliability(version: Body) -> Rows:
    """Each point of a version's reliability curve."""
    bins = (version.get("confidence") or {}).get("reliability") or []
    return [{name: one[name] for name in ("mean_confidence", "precision", "count")} for one in bins]


def confidence(version: Body) -> Rows:
    """How many entities of the test part fall in each tenth of confidence."""
    counts = (version.get("confidence") or {}).get("histogram") or []
    return [{"from": tenth / 10, "to": (tenth + 1) / 10, "entities": count} for tenth, count in enumerate(counts)]


def requests(traffic: Body) -> Rows:
    """Traffic per bucket of time. `traffic`: see `dashboards.traffic`."""
    return [summary_row(row) for row in traffic["series"]]


def arms(traffic: Body) -> Rows:
    """Traffic per version and variant."""
    return [summary_row(row) for row in traffic["arms"]]


def arms_over_time(traffic: Body) -> Rows:
    """Traffic per bucket of time, version and variant."""
    return [summary_row(row) for row in traffic["arm_series"]]


def processes(traffic: Body) -> Rows:
    """What each process needed per bucket of time."""
    return [
        {"process": one["process"], "kind": one["kind"]} | summary_row(row)
        for one in traffic["processes"]
        for row in one["series"]
    ]


def loads(traffic: Body) -> Rows:
    """How long each process took to load each version."""
    return [
        {"process": one["process"], "version": version, "seconds": seconds}
        for one in traffic["processes"]
        for version, seconds in sorted(one["load_seconds"].items())
    ]


def criteria(traffic: Body) -> Rows:
    """Each criterion of the canary's trial with its value, interval, counts and verdict; none without a trial."""
    trial = traffic["trial"] or {"criteria": []}
    names = ("name", "limit", "on_breach", "verdict", "value", "low", "high", "requests_to_go", "minutes_to_go")
    return [
        {"canary_version": trial["canary"], "stable_version": trial["stable"]}
        | {name: one[name] for name in names}
        | {f"{arm}_{count}": (one[arm] or {}).get(count) for arm, count in _ARM_COUNTS}
        | {"reason": one["reason"]}
        for one in trial["criteria"]
    ]


def drift(body: Body) -> Rows:
    """Each measure of drift with its effect, interval and threshold. `body`: see `dashboards.drift`."""
    names = ("name", "unit", "now", "training", "effect", "threshold", "verdict", "more_documents", "sentence")
    return [
        {"version": body["version"], "hours": body["hours"], "documents": body["documents"]}
        | {name: one[name] for name in names}
        | dict(zip(("effect_low", "effect_high"), one["effect_interval"] or (None, None), strict=True))
        for one in body["measures"]
    ]


OF_QUALITY: Mapping[str, Callable[[Body], Rows]] = {"versions": versions}
OF_VERSION: Mapping[str, Callable[[Body], Rows]] = {
    "labels": labels,
    "tags": tags,
    "confusion": confusion,
    "reliability": reliability,
    "confidence": confidence,
}
OF_TRAFFIC: Mapping[str, Callable[[Body], Rows]] = {
    "requests": requests,
    "arms": arms,
    "arms-over-time": arms_over_time,
    "processes": processes,
    "loads": loads,
    "criteria": criteria,
}
OF_DRIFT: Mapping[str, Callable[[Body], Rows]] = {"drift": drift}
NAMES: Sequence[str] = (*OF_QUALITY, *OF_VERSION, *OF_TRAFFIC, *OF_DRIFT)

_ARM_COUNTS = (
    ("canary", "exceeded"), ("canary", "requests"), ("stable", "exceeded"), ("stable", "requests"),
)  # fmt: skip


def _parts(parts: Body | None, kind: str) -> Rows:
    return [{kind: name, "support": part["support"]} | _scores(part) for name, part in (parts or {}).items()]


def _scores(body: Body) -> dict[str, Any]:
    return dict(_scored(body))


def _scored(body: Body) -> Iterator[tuple[str, Any]]:
    for name in _SCORES:
        yield name, body.get(name)
        interval = body.get(f"{name}_interval") or (None, None)
        yield f"{name}_low", interval[0]
        yield f"{name}_high", interval[1]
