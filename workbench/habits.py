"""How people work in a dataset: what answers take, and whether what is offered is still being read."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from workbench.api_client import Body
from workbench.browser import Visitor, api
from workbench.layout import empty_state
from workbench.look import duration, percent, plural


def draw_habits(dataset: str, person: Visitor) -> None:
    """Whose answers deserve a second look, a row for each person, and the share of documents with a check."""
    told = api().habits(dataset)
    heading, rule = st.columns([3, 1], vertical_alignment="bottom")
    heading.subheader("Is what is offered still read?", anchor=False)
    if person.reaches("engineer"):
        with rule:
            _draw_rule(dataset, told["percent"])
    for one in told["people"]:
        for warning in one["warnings"]:
            st.warning(f"**{one['person']}**: {warning}", icon=":material/visibility:")
    if not told["people"]:
        empty_state("Nobody has worked here yet", "What answers take is known from the editor on the Correct page.")
        return
    _draw_people(told["people"])
    if not told["percent"]:
        st.caption("No document comes with a check: a suggestion that is wrong on purpose and never reaches an answer.")


def _draw_rule(dataset: str, share: int) -> None:
    with st.popover(f"Checks: {share} %", icon=":material/verified_user:", width="stretch"):
        st.caption("Documents in a hundred that come with a suggestion that is wrong on purpose. Who takes it is told.")
        wanted = st.number_input("In a hundred documents", 0, 50, share, key="habits_percent")
        if st.button("From now on", type="primary", key="habits_set"):
            api().set_checks(dataset, int(wanted))
            st.rerun()


def _draw_people(people: Sequence[Body]) -> None:
    rows = [
        {
            "Person": one["person"],
            "Answers": one["answers"],
            "At work": duration(3600 * one["active_hours"]),
            "Seconds an answer (median)": round(one["seconds_per_answer"], 1),
            "Keys an answer": round(one["keys_per_answer"], 1),
            "Left as offered": percent(one["unchanged_share"], digits=0),
            "Checks taken (95 % interval)": _taken(one),
        }
        for one in people
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True)


def _taken(one: Body) -> str:
    if not one["checks"]:
        return "–"
    low, high = one["taken_interval"]
    return f"{one['checks_taken']} of {plural(one['checks'], 'check')} ({low:.2f}–{high:.2f})"
