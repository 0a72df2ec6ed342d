"""What is kept of one person, to look at and take along; and its erasure, in two steps."""

import json
from collections.abc import Mapping

import pandas as pd
import streamlit as st

from workbench.api_client import ApiError, Body
from workbench.browser import api, explain
from workbench.look import plural

_CALLED = {
    "api_keys": "API keys",
    "audit": "Entries of the audit trail",
    "comments": "Comments",
    "efforts": "Times an answer took",
    "guidelines": "Guidelines",
    "leases": "Documents held",
    "offers": "Suggestions taken or left",
    "passwords": "Password",
    "preferences": "Preferences",
    "refresh_tokens": "Sign-ins",
    "revisions": "Answers and decisions",
    "rollouts": "Changes of what answers",
    "runs": "Training runs",
    "sign_in_links": "Sign-in links",
    "users": "Account",
    "versions": "Versions trained",
}


@st.dialog("What is kept of a person", icon=":material/folder_shared:", width="medium")
def tell_data(name: str) -> None:
    """How many rows name the person, and all of them as one file."""
    try:
        kept = api().data_of(name)
    except ApiError as error:
        explain(error)
        return
    st.markdown(f"These rows name **{name}**. Keys, passwords and tokens themselves are not in the file.")
    st.dataframe(_table({table: len(rows) for table, rows in kept.items()}), hide_index=True)
    st.download_button(
        "All rows as JSON",
        data=json.dumps(kept, ensure_ascii=False, indent=2, default=str),
        file_name="person.json",
        mime="application/json",
        icon=":material/download:",
        on_click="ignore",
        type="primary",
    )


def ask_erasure(name: str) -> None:
    """First what would go and what stays, then the reason and the name typed again."""
    st.session_state.pop("erase_person_step", None)
    _erasure(name)


@st.dialog("Erase a person", icon=":material/person_remove:", width="medium")
def _erasure(name: str) -> None:
    try:
        preview = api().preview_erasure(name)
    except ApiError as error:
        explain(error)
        return
    _draw_preview(name, preview)
    if not st.session_state.get("erase_person_step"):
        if st.button("Go on", width="stretch", key="erase_person_next"):
            st.session_state["erase_person_step"] = True
            st.rerun(scope="fragment")
        return
    st.warning("There is no way back: no undo, and the pseudonym leads to nobody.", icon=":material/warning:")
    reason = st.text_input("Why the person has to go", key="erase_person_reason", placeholder="Do not name them")
    typed = st.text_input(f"Write “{name}” to confirm", key="erase_person_name")
    is_sure = bool(reason.strip()) and typed.strip() == name
    if st.button("Erase for good", type="primary", width="stretch", disabled=not is_sure, key="erase_person_now"):
        try:
            erased = api().erase_person(name, reason.strip())
        except ApiError as error:
            explain(error)
            return
        st.session_state["person_erased"] = erased
        st.rerun()


def tell_erased() -> None:
    """What became of the person who was erased last, until it was read."""
    erased = st.session_state.pop("person_erased", None)
    if erased:
        st.success(
            f"Erased: {plural(sum(erased['deleted'].values()), 'row')} gone, "
            f"{plural(sum(erased['renamed'].values()), 'row')} under “{erased['pseudonym']}” from now on.",
            icon=":material/person_remove:",
        )


def _draw_preview(name: str, preview: Body) -> None:
    gone, stays = st.columns(2)
    with gone:
        st.markdown(f"**Goes**, with **{name}**")
        st.dataframe(_table(preview["deleted"]), hide_index=True)
    with stays:
        st.markdown("**Stays**, under a pseudonym")
        st.dataframe(_table(preview["renamed"]), hide_index=True)
    entries = plural(preview["audit_entries"], "entry", "entries")
    st.caption(
        f"The audit trail cannot be changed: the name stays in {entries} of it, in backups, logs of the server, and "
        "in what MLflow was told of who trained a version."
    )


def _table(rows: Mapping[str, int]) -> pd.DataFrame:
    told = [{"What": _CALLED.get(table, table.replace("_", " ").capitalize()), "Rows": rows[table]} for table in rows]
    return pd.DataFrame(told, columns=["What", "Rows"]).sort_values("Rows", ascending=False)
