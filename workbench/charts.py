"""Plotly figures on a page: at its width, in its font and the visitor's theme, without tools that nobody asked for."""

import html
from collections.abc import Callable, Mapping
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from dashboards.figures import Theme

CONFIG = {"displayModeBar": False, "responsive": True}
FONT = "'Source Sans', 'Source Sans Pro', system-ui, sans-serif"
PANEL_NAMES_PIXELS = 36


def theme() -> Theme:
    """Whether the visitor sees the page light or dark."""
    return "dark" if st.context.theme.type == "dark" else "light"


def draw(figure: go.Figure, *, key: str, on_click: Callable[[], None] | None = None) -> None:
    """Draw a figure that was made for `theme()`, with its title as text of the page, which wraps where it is narrow.

    `on_click` is called before the page is drawn anew when a point is clicked; `clicked` then says which.
    """
    title, subtitle = figure.layout.title.text or "", figure.layout.title.subtitle.text or ""
    if title:
        st.html(f'<div class="ner-figure"><b>{html.escape(title)}</b><span>{html.escape(subtitle)}</span></div>')
    removed_pixels = (figure.layout.margin.t or 0) - PANEL_NAMES_PIXELS if title else 0
    figure.update_layout(
        title={"text": "", "subtitle": {"text": ""}},
        margin={"t": PANEL_NAMES_PIXELS if title else figure.layout.margin.t},
        height=(figure.layout.height or 380) - max(removed_pixels, 0),
        font={"family": FONT},
        legend={"y": 1.02, "yanchor": "bottom"},
    )
    if on_click is None:
        st.plotly_chart(figure, key=key, config=CONFIG, theme=None)
    else:
        st.plotly_chart(figure, key=key, config=CONFIG, theme=None, on_select=on_click, selection_mode="points")


def clicked(key: str) -> Any:
    """The customdata of the point that was clicked in the figure with this key; None where none is."""
    selection = (st.session_state.get(key) or {}).get("selection") or {}
    points = selection.get("points") or []
    return points[0].get("customdata") if points else None


def draw_tabs(parts: Mapping[str, Callable[[], None]], *, key: str) -> None:
    """Tabs of which only the open one is drawn: a figure in a hidden tab would measure its texts as nothing."""
    for tab, part in zip(st.tabs(list(parts), key=key, on_change="rerun"), parts.values(), strict=True):
        if tab.open:
            with tab:
                part()
