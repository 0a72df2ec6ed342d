"""What a rollout policy does to simulated canaries, step by step."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from dashboards.figures.canvas import Theme, canvas, palette, percent


def simulation_steps(simulation: Mapping[str, Any], theme: Theme = "light") -> go.Figure:
    """For each step of the policy, what became of the canaries that entered it. See `registry.simulation.simulate`."""
    colours = palette(theme)
    runs, median = simulation["runs"], simulation["median_requests_to_verdict"]
    verdict = f"the median verdict took {median:,.0f} canary requests" if median is not None else "none had a verdict"
    figure = canvas(
        f"Of {runs:,} such canaries {percent(simulation['promoted'] / runs)} are promoted, "
        f"{percent(simulation['rolled_back'] / runs)} rolled back",
        theme,
        subtitle=f"What became of the canaries in each step of the policy; {verdict}",
    )
    steps = simulation["steps"]
    names = [f"{step['percent']:g} %" for step in steps]
    ended = ("rolled_back", "held", "undecided")
    parts = (
        ("went on", [step["entered"] - sum(step[name] for name in ended) for step in steps], colours.third),
        ("rolled back", [step["rolled_back"] for step in steps], colours.bad),
        ("held for a person", [step["held"] for step in steps], colours.second),
        ("not enough evidence", [step["undecided"] for step in steps], colours.neutral),
    )
    for name, counts, shade in parts:
        figure.add_bar(
            x=names, y=counts, name=f"{name} ({sum(counts[-1:] if name == 'went on' else counts):,})",
            marker={"color": shade, "line": {"width": 0}},
            hovertemplate=f"<b>%{{x}}</b>: %{{y:,}} {name}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(barmode="stack", legend={"traceorder": "normal"})
    figure.update_xaxes(title_text="share of traffic in the step", type="category")
    figure.update_yaxes(title_text="simulated canaries", tickformat=",", range=[0, runs])
    return figure
