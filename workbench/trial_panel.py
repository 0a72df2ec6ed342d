"""The canary's trial on a page: where the automatic rollout stands, and each criterion with its value and its limit."""

import html
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from workbench.api_client import Body
from workbench.browser import Visitor, api
from workbench.look import ago
from workbench.rollout_dialogs import ask_to_stop
from workbench.trial_words import STATUS, VERDICTS, beside, limit, measured, next_of, place, title

_REFRESH_SECONDS = 5
_WHERE = {"done": ' class="done"', "now": ' class="now" aria-current="step"', "later": ""}
_BOXES = {"pass": st.success, "fail": st.error}


def draw_trial_panel(person: Visitor) -> None:
    """The trial under way, looked at again every few seconds, or how the last automatic rollout ended."""
    found = api().trial()
    automatic, verdict = found["automatic"], found["verdict"]
    if verdict is None:
        if automatic is not None:
            _draw_end(automatic)
        return
    with st.container(border=True):
        _draw_header(verdict, person)
        st.fragment(run_every=_REFRESH_SECONDS)(_watch)(_key(found))


def draw_verdict(verdict: Body) -> None:
    """The verdict in one sentence, then every criterion."""
    _BOXES.get(verdict["verdict"], st.info)(verdict["sentence"], icon=":material/science:")
    draw_criteria(verdict["criteria"], verdict["canary"], verdict["stable"], is_stale=verdict["is_stale"])


def draw_criteria(criteria: Sequence[Body], canary: str, stable: str, *, is_stale: bool = False) -> None:
    """A row for each criterion."""
    rows = [
        {
            "Criterion": title(one),
            "Limit": limit(one),
            f"{canary} (canary)": measured(one),
            f"{stable} (stable)": beside(one),
            "Verdict": f":{VERDICTS[one['verdict']]}-badge[{one['verdict']}]",
            "What comes next": next_of(one, is_stale=is_stale),
        }
        for one in criteria
    ]
    if rows:
        st.table(pd.DataFrame(rows), hide_index=True, border="horizontal")


def _watch(known: tuple[object, ...]) -> None:
    found = api().trial()
    if _key(found) != known:
        st.rerun()
    automatic = found["verdict"]["automatic"]
    if automatic is not None:
        _draw_steps(automatic)
    draw_verdict(found["verdict"])


def _key(found: Body) -> tuple[object, ...]:
    """What changes the page around the figures."""
    verdict, automatic = found["verdict"], found["automatic"]
    mine = (verdict["canary"], verdict["percent"], verdict["automatic"] is None) if verdict else ()
    return (*mine, automatic and (automatic["id"], automatic["status"], automatic["step"]))


def _draw_header(verdict: Body, person: Visitor) -> None:
    automatic = verdict["automatic"]
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        with st.container(horizontal=True, vertical_alignment="center", width="content"):
            words = "Automatic rollout of" if automatic is not None else "The trial of"
            st.subheader(f"{words} {verdict['canary']}", anchor=False, width="content")
            name, colour = STATUS[automatic["status"]] if automatic is not None else ("by hand", "gray")
            st.badge(name, color=colour)
        may_stop = automatic is not None and person.reaches("engineer")
        if may_stop and st.button("Stop", icon=":material/stop_circle:", key="trial_stop"):
            ask_to_stop(automatic)
    if automatic is None:
        st.caption(f"People decide on its share of {verdict['percent']:g} %; the limits are those of the policy.")


def _draw_steps(automatic: Body) -> None:
    """The shares as a row of steps, with where the canary stands."""
    step = automatic["step"]
    parts = [
        f"<li{_WHERE['done' if number < step else 'now' if number == step else 'later']}>{share:g} %</li>"
        for number, share in enumerate(automatic["steps_percent"])
    ]
    st.html(f'<ol class="ner-steps">{"".join(parts)}</ol><p class="ner-place">{html.escape(place(automatic))}</p>')
    if automatic["status"] == "held":
        st.warning(f"A person has to decide: {automatic['sentence']}", icon=":material/front_hand:")


def _draw_end(automatic: Body) -> None:
    name, colour = STATUS[automatic["status"]]
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.badge(name, color=colour)
        words = f"The last automatic rollout, of {automatic['canary']}, ended {ago(automatic['ended_at'])}."
        st.markdown(f"{words} {automatic['sentence']}")
