"""One version in full: how good it is, where it comes from, what has become of it."""

import pandas as pd
import streamlit as st

from workbench.api_client import ApiError, Body
from workbench.browser import api, explain
from workbench.layout import empty_state, score
from workbench.look import ago, as_moment, duration, legend
from workbench.rollout_dialogs import ask_canary, ask_promotion
from workbench.version_gate import draw_gate


def draw_version(version: Body, rollout: Body, *, may_decide: bool) -> None:
    """Heading and decisions, then quality, lineage and deployments as tabs."""
    name = version["version"]
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        with st.container(horizontal=True, vertical_alignment="center", width="content"):
            st.subheader(name, anchor=False, width="content")
            for part in version["aliases"]:
                st.badge(part, color="green" if part == "stable" else "orange" if part == "canary" else "gray")
        if may_decide:
            _draw_decisions(name, rollout)
    created = st.session_state.get("card_demo")
    if created and created["version"] == name:
        st.caption("Whoever has this link can try this version for a day, without a key.")
        st.code(created["url"], language=None, wrap_lines=True)
    quality, gate, lineage, deployments = st.tabs(["Quality", "Gate", "Lineage", "Deployments"])
    with quality:
        _draw_quality(version)
    with gate:
        draw_gate(version)
    with lineage:
        _draw_lineage(version)
    with deployments:
        _draw_deployments(version)


def _draw_decisions(name: str, rollout: Body) -> None:
    with st.container(horizontal=True, width="content"):
        st.button("Demo link", icon=":material/link:", key="card_demo_button", on_click=_make_demo, args=(name,))
        if name == rollout["stable"]:
            return
        may_try = rollout["stable"] and name != rollout["canary"]
        if may_try and st.button(f"Make {name} the canary", icon=":material/science:", key="card_canary"):
            ask_canary(name, rollout)
        if st.button(f"Promote {name}", icon=":material/verified:", key="card_promote"):
            ask_promotion(name, rollout)


def _make_demo(name: str) -> None:
    try:
        st.session_state["card_demo"] = {"version": name, **api().create_demo(version=name)}
    except ApiError as error:
        explain(error)


def _draw_quality(version: Body) -> None:
    performance = version["performance"]
    columns = st.columns(4)
    for column, name in zip(columns, ("f1", "precision", "recall"), strict=False):
        with column:
            score(name.capitalize(), performance.get(name), performance.get(f"{name}_interval"))
    columns[3].metric("Test documents", f"{performance.get('documents', 0):,}")
    rows = [
        {
            "Label": label,
            "F1": figure["f1"],
            "Precision": figure["precision"],
            "Recall": figure["recall"],
            "Entities": figure["support"],
        }
        for label, figure in sorted(performance.get("per_label", {}).items(), key=lambda item: -item[1]["support"])
    ]
    if rows:
        number = st.column_config.NumberColumn(format="%.3f")
        st.dataframe(
            pd.DataFrame(rows), hide_index=True, column_config=dict.fromkeys(("F1", "Precision", "Recall"), number)
        )


def _draw_lineage(version: Body) -> None:
    began, ended = as_moment(version["training_started_at"]), as_moment(version["training_completed_at"])
    splits, judged = (version["performance"].get(name) or {} for name in ("splits", "judged"))
    facts = {
        "Recipe": version["recipe"],
        "Dataset": version["dataset"],
        "Data version": version["data_version"],
        "Documents": ", ".join(f"{count:,} {part}" for part, count in splits.items()) or "–",
        "Single judgements": ", ".join(f"{count:,} {kind}" for kind, count in judged.items() if count) or "–",
        "Trained by": version["trained_by"],
        "Trained": f"{ended:%Y-%m-%d %H:%M} UTC, {duration((ended - began).total_seconds())}",
        "Git commit": version["git_commit"] or "–",
        "Run": version["run_id"] or "–",
        "MLflow run": version["mlflow_run_id"] or "–",
    }
    left, right = st.columns(2)
    left.table(
        pd.DataFrame(facts.items(), columns=["Fact", "Value"]), hide_index=True, hide_header=True, border="horizontal"
    )
    parameters = [(name, str(value)) for name, value in sorted(version["hyperparameters"].items())]
    with right:
        st.caption("Labels")
        st.html(legend(version["labels"]))
        st.caption("Parameters")
        st.dataframe(pd.DataFrame(parameters, columns=["Parameter", "Value"]), hide_index=True)


def _draw_deployments(version: Body) -> None:
    if not version["deployments"]:
        empty_state("Never in traffic", "Make this version the canary to let it answer a share of the traffic.")
        return
    rows = [
        {
            "When": ago(change["changed_at"]),
            "Decision": change["action"].replace("_", " "),
            "Stable": change["stable"] or "–",
            "Canary": f"{change['canary']} at {change['percent']:g} %" if change["canary"] else "–",
            "By": change["changed_by"],
            "Reason": change["reason"] or "–",
        }
        for change in version["deployments"]
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True)
