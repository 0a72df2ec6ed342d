"""How good versions are: scores with their intervals, confusions, and how honest confidences are."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from dashboards.figures.canvas import (
    Theme,
    canvas,
    faded,
    ink_on,
    interval_bars,
    nothing_yet,
    palette,
    percent,
    shade_at,
)

_OUTCOME_NAMES = {
    "correct": "right",
    "wrong_label": "wrong label",
    "wrong_border": "wrong border",
    "both": "wrong label and border",
    "missed": "missed",
    "spurious": "made up",
}
_UNSURE = 5


def f1_by_version(quality: Mapping[str, Any], theme: Theme = "light") -> go.Figure:
    """Strict F1 of each version, oldest first, with 95 % intervals; stable and canary are named.

    `quality` is what `dashboards.quality.quality` returns.
    """
    versions = [version for version in reversed(quality["versions"]) if version["f1"] is not None]
    if not versions:
        return nothing_yet("The first trained version will appear here with its F1.", theme)
    colours = palette(theme)
    values = [version["f1"] for version in versions]
    intervals = [version["f1_interval"] or [version["f1"]] * 2 for version in versions]
    shades = {"stable": colours.first, "canary": colours.second}
    marks = [
        next((shades[alias] for alias in version["aliases"] if alias in shades), colours.neutral)
        for version in versions
    ]
    names = [_version_name(version) for version in versions]
    figure = canvas(
        "F1 of each version",
        theme,
        subtitle="Strict entity F1 on the version's own test part; lines are 95 % intervals",
    )
    figure.add_scatter(
        x=names,
        y=values,
        mode="markers+text",
        marker={"size": 12, "color": marks, "line": {"width": 1.5, "color": colours.page}},
        error_y=interval_bars(values, intervals, colours.muted),
        text=[f" {value:.3f}" for value in values],
        textposition="middle right",
        textfont={"color": colours.text, "size": 12.5},
        customdata=[
            [
                version["recipe"],
                version["dataset"],
                *interval,
                version["documents"],
                version["trained_at"][:16].replace("T", " "),
            ]
            for version, interval in zip(versions, intervals, strict=True)
        ],
        hovertemplate="<b>F1 %{y:.3f}</b> (%{customdata[2]:.3f}–%{customdata[3]:.3f})<br>%{customdata[0]} on "
        "%{customdata[1]}<br>%{customdata[4]:,} test documents<br>trained %{customdata[5]}<extra></extra>",
        showlegend=False,
    )
    low, high = min(low for low, _ in intervals), max(high for _, high in intervals)
    room = max(0.02, 0.25 * (high - low))
    figure.update_yaxes(title_text="strict F1", range=[max(0, low - room), min(1.0, high + room)], tickformat=".2f")
    figure.update_xaxes(type="category", range=[-0.5, len(names) - 0.35])
    return figure


def _version_name(version: Mapping[str, Any]) -> str:
    aliases = ", ".join(version["aliases"])
    return f"<b>{version['version']}</b><br>{aliases}" if aliases else str(version["version"])


def per_label_bars(performance: Mapping[str, Any], theme: Theme = "light") -> go.Figure:
    """F1 of each label, best first, with 95 % intervals and the number of gold entities that it rests on."""
    return _bars_of(performance.get("per_label"), "label", "Strict F1 by label", "gold entities", theme)


def per_tag_bars(performance: Mapping[str, Any], theme: Theme = "light") -> go.Figure:
    """F1 of each tag (B-per, I-per, ...), token by token, with 95 % intervals and the gold tokens that it rests on."""
    return _bars_of(performance.get("per_tag"), "tag", "F1 of single tokens by tag", "gold tokens", theme)


def _bars_of(parts: Mapping[str, Any] | None, kind: str, what: str, rests_on: str, theme: Theme) -> go.Figure:
    if not parts:
        return nothing_yet(f"This version has no scores per {kind}.", theme)
    colours = palette(theme)
    ordered = sorted(parts.items(), key=lambda item: item[1]["f1"])
    values = [part["f1"] for _, part in ordered]
    figure = canvas(
        f"{ordered[-1][0]} is found best, {ordered[0][0]} worst" if len(ordered) > 1 else f"F1 of {ordered[0][0]}",
        theme,
        subtitle=f"{what} with 95 % intervals; at the right, the {rests_on} it rests on",
        height_pixels=110 + 34 * len(ordered),
    )
    figure.add_bar(
        y=[label for label, _ in ordered],
        x=values,
        orientation="h",
        marker={"color": faded(colours.first, 0.85)},
        error_x=interval_bars(values, [part["f1_interval"] for _, part in ordered], colours.text),
        customdata=[[part["precision"], part["recall"], part["support"]] for _, part in ordered],
        hovertemplate="<b>%{y}</b>: F1 %{x:.3f}<br>precision %{customdata[0]:.3f}, recall %{customdata[1]:.3f}<br>"
        f"%{{customdata[2]:,}} {rests_on}<extra></extra>",
    )
    for label, part in ordered:
        figure.add_annotation(
            x=1.02, y=label, text=f"<b>{part['f1']:.3f}</b>  of {part['support']:,}", showarrow=False, xanchor="left",
            font={"color": colours.text, "size": 12.5},
        )  # fmt: skip
    figure.update_xaxes(title_text="F1", range=[0, 1.22], tickvals=[0, 0.2, 0.4, 0.6, 0.8, 1.0], showgrid=True)
    figure.update_yaxes(type="category", showgrid=False, tickfont={"color": colours.text, "size": 13})
    return figure


def confusion_heatmap(performance: Mapping[str, Any], theme: Theme = "light") -> go.Figure:
    """Gold labels against predicted ones: counts in the cells, shaded by their share of the row.

    The last row holds spans that the model made up, the last column those that it missed.
    """
    confusion = performance.get("confusion") or {}
    counts = np.asarray(confusion.get("matrix") or [[0]])
    if not counts.sum():
        return nothing_yet("This version has no confusion matrix.", theme)
    colours = palette(theme)
    labels = list(confusion["labels"][:-1])
    rows, columns = [*labels, "<i>made up</i>"], [*labels, "<i>missed</i>"]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    text = [
        [f"{count:,}<br>{percent(share, 0)}" if count else "" for count, share in zip(*pair, strict=True)]
        for pair in zip(counts.tolist(), shares.tolist(), strict=True)
    ]
    figure = canvas(
        "What is taken for what",
        theme,
        subtitle="Each row: what became of the entities of one true label (count, share of the row)",
        height_pixels=180 + 48 * len(rows),
    )
    figure.add_heatmap(
        z=shares, x=columns, y=rows, zmin=0, zmax=1, xgap=2, ygap=2, showscale=False,
        colorscale=[list(stop) for stop in colours.scale],
        customdata=counts,
        hovertemplate="true <b>%{y}</b>, predicted <b>%{x}</b><br>%{customdata:,} spans, "
        "%{z:.1%} of the row<extra></extra>",
    )  # fmt: skip
    _mark_mistakes(figure, counts, shares, rows, columns, theme)
    _write_cells(figure, text, shares, rows, columns, theme)
    figure.update_xaxes(
        title_text="predicted", side="top", type="category", tickfont={"color": colours.text, "size": 13}
    )
    figure.update_yaxes(
        title_text="true",
        autorange="reversed",
        type="category",
        showgrid=False,
        tickfont={"color": colours.text, "size": 13},
    )
    return figure.update_layout(margin={"t": 136})


def _mark_mistakes(
    figure: go.Figure, counts: Any, shares: Any, rows: Sequence[str], columns: Sequence[str], theme: Theme
) -> None:
    """A frame for each cell of mistakes, drawn around the one that was clicked: heat maps themselves take no clicks.
    Its customdata is [row, column, count, share]."""
    cells = [(row, column) for row, column in np.argwhere(counts).tolist() if row != column]
    figure.add_scatter(
        x=[columns[column] for _, column in cells],
        y=[rows[row] for row, _ in cells],
        mode="markers",
        showlegend=False,
        marker={"symbol": "square-open", "size": 40, "opacity": 0, "color": palette(theme).text, "line": {"width": 2}},
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 0}},
        customdata=[[row, column, int(counts[row][column]), float(shares[row][column])] for row, column in cells],
        hovertemplate="true <b>%{y}</b>, predicted <b>%{x}</b><br>%{customdata[2]:,} spans, "
        "%{customdata[3]:.1%} of the row; click to see them<extra></extra>",
    )


def _write_cells(
    figure: go.Figure,
    text: Sequence[Sequence[str]],
    shares: Any,
    rows: Sequence[str],
    columns: Sequence[str],
    theme: Theme,
) -> None:
    """Counts as annotations: their colour can follow the shade below, which a heat map's own text cannot."""
    scale = palette(theme).scale
    for row, name in enumerate(rows):
        for column, other in enumerate(columns):
            if text[row][column]:
                font = {"size": 11, "color": ink_on(shade_at(scale, float(shares[row][column])))}
                figure.add_annotation(x=other, y=name, text=text[row][column], showarrow=False, font=font)


