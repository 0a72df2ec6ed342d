"""The documents behind a measure of drift, in a dialog: those of recent traffic that stand out most."""

import html

import pandas as pd
import streamlit as st

from workbench.api_client import ApiError, Body
from workbench.browser import api, visitor
from workbench.layout import empty_state
from workbench.look import ago, plural

_SHOWN = 20


@st.dialog("The documents that stand out most", icon=":material/travel_explore:", width="large")
def show_drifted(measure: Body, version: str, hours: float) -> None:
    """The strangest answers by one measure: their texts where they were kept, else what the log has of them."""
    st.markdown(f"**{measure['title']}** in {version}: {measure['sentence']}")
    person = visitor()
    may_read = person is not None and person.reaches("annotator")
    found = _asked(measure["name"], version, hours, kept=True) if may_read else []
    if found is None:
        return
    only_kept = bool(found)
    if only_kept:
        st.caption(f"{plural(len(found), 'answer')} of those whose text was kept for correction, the strangest first.")
        _draw_texts(found)
    whole = _asked(measure["name"], version, hours, kept=False) or []
    if not whole:
        empty_state("Nothing stands out", "By this measure no single answer looks other than those of training.")
        return
    words = "Among all answers" if only_kept else f"No text that you may read was kept. {plural(len(whole), 'answer')}"
    st.caption(f"{words}, as the log has them:")
    _draw_log(whole)


def _asked(measure: str, version: str, hours: float, *, kept: bool) -> list[Body] | None:
    try:
        body = api().drifted_documents(measure=measure, version=version, hours=hours, kept=kept, limit=_SHOWN)
    except ApiError as error:
        st.caption(error.message)
        return None
    documents: list[Body] = body["documents"]
    return list({one["text"]: one for one in reversed(documents) if one["text"]}.values())[::-1] if kept else documents


def _draw_texts(found: list[Body]) -> None:
    for one in found:
        with st.container(border=True):
            st.html(f'<div class="ner-text" dir="auto">{html.escape(one["text"])}</div>')
            st.caption(f"{one['reason']} Answered {ago(one['at'])}.")


def _draw_log(found: list[Body]) -> None:
    rows = [
        {
            "Why": one["reason"],
            "Entities": ", ".join(f"{count} {label}" for label, count in sorted(one["entities"].items())) or "–",
            "Characters": one["characters"],
            "Lowest confidence": one["lowest_confidence"],
            "Answered": ago(one["at"]),
            "Request": one["request_id"],
        }
        for one in found
    ]
    confidence = st.column_config.NumberColumn(format="%.2f")
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config={"Lowest confidence": confidence})
