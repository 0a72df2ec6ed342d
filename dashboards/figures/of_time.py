"""How good a version is as time goes by."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from dashboards.figures.canvas import Theme, canvas, interval_bars, nothing_yet, palette

_NAMES = {"f1": "F1", "precision": "precision", "recall": "recall"}
_MOST_NAMED = 10


def quality_over_time(points: Sequence[Mapping[str, Any]], name: str = "f1", theme: Theme = "light") -> go.Figure:
    """One figure of one version ("f1", "precision" or "recall"), measured and estimated, with 95 % intervals.

    `points` are those of the version from `dashboards.quality_over_time.quality_over_time`, oldest first.
    """
    colours = palette(theme)
    looks = {
        "measured": ("measured on settled texts", colours.first, "solid", "circle"),
        "estimated": ("estimated without labels", colours.second, "dot", "diamond"),
    }
    figure = canvas(
        f"Strict {_NAMES[name]} on traffic",
        theme,
        subtitle="Lines are 95 % intervals; a point needs 30 documents, and the last one still grows",
    )
    for kind, (title, shade, dash, symbol) in looks.items():
        scored = [point for point in points if point[kind] and name in point[kind]]
        if not scored:
            continue
        parts = [point[kind][name] for point in scored]
        values = [part["value"] for part in parts]
        figure.add_scatter(
            x=[point["from"] for point in scored],
            y=values,
            name=title,
            mode="lines+markers",
            line={"color": shade, "width": 2, "dash": dash},
            marker={"size": 9, "color": shade, "symbol": symbol},
            error_y=interval_bars(values, [(part["low"], part["high"]) for part in parts], shade),
            customdata=[[part["low"], part["high"], point[kind]["documents"]]
                        for part, point in zip(parts, scored, strict=True)],
            hovertemplate=f"<b>{_NAMES[name]} %{{y:.3f}}</b> (%{{customdata[0]:.3f}}–%{{customdata[1]:.3f}})<br>"
            "from %{x}<br>%{customdata[2]:,} documents<extra>" + title + "</extra>",
        )  # fmt: skip
    if not figure.data:
        return nothing_yet("A point appears once 30 texts of a day or week were answered, or settled by people.", theme)
    figure.update_xaxes(
        type="date", tickformat="%-d %b", **_ticks(sorted({day for line in figure.data for day in line.x}))
    )
    figure.update_yaxes(title_text=_NAMES[name], tickformat=".3~f")
    # A single line wants its name too: whether it was measured or estimated is the first thing to know.
    figure.update_layout(showlegend=True)
    return figure


def _ticks(days: Sequence[str]) -> dict[str, Any]:
    """A tick at each day that has a point, while there are few: plotly would name hours of the same day."""
    return {"tickvals": list(days)} if len(days) <= _MOST_NAMED else {"nticks": _MOST_NAMED}
