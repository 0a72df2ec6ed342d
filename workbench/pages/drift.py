"""Drift: whether recent traffic is still like the text that a version was measured on."""

from collections.abc import Callable, Sequence
from functools import partial

import plotly.graph_objects as go
import streamlit as st

from dashboards import figures
from dashboards.figures import Theme
from workbench.api_client import Body
from workbench.browser import api
from workbench.charts import draw, draw_tabs, theme
from workbench.downloads import draw_downloads
from workbench.drifted import show_drifted
from workbench.layout import empty_state, heading, pick_version
from workbench.look import percent, plural

PERIODS = {"an hour": 1.0, "a day": 24.0, "a week": 168.0, "30 days": 720.0}
_IN_A_ROW = 3
VERDICTS = {
    "steady": ("steady", "green", ":material/check_circle:"),
    "drifted": ("drifted", "red", ":material/warning:"),
    "not enough evidence": ("undecided", "gray", ":material/hourglass_empty:"),
}


def page() -> None:
    """The verdict in words, then each measure with its evidence."""
    heading(
        "Drift",
        "Recent traffic beside the text that a version was measured on, with a verdict that waits for evidence.",
    )
    versions = api().versions()
    if not versions:
        empty_state("No version yet", "Train a version on the Train page; its traffic can be watched here.")
        return
    left, right, last = st.columns([1, 1, 1], vertical_alignment="bottom")
    with left:
        version = pick_version("Version", versions, key="drift_version", preferred=api().rollout()["stable"])
    period = right.selectbox("Traffic of the last", list(PERIODS), index=1, key="drift_period", persist_state="session")
    body = api().drift(version=version, hours=PERIODS[period])
    with last:
        draw_downloads({"drift": "Measures"}, version=version, hours=PERIODS[period])
    _draw_verdict(body)
    if not body["documents"]:
        empty_state("No traffic in this time", "Call POST /api/v1/ner/predict, or look further back.")
        return
    _draw_measures(body)
    _draw_pictures(body)


def _draw_verdict(body: Body) -> None:
    show = {"steady": st.success, "drifted": st.warning}.get(body["verdict"], st.info)
    show(body["sentence"], icon=VERDICTS[body["verdict"]][2])
    if body["read"] < body["documents"]:
        st.caption(f"Read {body['read']:,} of {plural(body['documents'], 'answer')}, evenly spread over the time.")


def _draw_measures(body: Body) -> None:
    measures: Sequence[Body] = body["measures"]
    columns = [column for _ in range(0, len(measures), _IN_A_ROW) for column in st.columns(_IN_A_ROW)]
    for column, measure in zip(columns, measures, strict=False):
        name, colour, icon = VERDICTS[measure["verdict"]]
        with column, st.container(border=True, height="stretch"):
            st.metric(measure["title"], _figure(measure["now"], measure), help=measure["effect_name"].capitalize())
            st.badge(name, color=colour, icon=icon)
            st.caption(measure["sentence"])
            if measure["effect"] is None:
                continue
            st.space("stretch")
            if st.button(
                "Documents", key=f"drifted_{measure['name']}", icon=":material/travel_explore:", type="tertiary",
                help="The answers that stand out most by this measure",
            ):  # fmt: skip
                show_drifted(measure, body["version"], body["hours"])


def _figure(value: float | None, measure: Body) -> str:
    if value is None:
        effect = measure["effect"]
        if effect is None:
            return "–"
        return percent(effect) if measure["unit"] == "excess" else f"{effect:.2f}"
    return f"{value:,.0f} chars" if measure["unit"] == "characters" else percent(value)


def _draw_pictures(body: Body) -> None:
    draw(figures.drift_overview(body, theme()), key="drift_overview")
    panels = {
        "Text length": figures.drift_lengths,
        "Words": figures.drift_words,
        "Entity mix": figures.drift_entity_mix,
        "Confidence": figures.drift_confidence,
    }
    draw_tabs({name: partial(_draw_panel, panel, body) for name, panel in panels.items()}, key="drift_parts")


def _draw_panel(panel: Callable[[Body, Theme], go.Figure], body: Body) -> None:
    draw(panel(body, theme()), key=panel.__name__)