def outcome_bar(performance: Mapping[str, Any], theme: Theme = "light") -> go.Figure:
    """The six outcomes of all spans as one bar."""
    outcomes = performance.get("outcomes") or {}
    total = sum(outcomes.values())
    if not total:
        return nothing_yet("This version was scored on no entity.", theme)
    colours = palette(theme)
    shades = [colours.third, colours.fourth, colours.first, colours.bad, colours.second, colours.neutral]
    figure = canvas(
        f"{percent(outcomes['correct'] / total, 0)} of all spans are right", theme,
        subtitle="What became of every true or predicted span", height_pixels=220,
    )  # fmt: skip
    for (name, count), shade in zip(outcomes.items(), shades, strict=True):
        figure.add_bar(
            y=[""], x=[count], name=f"{_OUTCOME_NAMES[name]} ({count:,})", orientation="h", marker={"color": shade},
            hovertemplate=f"<b>{_OUTCOME_NAMES[name]}</b><br>{count:,} spans, {percent(count / total)}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(barmode="stack", bargap=0.1)
    figure.update_xaxes(tickformat=",", ticksuffix=" spans", nticks=6)
    return figure.update_layout(legend={"y": -0.55, "traceorder": "normal"})


def reliability_curve(performance: Mapping[str, Any], theme: Theme = "light") -> go.Figure:
    """Precision against confidence; on the diagonal, confidence is honest."""
    confidence = performance.get("confidence") or {}
    bins = confidence.get("reliability") or []
    if not bins:
        return nothing_yet("This version has found no entity to be sure or unsure of.", theme)
    colours = palette(theme)
    gap = sum(part["count"] * (part["mean_confidence"] - part["precision"]) for part in bins)
    mood = "too sure of itself" if gap > 0 else "too modest"
    error = confidence["ece"]
    figure = canvas(
        "Confidence is honest" if error <= 0.05 else f"The model is {mood}",
        theme,
        subtitle=f"Off by {100 * error:.1f} points on average (ECE); each point is a tenth of the entities",
    )
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", name="honest", hoverinfo="skip",
        line={"color": colours.muted, "dash": "dash", "width": 1.5},
    )  # fmt: skip
    figure.add_scatter(
        x=[part["mean_confidence"] for part in bins],
        y=[part["precision"] for part in bins],
        mode="lines+markers",
        name="this version",
        line={"color": colours.first, "width": 2.5},
        marker={"size": 9, "color": colours.first},
        customdata=[[part["count"]] for part in bins],
        hovertemplate="said %{x:.1%}, right %{y:.1%}<br>%{customdata[0]:,} entities<extra></extra>",
    )
    figure.update_xaxes(title_text="confidence", range=[0, 1.02], tickformat=".0%", showgrid=True)
    figure.update_yaxes(title_text="share that is right", range=[0, 1.02], tickformat=".0%")
    return figure


def confidence_histogram(performance: Mapping[str, Any], theme: Theme = "light") -> go.Figure:
    """How many entities fall in each tenth of confidence, and the share below one half."""
    counts = (performance.get("confidence") or {}).get("histogram") or []
    total = sum(counts)
    if not total:
        return nothing_yet("This version has found no entity to be sure or unsure of.", theme)
    colours = palette(theme)
    unsure = sum(counts[:_UNSURE]) / total
    figure = canvas(
        f"{percent(unsure)} of the entities are found with confidence below 50 %",
        theme,
        subtitle="Entities by confidence, on the test part",
    )
    figure.add_bar(
        x=[f"{10 * tenth}–{10 * tenth + 10} %" for tenth in range(10)],
        y=counts,
        marker={"color": [colours.second] * _UNSURE + [colours.first] * (10 - _UNSURE)},
        customdata=[[count / total] for count in counts],
        hovertemplate="confidence %{x}<br>%{y:,} entities, %{customdata[0]:.1%}<extra></extra>",
    )
    figure.update_xaxes(title_text="confidence", type="category")
    figure.update_yaxes(title_text="entities", tickformat=",")
    return figure.update_layout(bargap=0.06)
