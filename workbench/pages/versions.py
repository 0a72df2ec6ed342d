"""Versions: which models exist, which one answers, and the decisions about that."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from workbench.api_client import Body
from workbench.browser import Visitor, api, visitor
from workbench.demo_links import draw_demo_links
from workbench.layout import empty_state, heading
from workbench.look import ago, f1_with_interval, plural
from workbench.rollout_dialogs import ask_canary, ask_promotion, ask_rollback, say_what_was_done
from workbench.trial_panel import draw_trial_panel
from workbench.version_card import draw_version

ACTIONS = {
    "set_stable": ("First version", "green"),
    "canary": ("Canary", "orange"),
    "promote": ("Promoted", "green"),
    "rollback": ("Rolled back", "red"),
}
FIRST_ROW: Any = {"selection": {"rows": [0]}}


def page() -> None:
    """Who answers, the table of versions, and one version in full."""
    heading(
        "Versions",
        "Which version answers, which one is on trial, and the way back. Every decision is kept with its reason.",
    )
    person = visitor()
    if person is None:
        return
    say_what_was_done()
    versions, rollout = api().versions(), api().rollout()
    if not versions:
        empty_state("No version yet", "Start a training run on the Train page; what it learns is registered here.")
        return
    _draw_rollout(rollout, person)
    draw_trial_panel(person)
    chosen = _draw_table(versions)
    with st.container(border=True):
        draw_version(api().version(chosen["version"]), rollout, may_decide=person.reaches("engineer"))
    history, demos = st.tabs(["Rollout history", "Demo links"])
    with history:
        _draw_history()
    with demos:
        draw_demo_links(versions, may_change=person.reaches("engineer"))


def _draw_rollout(rollout: Body, person: Visitor) -> None:
    """Stable, canary and previous as three cards, each with the decision that belongs to it."""
    share = rollout["percent"] if rollout["canary"] else 0
    parts = (
        ("Stable", rollout["stable"], f"answers {100 - share:g} % of the traffic"),
        ("Canary", rollout["canary"], f"answers {share:g} % of the traffic"),
        ("Previous", rollout["previous"], "one click away"),
    )
    may_decide = person.reaches("engineer")
    for column, (part, version, role) in zip(st.columns([1, 1.6, 1]), parts, strict=True):
        with column, st.container(border=True, height="stretch"):
            st.metric(part, version or "none", role if version else None, delta_color="off", delta_arrow="off")
            if may_decide:
                _draw_decision(part, rollout)


def _draw_decision(part: str, rollout: Body) -> None:
    canary = rollout["canary"]
    with st.container(horizontal=True):
        if part == "Stable":
            by = f"Last decision {ago(rollout['changed_at'])}, by {rollout['changed_by']}"
            st.caption(by if rollout["epoch"] else "Nothing answers yet: promote a version below")
        elif part == "Canary" and canary:
            if st.button("Promote", type="primary", icon=":material/verified:"):
                ask_promotion(canary, rollout)
            if st.button("Share", icon=":material/tune:"):
                ask_canary(canary, rollout)
            if st.button("Take out", icon=":material/undo:"):
                ask_rollback(rollout)
        elif part == "Canary":
            st.caption("Choose a version below to put it on trial")
        elif rollout["previous"] and not canary:
            if st.button("Roll back to it", icon=":material/undo:"):
                ask_rollback(rollout)
        elif rollout["previous"]:
            st.caption("Take the canary out first, then return to it")


def _draw_table(versions: Sequence[Body]) -> Body:
    """Every version; returns the chosen one, at first the newest."""
    st.subheader(plural(len(versions), "version"), anchor=False)
    table = pd.DataFrame([_row(version) for version in versions])
    picked = st.dataframe(
        table,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        selection_default=FIRST_ROW,
        key="versions_table",
    )
    rows = picked["selection"]["rows"]
    return versions[rows[0]] if rows and rows[0] < len(versions) else versions[0]


def _row(version: Body) -> Body:
    return {
        "Version": version["version"],
        "Part": ", ".join(version["aliases"]) or "–",
        "F1 (95 % interval)": f1_with_interval(version["f1"], version["f1_interval"]),
        "Recipe": version["recipe"],
        "Dataset": version["dataset"],
        "Data version": version["data_version"][:10],
        "Trained by": version["trained_by"],
        "Trained": ago(version["training_completed_at"]),
    }


def _draw_history() -> None:
    changes = api().rollout_history()
    if not changes:
        empty_state("No decision yet", "The first version that is promoted starts the history.")
        return
    rows = [
        {
            "When": ago(change["changed_at"]),
            "Decision": ACTIONS.get(change["action"], (change["action"], "gray"))[0],
            "Stable": change["stable"] or "–",
            "Canary": f"{change['canary']} at {change['percent']:g} %" if change["canary"] else "–",
            "Previous": change["previous"] or "–",
            "By": change["changed_by"],
            "Reason": change["reason"] or "–",
        }
        for change in changes
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True)
