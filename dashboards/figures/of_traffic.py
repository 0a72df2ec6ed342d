"""Traffic over time, who answered it, and the canary beside the stable version."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from dashboards.figures.canvas import Theme, canvas, faded, limit_line, nothing_yet, palette, percent

_SILENT = "No request was logged in this time."


def traffic_requests(traffic: Mapping[str, Any], theme: Theme = "light") -> go.Figure:
    """Answers per second over time, and the share of failed ones. `traffic`: see `dashboards.traffic.traffic`."""
    total, series = traffic["total"], traffic["series"]
    if not total["requests"]:
        return nothing_yet(_SILENT, theme)
    colours = palette(theme)
    failed = f"{total['errors_5xx']:,} ({percent(total['error_rate'], 2)})" if total["errors_5xx"] else "none"
    figure = canvas(
        f"{total['requests']:,} requests, {failed} failed",
        theme,
        subtitle=f"Answers per second, in steps of {_width(traffic['bucket_seconds'])} (UTC)",
    )
    moments = [row["at"] for row in series]
    failed_rates = [row["throughput"] * (row["error_rate"] or 0.0) for row in series]
    for name, rates, shade in (
        ("answered", [row["throughput"] - bad for row, bad in zip(series, failed_rates, strict=True)], colours.first),
        ("failed", failed_rates, colours.bad),
    ):
        figure.add_bar(
            x=moments, y=rates, name=name, marker={"color": shade, "line": {"width": 0}},
            hovertemplate="%{x|%d %b %H:%M}: %{y:.3g} a second<extra>" + name + "</extra>",
        )  # fmt: skip
    figure.update_layout(barmode="stack", bargap=0.08)
    figure.update_yaxes(title_text="answers per second", rangemode="tozero")
    return _over_time(figure, traffic)


def traffic_latency(traffic: Mapping[str, Any], theme: Theme = "light") -> go.Figure:
    """Median, 95th and 99th percentile of latency over time, in ms."""
    total, series = traffic["total"], traffic["series"]
    if not total["requests"]:
        return nothing_yet(_SILENT, theme)
    colours = palette(theme)
    figure = canvas(
        f"Half of the answers take at most {_ms(total['p50'])}, 95 % at most {_ms(total['p95'])}",
        theme,
        subtitle=f"Latency in steps of {_width(traffic['bucket_seconds'])} (UTC)",
    )
    for name, shade in (("p99", colours.fourth), ("p95", colours.second), ("p50", colours.first)):
        _line(figure, [row["at"] for row in series], [row[name] for row in series], name, shade)
    figure.update_yaxes(title_text="ms", rangemode="tozero")
    return _over_time(figure, traffic)


def version_share(traffic: Mapping[str, Any], theme: Theme = "light") -> go.Figure:
    """Share of the requests that each version answered, over time."""
    arms = traffic["arms"]
    if not arms:
        return nothing_yet(_SILENT, theme)
    shades = _arm_shades(arms, theme)
    told = ", ".join(f"{arm['version']} ({arm_role(arm)}) {percent(arm['share'])}" for arm in arms[:3])
    figure = canvas(
        f"Who answered: {told}",
        theme,
        subtitle=f"Share of requests in steps of {_width(traffic['bucket_seconds'])} (UTC)",
    )
    totals = {row["at"]: row["requests"] for row in traffic["series"]}
    for arm in arms:
        rows = {row["at"]: row["requests"] - row["covered"] for row in traffic["arm_series"] if _arm(row) == _arm(arm)}
        name = f"{arm['version']} ({arm_role(arm)})"
        figure.add_bar(
            x=list(totals),
            y=[rows.get(at, 0) / count if count else None for at, count in totals.items()],
            name=name,
            marker={"color": shades[_arm(arm)], "line": {"width": 0}},
            hovertemplate="%{x|%d %b %H:%M}: %{y:.1%}<extra>" + name + "</extra>",
        )
    figure.update_layout(barmode="stack", bargap=0.08)
    figure.update_yaxes(title_text="share of requests", tickformat=".0%", range=[0, 1])
    return _over_time(figure, traffic)


def canary_latency(traffic: Mapping[str, Any], theme: Theme = "light", *, quantile: str = "p95") -> go.Figure:
    """The canary's latency beside the stable version's, with the limit of the policy drawn in.

    `quantile` is p50, p95 or p99.
    """
    trial = traffic["trial"]
    if trial is None:
        return nothing_yet("No version is on trial.", theme)
    colours = palette(theme)
    figure = canvas(
        f"Canary {trial['canary']} beside stable {trial['stable']}: {quantile} of latency",
        theme,
        subtitle=f"In steps of {_width(traffic['bucket_seconds'])} (UTC), with the limit of the policy",
    )
    drawn = False
    for variant, shade in (("stable", colours.first), ("canary", colours.second)):
        rows = {row["at"]: row[quantile] for row in traffic["arm_series"] if _arm(row) == (trial[variant], variant, "")}
        drawn = drawn or bool(rows)
        moments = [row["at"] for row in traffic["series"]]
        _line(figure, moments, [rows.get(at) for at in moments], f"{variant} {trial[variant]}", shade)
    if not drawn:
        return nothing_yet("Neither version has answered in this time.", theme)
    name = f"latency_{quantile}_ms"
    limit = next((criterion["limit"] for criterion in trial["criteria"] if criterion["name"] == name), None)
    if limit is not None:
        limit_line(figure, y=limit, text=f"limit {limit:g} ms", colour=colours.bad)
    figure.update_yaxes(title_text=f"{quantile} of latency, ms", rangemode="tozero")
    return _over_time(figure, traffic)


def simulation_outcomes(simulation: Mapping[str, Any], theme: Theme = "light") -> go.Figure:
    """What a policy did to the simulated canaries: promoted, rolled back, undecided."""
    colours = palette(theme)
    runs = simulation["runs"]
    parts = (
        ("promoted", simulation["promoted"], colours.third),
        ("undecided", simulation["undecided"], colours.neutral),
        ("rolled back", simulation["rolled_back"], colours.bad),
    )
    figure = canvas(
        f"Of {runs:,} such canaries {percent(simulation['promoted'] / runs)} are promoted, "
        f"{percent(simulation['rolled_back'] / runs)} rolled back",
        theme,
        height_pixels=200,
    )
    for name, count, shade in parts:
        figure.add_bar(
            y=[""], x=[count], name=f"{name} ({count:,})", orientation="h", marker={"color": shade},
            hovertemplate=f"<b>{name}</b>: {count:,} of {runs:,}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(barmode="stack", bargap=0.1, legend={"y": -0.9, "traceorder": "normal"})
    figure.update_xaxes(title_text="simulated canaries", tickformat=",", range=[0, runs])
    return figure


def _line(figure: go.Figure, moments: Sequence[str], values: Sequence[float | None], name: str, shade: str) -> None:
    figure.add_scatter(
        x=list(moments), y=list(values), name=name, mode="lines+markers", connectgaps=False,
        line={"color": shade, "width": 2}, marker={"size": 4, "color": faded(shade, 0.9)},
        hovertemplate="%{x|%d %b %H:%M}: %{y:,.1f} ms<extra>" + name + "</extra>",
    )  # fmt: skip


def _over_time(figure: go.Figure, traffic: Mapping[str, Any]) -> go.Figure:
    half = dt.timedelta(seconds=traffic["bucket_seconds"] / 2)
    start, end = (dt.datetime.fromisoformat(traffic[name]) for name in ("since", "until"))
    figure.update_xaxes(type="date", range=[(start - half).isoformat(), (end + half).isoformat()])
    return figure


def _arm(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["version"], row["variant"], row["stood_in_for"]


def arm_role(arm: Mapping[str, Any]) -> str:
    """As what an arm answered: "stable", or "stable in place of canary"; a dash where nobody was chosen yet."""
    if not arm["stood_in_for"]:
        return str(arm["variant"] or "–")
    return f"{arm['variant']} in place of {arm['stood_in_for']}"


def _arm_shades(arms: Sequence[Mapping[str, Any]], theme: Theme) -> dict[tuple[str, str, str], str]:
    """Blue and orange for the busiest stable and canary; what else answered gets the colours that are left."""
    colours = palette(theme)
    meant = {"stable": colours.first, "canary": colours.second}
    spare = [colours.third, colours.fourth, colours.neutral, colours.bad]
    shades: dict[tuple[str, str, str], str] = {}
    for arm in arms:
        shade = None if arm["stood_in_for"] else meant.pop(arm["variant"], None)
        shades[_arm(arm)] = shade or spare[len(shades) % len(spare)]
    return shades


def _width(seconds: int) -> str:
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds} seconds"


def _ms(value: float) -> str:
    return f"{value:,.0f} ms" if value >= 10 else f"{value:.1f} ms"
