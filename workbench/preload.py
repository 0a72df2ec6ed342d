"""What draws the pages, loaded while nobody waits: the libraries of charts and tables take longer than any page."""

import pandas as pd
import pyarrow as pa
from plotly import graph_objects as go

from dashboards import figures
from workbench import app

__all__ = ["app", "preload"]


def preload() -> None:
    """Make one chart of each kind and one table, as pages do, and throw them away."""
    rows = [{"name": "a", "count": 1, "share": 0.5, "at": pd.Timestamp(0, tz="UTC")}]
    pa.Table.from_pandas(pd.DataFrame(rows))
    for theme in ("light", "dark"):
        figure = figures.nothing_yet("", theme)
        figure.add_bar(x=["2026-01-01T00:00:00+00:00"], y=[1.0])
        figure.add_scatter(x=[0.0], y=[1.0], mode="lines+markers")
        figure.add_heatmap(z=[[1.0]])
        figure.update_layout(barmode="stack")
        figure.update_xaxes(type="date")
        go.Figure(figure).to_json()
