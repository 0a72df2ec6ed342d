"""What the processes need of their machines, over time."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from dashboards.figures.canvas import Theme, canvases, nothing_yet, palette, percent

_PANELS = (
    ("Processor, cores busy", "cpu_cores", 1.0, ".2f", ""),
    ("Memory, MB", "memory_bytes", 1e-6, ",.0f", " MB"),
    ("Disk in use", "disk_share", 1.0, ".0%", ""),
)
_MOST = 8


def process_resources(traffic: Mapping[str, Any], theme: Theme = "light") -> go.Figure:
    """Processor, memory and disk of each process over time, at most eight of them, the living first.

    `traffic`: see `dashboards.traffic.traffic`.
    """
    processes = sorted(traffic["processes"], key=lambda one: not one["is_alive"])
    if not processes:
        return nothing_yet("No process has said what it needs in this time; each does once a minute.", theme)
    alive = [one for one in processes if one["is_alive"]]
    fullest = max((one["memory_share"] or 0.0 for one in alive), default=None)
    figure = canvases(
        f"{len(alive)} {'process' if len(alive) == 1 else 'processes'} alive"
        + (f"; the fullest holds {percent(fullest)} of its machine's memory" if fullest else ""),
        theme,
        [""] * len(_PANELS),
        subtitle="Means over the steps of the time axis, from what each process writes down once a minute (UTC)",
        height_pixels=340,
    )
    colours = palette(theme)
    for place, process in enumerate(processes[:_MOST]):
        again, number = divmod(place, len(colours.series))
        line = {"color": colours.series[number], "width": 2, "dash": "dot" if again else "solid"}
        name = process_name(process)
        for column, (_, figure_name, factor, form, unit) in enumerate(_PANELS, start=1):
            values = [None if row[figure_name] is None else row[figure_name] * factor for row in process["series"]]
            figure.add_scatter(
                x=[row["at"] for row in process["series"]], y=values, name=name, legendgroup=name,
                showlegend=column == 1, mode="lines+markers", line=line, marker={"size": 4},
                hovertemplate=f"%{{x|%d %b %H:%M}}: %{{y:{form}}}{unit}<extra>{name}</extra>", row=1, col=column,
            )  # fmt: skip
    figure.update_xaxes(type="date", range=[traffic["since"], traffic["until"]], nticks=4, tickangle=0)
    figure.update_yaxes(rangemode="tozero")
    for column, (title, *_) in enumerate(_PANELS, start=1):
        figure.update_yaxes(title_text=title, row=1, col=column)
    figure.update_yaxes(tickformat=".0%", range=[0, 1], row=1, col=3)
    return figure


def process_name(process: Mapping[str, Any]) -> str:
    """`api 4711`: what it is and its number, without the name of the machine."""
    return f"{process['kind']} {str(process['process']).rpartition(':')[2]}"
