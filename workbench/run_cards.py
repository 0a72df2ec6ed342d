"""Training runs on the Train page: a card for one that is under way, a table for those that are over."""

from typing import Any

import pandas as pd
import streamlit as st

from dashboards.figures import training_history
from workbench.api_client import ApiError, Body
from workbench.browser import api, explain
from workbench.charts import draw, theme
from workbench.layout import empty_state, score
from workbench.look import ago, duration, f1_with_interval
from workbench.rollout_dialogs import ask_canary, say_what_was_done

FIRST_ROW: Any = {"selection": {"rows": [0]}}


def draw_active_run(run: Body) -> None:
    """A queued or running run, with its progress and a way to stop it."""
    progress = run["progress"]
    with st.container(border=True, key=f"run_{run['id']}"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(f"**{run['recipe']}** on **{run['dataset']}** by {run['requested_by']}", width="content")
            if st.button("Cancel", key=f"cancel_{run['id']}", icon=":material/stop_circle:"):
                _cancel(run["id"])
        if run["status"] == "queued":
            st.caption(f"Queued {ago(run['requested_at'])}; the worker takes it up when it is free.")
            return
        st.progress(min(max(progress["fraction"], 0.0), 1.0), text=progress["stage"] or "Starting")
        if run["attempts"] > 1:
            st.caption(_attempt(run))
        _draw_figures(progress, run["id"])
        _draw_findings(run)


def _attempt(run: Body) -> str:
    before = run["progress"]["epochs_before"]
    how = f"it goes on after epoch {before}" if before else "it starts again from the beginning"
    return f"Attempt {run['attempts']}: the process of the one before died, and {how}."


def _draw_findings(run: Body) -> None:
    """What the checks of the run's data found: what stops a run first, each with what to do about it."""
    findings = sorted(run["findings"], key=lambda finding: finding["severity"])
    if not findings:
        return
    total = len(findings)
    stops = any(finding["severity"] == "stops" for finding in findings)
    with st.expander(f"Checks of the data: {total} finding{'s' if total > 1 else ''}", expanded=stops):
        for finding in findings:
            icon = ":material/block:" if finding["severity"] == "stops" else ":material/info:"
            st.markdown(f"{icon} **{finding['kind'].capitalize()}** · {finding['count']:,} · {finding['advice']}")
            st.text("\n".join(finding["examples"]))


def _draw_figures(progress: Body, run_id: str) -> None:
    epoch, epochs = progress["epoch"], progress["epochs"]
    facts = {
        "Epoch": f"{epoch} of {epochs}" if epoch else "–",
        "Loss": "–" if progress["loss"] is None else f"{progress['loss']:.4g}",
        "F1 (dev)": "–" if progress["f1"] is None else f"{progress['f1']:.3f}",
        "Time left": duration(progress["seconds_left"]),
    }
    for column, (name, value) in zip(st.columns(4), facts.items(), strict=True):
        column.metric(name, value)
    if len(progress["history"]) > 1:
        draw(training_history(progress["history"], theme()), key=f"history_{run_id}")


def _cancel(run_id: str) -> None:
    try:
        api().cancel_run(run_id)
    except ApiError as error:
        explain(error)
        return
    st.toast("The run stops at its next step.", icon=":material/stop_circle:")


def draw_history(runs: list[Body]) -> None:
    """The runs that are over, newest first; a chosen one is told in full below."""
    if not runs:
        return
    say_what_was_done()
    versions = {version["version"]: version for version in api().versions()}
    picked = st.dataframe(
        pd.DataFrame([_row(run, versions) for run in runs]),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        selection_default=FIRST_ROW,
        key="train_history",
    )
    rows = picked["selection"]["rows"]
    newest = next((run for run in runs if run["id"] == st.session_state.get("train_run")), None)
    run = runs[rows[0]] if rows and rows[0] < len(runs) else newest or runs[0]
    with st.container(border=True):
        _draw_outcome(run, versions.get(run["version"] or ""))


def _row(run: Body, versions: dict[str, Body]) -> Body:
    version = versions.get(run["version"] or "", {})
    return {
        "Outcome": run["status"],
        "Version": run["version"] or "–",
        "F1 (95 % interval)": f1_with_interval(run["f1"], version.get("f1_interval")),
        "Recipe": run["recipe"],
        "Dataset": run["dataset"],
        "Took": duration(run["seconds"]),
        "Asked by": run["requested_by"],
        "Ended": ago(run["finished_at"]),
    }


def _draw_outcome(run: Body, version: Body | None) -> None:
    if run["status"] == "failed":
        st.error(run["error"] or "The run failed without saying why; the worker's log may.", icon=":material/error:")
    elif run["status"] == "cancelled":
        empty_state("Cancelled", "A person stopped this run; nothing was registered.")
    elif version is not None:
        _draw_result(run, version)
    if len(run["progress"]["history"]) > 1:
        draw(training_history(run["progress"]["history"], theme()), key=f"history_{run['id']}")
    _draw_findings(run)
    overrides = ", ".join(f"{name} = {value}" for name, value in sorted(run["parameters"].items()))
    st.caption(f"Run `{run['id'][:8]}` · {run['recipe']} · {overrides or 'the recipe as it is'}")


def _draw_result(run: Body, version: Body) -> None:
    name, rollout = version["version"], api().rollout()
    one, two, three, action = st.columns([1.6, 1, 1, 1.4])
    with one:
        score(f"F1 of {name} on its test part", version["f1"], version["f1_interval"])
    with two:
        score("Precision", run["precision"])
    with three:
        score("Recall", run["recall"])
    part = next(iter(version["aliases"]), None)
    if part:
        action.markdown(f":green-badge[{name} is {part}]")
    elif action.button(f"Make {name} the canary", type="primary", icon=":material/science:", width="stretch"):
        ask_canary(name, rollout)
