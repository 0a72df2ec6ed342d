"""Access: keys for programs, people and their sign-in links, and whether the audit trail is whole."""

import pandas as pd
import streamlit as st

from ner.roles import ROLES
from workbench.api_client import ApiError, Body
from workbench.browser import api, explain, visitor
from workbench.layout import empty_state, heading
from workbench.look import ago, as_moment, plural
from workbench.person_dialogs import ask_erasure, tell_data, tell_erased

EVERY_HOUR = {"1,000 an hour": 1000, "10,000 an hour": 10_000, "No limit": None}
LIFETIMES = {"Never": None, "After 30 days": 30, "After a year": 365}


def page() -> None:
    """Keys, people, kept texts, and the audit trail."""
    heading("Access", "Who may use this workbench, as a person or as a program, and what they have done.")
    person = visitor()
    if person is None or not person.reaches("admin"):
        empty_state("For administrators", "Ask an administrator for a key, a sign-in link or another role.")
        return
    keys, people, kept, audit = st.tabs(["API keys", "People", "Kept texts", "Audit trail"])
    with keys:
        _draw_keys()
    with people:
        _draw_people()
    with kept:
        _draw_capture()
    with audit:
        _draw_audit()


# --- keys ---


def _draw_keys() -> None:
    with st.form("new_key", border=False):
        name, role, limit, end, button = st.columns([2, 1.2, 1.3, 1.3, 1], vertical_alignment="bottom")
        key_name = name.text_input("Name", placeholder="What uses this key?")
        key_role = role.selectbox("Role", ROLES)
        key_limit = limit.selectbox("Requests", list(EVERY_HOUR))
        key_end = end.selectbox("Expires", list(LIFETIMES))
        if button.form_submit_button("Make a key", type="primary", width="stretch"):
            _make_key(key_name, key_role, EVERY_HOUR[key_limit], LIFETIMES[key_end])
    made = st.session_state.get("key_made")
    if made:
        st.success("Copy this key now: it is shown this one time only.", icon=":material/key:")
        st.code(made, language=None)
        st.button("I have copied it", on_click=st.session_state.pop, args=("key_made",))
    _draw_key_table(api().keys())


def _make_key(name: str, role: str, limit: int | None, days: int | None) -> None:
    if not name.strip():
        st.warning("Give the key a name, so that it can be told from the others.")
        return
    try:
        made = api().create_key(name.strip(), role, rate_limit_per_hour=limit, days=days)
    except ApiError as error:
        explain(error)
        return
    st.session_state["key_made"] = made["key"]


def _draw_key_table(keys: list[Body]) -> None:
    if not keys:
        empty_state("No key yet", "Make one above for the first program that calls the API.")
        return
    rows = [
        {
            "Name": key["name"],
            "Begins with": key["prefix"],
            "Role": key["role"],
            "Limit": f"{key['rate_limit_per_hour']:,} an hour" if key["rate_limit_per_hour"] else "none",
            "State": _key_state(key),
            "Made": f"{ago(key['created_at'])} by {key['created_by']}",
        }
        for key in keys
    ]
    picked = st.dataframe(
        pd.DataFrame(rows), hide_index=True, on_select="rerun", selection_mode="single-row", key="key_table"
    )
    chosen = [keys[row] for row in picked["selection"]["rows"] if row < len(keys) and not keys[row]["revoked_at"]]
    if st.button("Revoke this key", icon=":material/key_off:", disabled=not chosen, help="Choose a key in the table."):
        _ask_revocation(chosen[0])


def _key_state(key: Body) -> str:
    if key["revoked_at"]:
        return f"revoked {ago(key['revoked_at'])}"
    return f"expires {ago(key['expires_at'])}" if key["expires_at"] else "works"


@st.dialog("Revoke a key", icon=":material/key_off:")
def _ask_revocation(key: Body) -> None:
    st.markdown(f"Whatever uses **{key['name']}** (`{key['prefix']}…`) is refused from now on. There is no way back.")
    if st.button("Revoke", type="primary", width="stretch"):
        try:
            api().revoke_key(key["id"])
        except ApiError as error:
            explain(error)
            return
        st.rerun()


# --- people ---


def _draw_people() -> None:
    with st.form("new_person", border=False, clear_on_submit=True):
        name, role, button, _ = st.columns([2, 1.2, 1.2, 2.4], vertical_alignment="bottom")
        person_name = name.text_input("Name")
        person_role = role.selectbox("Role", ROLES, index=1)
        if button.form_submit_button("Add a person", type="primary", width="stretch") and person_name.strip():
            _add_person(person_name.strip(), person_role)
    people = api().users()
    link = st.session_state.get("person_link")
    if link:
        st.success(f"{link['name']} signs in once with this link, until {as_moment(link['expires_at']):%H:%M} UTC.")
        st.code(link["url"], language=None, wrap_lines=True)
    if not people:
        empty_state("Nobody yet", "Add a person above, and send them the link that signs them in.")
        return
    rows = [{"Name": one["name"], "Role": one["role"], "Added": ago(one["created_at"])} for one in people]
    picked = st.dataframe(
        pd.DataFrame(rows), hide_index=True, on_select="rerun", selection_mode="single-row", key="people_table"
    )
    chosen = [people[row]["name"] for row in picked["selection"]["rows"] if row < len(people)]
    link_button, data_button, erase_button, _ = st.columns([1.3, 1.3, 1.3, 2], vertical_alignment="bottom")
    help_ = None if chosen else "Choose a person in the table."
    if link_button.button(
        "Make a sign-in link", icon=":material/link:", disabled=not chosen, help=help_, width="stretch"
    ):
        _make_link(chosen[0])
        st.rerun()
    if data_button.button(
        "What is kept of them", icon=":material/folder_shared:", disabled=not chosen, help=help_, width="stretch"
    ):
        tell_data(chosen[0])
    if erase_button.button(
        "Erase the person", icon=":material/person_remove:", disabled=not chosen, help=help_, width="stretch"
    ):
        ask_erasure(chosen[0])
    tell_erased()


def _add_person(name: str, role: str) -> None:
    try:
        api().create_user(name, role)
    except ApiError as error:
        explain(error)
        return
    _make_link(name)


def _make_link(name: str) -> None:
    try:
        st.session_state["person_link"] = {"name": name, **api().sign_in_link(name)}
    except ApiError as error:
        explain(error)


# --- kept texts and the audit trail ---


def _draw_capture() -> None:
    st.markdown(
        "A text that was answered with low confidence teaches most when a person corrects it. "
        "Where this is on, such texts are kept, sealed with the server's key, until somebody corrects them; "
        "where it is off, the texts of requests are never kept."
    )
    enabled = api().capture()
    wanted = st.toggle("Keep texts that were answered with low confidence", value=enabled, key="capture")
    if wanted != enabled:
        api().set_capture(wanted)
        st.toast("Low-confidence texts are kept from now on." if wanted else "No text is kept from now on.")


def _draw_audit() -> None:
    verdict = api().verify_audit()
    if verdict["ok"]:
        st.success(
            f"The audit trail is whole: {plural(verdict['entries'], 'entry', 'entries')}.",
            icon=":material/verified_user:",
        )
    else:
        st.error(f"The audit trail was changed: {verdict['problem']}", icon=":material/gpp_bad:")
    entries = api().audit(limit=200)["entries"]
    rows = [
        {
            "When": entry["at"][:19].replace("T", " "),
            "Who": entry["actor"],
            "What": entry["action"],
            "On": entry["subject"],
        }
        for entry in entries
    ]
    if rows:
        st.dataframe(pd.DataFrame(rows), hide_index=True)
