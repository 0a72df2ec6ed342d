"""Demo links: a page for people without a key, for one version or two side by side, until a set hour."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from workbench.api_client import ApiError, Body
from workbench.browser import api, explain
from workbench.layout import empty_state, pick_version
from workbench.look import ago, as_moment

LIFETIMES = {"1 hour": 1, "1 day": 24, "1 week": 168, "30 days": 720}


def draw_demo_links(versions: Sequence[Body], *, may_change: bool) -> None:
    """Make a link, see those there are, end one."""
    if not may_change:
        empty_state("Demo links are made by engineers", "Ask one for a link to show a version to people without a key.")
        return
    _draw_shortcuts(versions)
    _draw_form(versions)
    created = st.session_state.get("demo_created")
    if created:
        _draw_created(created)
    demos = api().demos()
    if not demos:
        empty_state("No demo link yet", "Make one above and send it to whoever should try a version.")
        return
    _draw_links(demos)


def _draw_created(created: Body) -> None:
    st.success(f"This link works until {as_moment(created['expires_at']):%Y-%m-%d %H:%M} UTC.", icon=":material/link:")
    st.code(created["url"], language=None, wrap_lines=True)
    if created["iframe"]:
        st.caption("To embed it, put this into a page of a site that you named:")
        st.code(created["iframe"], language="html", wrap_lines=True)


def _draw_shortcuts(versions: Sequence[Body]) -> None:
    """One click for what is shown most often."""
    holders = {alias: version["version"] for version in versions for alias in version["aliases"]}
    with st.container(horizontal=True):
        if "stable" in holders and st.button("Show the stable version", icon=":material/bolt:", key="demo_of_stable"):
            make_demo_link(holders["stable"])
        if {"stable", "canary"} <= set(holders) and st.button(
            "Show stable against canary", icon=":material/compare_arrows:", key="demo_of_both"
        ):
            make_demo_link(holders["stable"], compared_with=holders["canary"])


def make_demo_link(version: str | None, **more: Any) -> None:
    """Make a link, and keep it to be shown. It works for a day unless `hours` says otherwise."""
    try:
        st.session_state["demo_created"] = api().create_demo(version=version, **more)
    except ApiError as error:
        explain(error)


def _draw_form(versions: Sequence[Body]) -> None:
    one, other, how_long, button = st.columns([2, 2, 1.2, 1.2], vertical_alignment="bottom")
    with one:
        version = pick_version("Version", versions, key="demo_version", everyday="The stable one")
    with other:
        rival = pick_version("Beside it", versions, key="demo_rival", everyday="Nothing")
    lifetime = how_long.selectbox("Works for", list(LIFETIMES), index=1, key="demo_lifetime")
    with st.expander("Passphrase and embedding"):
        passphrase = st.text_input(
            "Passphrase", type="password", key="demo_passphrase", help="At least 8 characters; empty asks for none."
        )
        sites = st.text_input(
            "Sites that may embed it", key="demo_sites", placeholder="https://intranet.example.org", help="With blanks."
        )
    if button.button("Make a link", type="primary", icon=":material/add_link:", width="stretch"):
        make_demo_link(
            version,
            compared_with=rival,
            hours=LIFETIMES[lifetime],
            passphrase=passphrase or None,
            frame_origins=sites.split(),
        )


def _draw_links(demos: Sequence[Body]) -> None:
    rows = [
        {
            "State": _state(demo),
            "Shows": demo["version"] + (f" beside {demo['compared_with']}" if demo["compared_with"] else ""),
            "Ends": ago(demo["expires_at"]),
            "Visits": demo["visits"],
            "Texts": demo["questions"],
            "Passphrase": "yes" if demo["has_passphrase"] else "–",
            "Embedded by": ", ".join(demo["frame_origins"]) or "–",
            "Made by": demo["created_by"],
            "Made": ago(demo["created_at"]),
        }
        for demo in demos
    ]
    picked = st.dataframe(
        pd.DataFrame(rows), hide_index=True, on_select="rerun", selection_mode="single-row", key="demo_table"
    )
    chosen = [demos[row] for row in picked["selection"]["rows"] if row < len(demos)]
    alive = bool(chosen) and _state(chosen[0]) == "works"
    if st.button(
        "End this link", icon=":material/link_off:", disabled=not alive, help="Choose a working link in the table."
    ):
        _end(chosen[0])


def _state(demo: Body) -> str:
    if demo["revoked_at"]:
        return "ended"
    return "works" if ago(demo["expires_at"]).startswith("in ") else "expired"


def _end(demo: Body) -> None:
    try:
        api().revoke_demo(demo["id"])
    except ApiError as error:
        explain(error)
        return
    st.session_state.pop("demo_created", None)
    st.rerun()
