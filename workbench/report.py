"""The report of an installation: quality, the canary's verdict, drift and traffic, as one HTML file."""

import datetime as dt
from collections.abc import Callable, Iterator
from functools import partial

import plotly.graph_objects as go

from dashboards import figures
from dashboards.figures import Theme
from dashboards.figures.report import Picture, Section, report_html
from workbench.api_client import ApiClient, ApiError, Body
from workbench.look import f1_with_interval, percent, plural
from workbench.trial_words import beside, limit, measured, next_of, title

Figure = Callable[[Body, Theme], go.Figure]

_OF_VERSION: tuple[tuple[Figure, str], ...] = (
    (figures.per_label_bars, "labels"),
    (figures.per_tag_bars, "tags"),
    (figures.confusion_heatmap, "confusion"),
    (figures.reliability_curve, "reliability"),
    (figures.confidence_histogram, "confidence"),
)
_OF_DRIFT: tuple[Figure, ...] = (
    figures.drift_overview,
    figures.drift_lengths,
    figures.drift_words,
    figures.drift_entity_mix,
    figures.drift_confidence,
)
_OF_TRAFFIC: tuple[tuple[Figure, str], ...] = (
    (figures.traffic_requests, "requests"),
    (figures.traffic_latency, "requests"),
    (figures.version_share, "arms-over-time"),
    (figures.process_resources, "processes"),
)
_WIDE = (figures.drift_words, figures.process_resources)


def make_report(client: ApiClient, *, version: str | None = None, hours: float = 24) -> str:
    """The report as HTML. `version` is looked at in depth, the stable one unless named; `hours` of traffic count.

    Raises ApiError where the server refuses; a part for which there is nothing yet says so instead.
    """
    quality, traffic = client.quality(), client.traffic(hours=hours)
    chosen = version or quality["stable"]
    now = dt.datetime.now(dt.UTC)
    lead = f"{now:%d %B %Y, %H:%M} UTC. Traffic of the last {hours:g} hours; intervals are of 95 % unless said."
    sections = [
        *_verdict(client, traffic, hours),
        *_quality(client, quality, chosen),
        _drift(client, chosen, hours),
        _traffic(client, traffic, hours),
    ]
    return report_html("NER workbench: report", lead, sections)


def _verdict(client: ApiClient, traffic: Body, hours: float) -> Iterator[Section]:
    trial = traffic["trial"]
    if trial is None:
        yield Section("The canary", ["No version is on trial."])
        return
    rows = [
        {
            "Criterion": title(one),
            "Limit": limit(one),
            f"{trial['canary']} (canary)": measured(one),
            f"{trial['stable']} (stable)": beside(one),
            "Verdict": one["verdict"],
            "What comes next": next_of(one, is_stale=trial["is_stale"]),
        }
        for one in trial["criteria"]
    ]
    table = client.table("arms-over-time", hours=hours)
    pictures = [
        Picture(partial(_canary_latency, traffic, quantile), f"canary {quantile}", table) for quantile in ("p95", "p99")
    ]
    yield Section(f"The trial of {trial['canary']}", [trial["sentence"]], rows, pictures)


def _canary_latency(traffic: Body, quantile: str, theme: Theme) -> go.Figure:
    return figures.canary_latency(traffic, theme, quantile=quantile)


def _quality(client: ApiClient, quality: Body, chosen: str | None) -> Iterator[Section]:
    versions = [one for one in quality["versions"] if one["f1"] is not None]
    if not versions:
        yield Section("Quality", ["Nothing is measured yet: train a version."])
        return
    rows = [
        {
            "Version": " · ".join([one["version"], *one["aliases"]]),
            **{
                name: f1_with_interval(one[name.lower()], one[f"{name.lower()}_interval"])
                for name in ("F1", "Precision", "Recall")
            },
            "Test documents": f"{one['documents'] or 0:,}",
            "Recipe": one["recipe"],
            "Dataset": one["dataset"],
        }
        for one in versions
    ]
    over_time = client.quality_over_time()
    lines = [point for point in over_time["points"] if point["version"] == chosen]
    pictures = [Picture(partial(figures.f1_by_version, quality), "versions", client.table("versions"))]
    pictures.append(Picture(partial(figures.quality_over_time, lines, "f1"), "over time", client.over_time_csv()))
    words = "Strict entity F1 on each version's own test part: an entity counts when its borders and label are right."
    yield Section("Quality", [words], rows, pictures)
    one = next((version for version in versions if version["version"] == chosen), None)
    if one is not None:
        drawn = [
            Picture(partial(figure, one), table, client.table(table, version=chosen)) for figure, table in _OF_VERSION
        ]
        yield Section(f"{chosen} in depth", [], [], drawn)


def _drift(client: ApiClient, chosen: str | None, hours: float) -> Section:
    try:
        body = client.drift(version=chosen, hours=hours)
        table = client.table("drift", version=chosen, hours=hours)
    except ApiError as error:
        return Section("Drift", [error.message])
    rows = [
        {"Measure": one["title"], "Verdict": one["verdict"], "In words": one["sentence"], "99 % interval": _effect(one)}
        for one in body["measures"]
    ]
    pictures = [
        Picture(partial(draw, body), "drift", table if draw is _OF_DRIFT[0] else b"", draw in _WIDE)
        for draw in _OF_DRIFT
    ]
    return Section(f"Drift of {body['version']}", [body["sentence"]], rows, pictures if body["documents"] else [])


def _effect(measure: Body) -> str:
    if measure["effect"] is None:
        return "–"
    low, high = measure["effect_interval"]
    return f"{low:.3f} to {high:.3f}, threshold {measure['threshold']:.3f} ({measure['effect_name']})"


def _traffic(client: ApiClient, traffic: Body, hours: float) -> Section:
    total = traffic["total"]
    if not total["requests"]:
        return Section("Traffic", ["No request was logged in this time."])
    rows = [
        {
            "Version": arm["version"] or "none: refused before",
            "As": figures.arm_role(arm),
            "Requests": f"{arm['requests']:,}",
            "Share": percent(arm["share"]),
            **{name: f"{arm[name]:,.1f} ms" for name in ("p50", "p95", "p99") if arm[name] is not None},
            "Refused (4xx)": f"{arm['errors_4xx']:,}",
            "Failed (5xx)": f"{arm['errors_5xx']:,}",
            "Covered by another": f"{arm['covered']:,}",
        }
        for arm in traffic["arms"]
    ]
    pictures = [
        Picture(partial(draw, traffic), name, client.table(name, hours=hours), draw in _WIDE)
        for draw, name in _OF_TRAFFIC
    ]
    return Section("Traffic", [f"{plural(total['requests'], 'request')}; {traffic['interpolation']}"], rows, pictures)
