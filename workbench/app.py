"""The screens' front door: signs people in, and draws the pages that their role may see."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import streamlit as st

from ner.roles import Role
from workbench.ahead import load_charts_ahead
from workbench.alert_strip import draw_alert_strip
from workbench.api_client import ApiError
from workbench.browser import Visitor, explain, guarded, visitor
from workbench.layout import empty_state, heading
from workbench.pages import (
    access,
    agreement,
    alerts,
    compare,
    correct,
    drift,
    guidelines,
    history,
    judge,
    quality,
    search,
    sign_in,
    snapshots,
    sources,
    traffic,
    train,
    try_it,
    versions,
)
from workbench.sidebar import draw_sidebar

FOLDER = Path(__file__).parent


class Screen(NamedTuple):
    """A page, where it stands in the menu, and the least role that sees it."""

    section: str
    title: str
    icon: str
    path: str
    page: Callable[[], None]
    role: Role


SCREENS = (
    Screen("Look", "Try", ":material/text_fields:", "try", try_it.page, "viewer"),
    Screen("Look", "Compare", ":material/compare_arrows:", "compare", compare.page, "viewer"),
    Screen("Improve", "Correct", ":material/edit_note:", "correct", correct.page, "annotator"),
    Screen("Improve", "Judge", ":material/rule:", "judge", judge.page, "annotator"),
    Screen("Improve", "Search", ":material/search:", "search", search.page, "viewer"),
    Screen("Improve", "Sources", ":material/lightbulb:", "sources", sources.page, "engineer"),
    Screen("Improve", "Guidelines", ":material/menu_book:", "guidelines", guidelines.page, "viewer"),
    Screen("Improve", "Agreement", ":material/handshake:", "agreement", agreement.page, "reviewer"),
    Screen("Improve", "History", ":material/history:", "history", history.page, "viewer"),
    Screen("Improve", "Snapshots", ":material/ac_unit:", "snapshots", snapshots.page, "viewer"),
    Screen("Improve", "Train", ":material/model_training:", "train", train.page, "engineer"),
    Screen("Decide", "Versions", ":material/rocket_launch:", "versions", versions.page, "viewer"),
    Screen("Decide", "Quality", ":material/query_stats:", "quality", quality.page, "viewer"),
    Screen("Decide", "Drift", ":material/ssid_chart:", "drift", drift.page, "viewer"),
    Screen("Decide", "Traffic", ":material/monitoring:", "traffic", traffic.page, "viewer"),
    Screen("Run", "Alerts", ":material/notifications:", "alerts", alerts.page, "viewer"),
    Screen("Run", "Access", ":material/key:", "access", access.page, "admin"),
)


def main() -> None:
    """Draw one page for whoever sits at the browser."""
    st.set_page_config(page_title="NER workbench", page_icon=str(FOLDER / "icon.svg"), layout="wide")
    st.html(FOLDER / "look.css")
    st.logo(str(FOLDER / "logo.svg"), size="large")
    try:
        person = visitor()
    except ApiError as error:
        explain(error)
        return
    menu = _menu(person)
    chosen = st.navigation(menu, position="sidebar" if person else "hidden", expanded=True)
    if person is None:
        guarded(sign_in.page)()
        return
    draw_sidebar(person)
    load_charts_ahead()
    of_alerts = next(page for pages in menu.values() for page in pages if page.url_path == "alerts")
    if chosen.url_path != of_alerts.url_path:
        draw_alert_strip(of_alerts)
    chosen.run()


def screens_of(person: Visitor | None) -> list[Screen]:
    """What stands in the menu of a person."""
    return [screen for screen in SCREENS if person is not None and person.reaches(screen.role)]


def _menu(person: Visitor | None) -> dict[str, list[st.Page]]:
    """Every screen has its address for everybody; what a person may not see says so, and stands in no menu."""
    shown = screens_of(person)
    menu: dict[str, list[st.Page]] = {}
    for screen in SCREENS:
        page = st.Page(
            guarded(screen.page if screen in shown else partial(_refuse, screen)),
            title=screen.title,
            icon=screen.icon,
            url_path=screen.path if screen is not SCREENS[0] else "start",
            default=screen is SCREENS[0],
            visibility="visible" if screen in shown else "hidden",
        )
        menu.setdefault(screen.section if screen in shown else SCREENS[0].section, []).append(page)
    # The default page answers at "/" alone; its own address has to lead there too.
    first = SCREENS[0]
    named = st.Page(guarded(first.page), title=first.title, url_path=first.path, visibility="hidden")
    menu[first.section].append(named)
    return menu


def _refuse(screen: Screen) -> None:
    heading(screen.title, "")
    empty_state(f"This page needs the role '{screen.role}'", "Ask an administrator for that role or a key that has it.")
