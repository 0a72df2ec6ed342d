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
            words = f"{_plain(person.name)} :small[{person.role}]"
            if person.is_person:
                with st.popover(words, icon=":material/person:", type="tertiary"):
                    _draw_password(person.name)
            else:
                st.markdown(f":material/person: {words}", width="content")
            with st.container(width=70):
                draw_sign_out_button()


def _draw_password(name: str) -> None:
    """A person may choose a password; with it they need no link the next time."""
    with st.form("password", border=False):
        st.markdown("**Set a password**")
        first = st.text_input(
            "New password", type="password", autocomplete="new-password", help="12 characters or more."
        )
        again = st.text_input("Once more", type="password", autocomplete="new-password")
        if not st.form_submit_button("Set the password", type="primary"):
            return
        if first != again:
            st.error("The two are not the same; type both again.")
            return
        try:
            api().set_password(name, first)
        except ApiError as error:
            st.error(error.message)
            return
        st.success("From now on you can sign in with your name and this password.")


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
