"""What more text brings: a curve of versions against the documents that they learned from."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from dashboards.figures.canvas import Theme, canvas, interval_bars, nothing_yet, palette


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
