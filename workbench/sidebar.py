"""What stands below the menu on every page: who answers now, and who is signed in."""

import streamlit as st

from workbench.api_client import ApiError
from workbench.browser import Visitor, api
from workbench.session_forms import draw_sign_out_button


def draw_sidebar(person: Visitor) -> None:
    """The rollout in two lines, then the visitor and the way out."""
    with st.sidebar:
        st.space("stretch")
        st.caption(_who_answers())
        with st.container(
            horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="visitor"
        ):
            st.markdown(f":material/person: {_plain(person.name)} :small[{person.role}]", width="content")
            with st.container(width=70):
                draw_sign_out_button()


def _who_answers() -> str:
    try:
        health = api(timeout_seconds=5).health()
    except ApiError as error:
        return f":red[:material/error:] {error.message}"
    if not health.get("version"):
        return ":orange[:material/warning:] No version answers yet"
    lines = [f":green[:material/check_circle:] Stable **{health['version']}**"]
    if health.get("canary"):
        lines.append(f":orange[:material/science:] Canary **{health['canary']}** at {health['canary_percent']:g} %")
    if health.get("status") == "degraded":
        lines.append(":red[:material/warning:] Degraded: see Traffic")
    return "  \n".join(lines)


def _plain(name: str) -> str:
    """A name that Markdown shows as it is."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]()<>#+-.!|:$~" else sign for sign in name)
