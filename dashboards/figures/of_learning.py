"""How learning goes: epoch by epoch, and version by version against the documents that they learned from."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from dashboards.figures.canvas import Theme, canvas, canvases, interval_bars, nothing_yet, palette


def learning_curve(curve: Mapping[str, Any], theme: Theme = "light") -> go.Figure:
    """F1 against the documents that versions learned from, on a logarithmic scale, with 95 % intervals.

    `curve` is one of `dashboards.learning_curve.learning_curves`, as JSON.
    """
    points = curve["points"]
    if not points:
        return nothing_yet("The first version that learned from this dataset will appear here.", theme)
    colours = palette(theme)
    values = [point["f1"] for point in points]
    figure = canvas(
        "What more text brings",
        theme,
        subtitle="Strict entity F1 on the version's test part; lines are 95 % intervals",
    )
    figure.add_scatter(
        x=[point["train_documents"] for point in points],
        y=values,
        mode="lines+markers",
        line={"color": colours.first, "width": 1.5, "dash": "dot"},
        marker={"size": 10, "color": colours.first},
        error_y=interval_bars(values, [[point["low"], point["high"]] for point in points], colours.muted),
        customdata=[point["version"] for point in points],
        hovertemplate="<b>F1 %{y:.3f}</b><br>version %{customdata}<br>%{x:,} documents<extra></extra>",
        showlegend=False,
    )
    figure.update_xaxes(title_text="documents to learn from", type="log", dtick=1)
    figure.update_yaxes(title_text="strict F1", tickformat=".2f")
    return figure


def training_history(history: Sequence[Mapping[str, float]], theme: Theme = "light") -> go.Figure:
    """Loss and strict F1 on the dev part, epoch by epoch. Items: epoch, loss, dev_loss where measured, f1."""
    if not history:
        return nothing_yet("The first epoch has not ended yet.", theme)
    colours = palette(theme)
    best = max(history, key=lambda item: item["f1"])
    title = f"Best F1 so far: {best['f1']:.3f} in epoch {best['epoch']:g}"
    figure = canvases(title, theme, ["", ""], height_pixels=320)
    epochs = [item["epoch"] for item in history]
    losses = [("loss", "training loss", colours.second, "solid"), ("dev_loss", "dev loss", colours.second, "dot")]
    for key, name, shade, dash in losses:
        if all(key in item for item in history):
            _draw_history(figure, 1, epochs, [item[key] for item in history], name, shade, dash)
    _draw_history(figure, 2, epochs, [item["f1"] for item in history], "F1 (dev)", colours.first, "solid")
    figure.add_hline(y=best["f1"], row=1, col=2, line={"color": colours.muted, "width": 1, "dash": "dot"})
    figure.update_xaxes(title_text="epoch", range=[0.7, max(epochs[-1], 2) + 0.3], tickformat="d", nticks=8)
    figure.update_yaxes(title_text="loss", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title_text="strict F1 (dev)", tickformat=".2f", row=1, col=2)
    return figure


def _draw_history(
    figure: go.Figure, column: int, epochs: Sequence[float], values: Sequence[float], name: str, shade: str, dash: str
) -> None:
    figure.add_scatter(
        x=epochs, y=values, name=name, mode="lines+markers", row=1, col=column,
        line={"color": shade, "width": 2.5, "dash": dash}, marker={"size": 6},
        hovertemplate=f"epoch %{{x}}: {name} %{{y:.4g}}<extra></extra>",
    )  # fmt: skip
