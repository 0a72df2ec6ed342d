"""Two versions on the same documents: what each label gains and loses, and how often they agree in the shadow."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from dashboards.figures.canvas import Theme, canvas, faded, interval_bars, nothing_yet, palette


def label_changes(labels: Sequence[Mapping[str, Any]], left: str, right: str, theme: Theme = "light") -> go.Figure:
    """The difference of F1 for each label with its 95 % interval, from left to right; beside it the gold spans that
    either version alone found. Labels without settled truth are left out.
    """
    scored = [label for label in labels if label["f1_difference"]]
    if not scored:
        return nothing_yet("No document is settled, so nobody knows which version gains.", theme)
    colours = palette(theme)
    ordered = sorted(scored, key=lambda label: label["f1_difference"]["difference"])
    values = [100 * label["f1_difference"]["difference"] for label in ordered]
    intervals = [[100 * label["f1_difference"][end] for end in ("low", "high")] for label in ordered]
    # An interval that says nothing would flatten all the others.
    intervals = [
        [value, value] if low <= -100 else [low, high] for value, (low, high) in zip(values, intervals, strict=True)
    ]
    marks = [_shade(low, high, colours.third, colours.bad, colours.neutral) for low, high in intervals]
    figure = canvas(
        _title(ordered, intervals, left, right),
        theme,
        subtitle=f"Change of strict F1 from {left} to {right} in points, with 95 % intervals; grey: it may be chance",
        height_pixels=130 + 36 * len(ordered),
    )
    names = [label["label"] for label in ordered]
    figure.add_scatter(
        x=values,
        y=names,
        mode="markers",
        marker={"size": 12, "color": marks, "line": {"width": 1.5, "color": colours.page}},
        error_x=interval_bars(values, intervals, colours.muted),
        customdata=[[label["gained"], label["lost"], label["entities"]] for label in ordered],
        hovertemplate="<b>%{y}</b>: %{x:+.1f} points<br>gains %{customdata[0]:,}, loses %{customdata[1]:,} "
        "of %{customdata[2]:,} gold entities<extra></extra>",
        showlegend=False,
    )
    for label in ordered:
        figure.add_annotation(
            x=1.01, xref="paper", y=label["label"], showarrow=False, xanchor="left",
            text=f"<b>+{label['gained']:,}</b> −{label['lost']:,}  of {label['entities']:,}",
            font={"color": colours.text, "size": 12.5},
        )  # fmt: skip
    figure.add_vline(x=0, line={"color": colours.muted, "width": 1.5})
    figure.update_xaxes(title_text=f"worse with {right}  ←  points of F1  →  better with {right}", showgrid=True)
    figure.update_yaxes(type="category", showgrid=False, tickfont={"color": colours.text, "size": 13})
    figure.update_layout(margin={"r": 130})
    return figure


def shadow_agreement(hours: Sequence[Mapping[str, Any]], canary: str, theme: Theme = "light") -> go.Figure:
    """By hour, the requests that the canary answered in the shadow: as the stable version did, differently, not."""
    if not hours:
        return nothing_yet("The first shadowed request will appear here.", theme)
    colours = palette(theme)
    answered = sum(hour["agree"] + hour["disagree"] for hour in hours)
    share = sum(hour["disagree"] for hour in hours) / answered if answered else 0.0
    figure = canvas(
        f"{canary} answers {100 * share:.1f} % of requests differently",
        theme,
        subtitle="Requests in the shadow by hour (UTC)",
        height_pixels=300,
    )
    parts = (
        ("agree", "the same", faded(colours.first, 0.75)),
        ("disagree", "differently", colours.second),
        ("failed", "not at all", colours.bad),
    )
    moments = [str(hour["hour"])[:16].replace("T", " ") for hour in hours]
    for name, words, colour in parts:
        counts = [hour[name] for hour in hours]
        if any(counts):
            figure.add_bar(
                x=moments,
                y=counts,
                name=words,
                marker={"color": colour},
                hovertemplate="%{x}: %{y:,} " + words + "<extra></extra>",
            )
    figure.update_layout(barmode="stack")
    figure.update_xaxes(type="category", nticks=8)
    figure.update_yaxes(title_text="requests", rangemode="tozero")
    return figure


def _shade(low: float, high: float, good: str, bad: str, neutral: str) -> str:
    return good if low > 0 else bad if high < 0 else neutral


def _title(ordered: Sequence[Mapping[str, Any]], intervals: Sequence[Sequence[float]], left: str, right: str) -> str:
    surely = {
        "gains": [label["label"] for label, (low, _) in zip(ordered, intervals, strict=True) if low > 0],
        "loses": [label["label"] for label, (_, high) in zip(ordered, intervals, strict=True) if high < 0],
    }
    said = [f"{verb} on {', '.join(names)}" for verb, names in surely.items() if names]
    return f"{right} {' and '.join(said)}" if said else f"No label surely differs between {left} and {right}"
