"""Sources: lists, patterns, memory and endpoints that suggest beside the model, and how often people agree."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from workbench.api_client import ApiError, Body
from workbench.browser import Visitor, api, explain, visitor
from workbench.layout import empty_state, heading, pick_dataset
from workbench.look import ago, plural

KINDS = {
    "gazetteer": "A list of names",
    "pattern": "A pattern",
    "memory": "What people said before",
    "endpoint": "A language model elsewhere",
}


def page() -> None:
    """The sources of a dataset, and a form for another one."""
    heading("Sources", "What suggests beside the model. Suggestions are offered; only a person makes them an answer.")
    person = visitor()
    dataset = pick_dataset("sources_dataset")
    if dataset is None or person is None:
        return
    body = api().sources(dataset["name"])
    if body["sources"]:
        _draw_sources(dataset["name"], body["sources"], body["outcomes"], person)
    else:
        empty_state("The model suggests alone", "Add a list of names, a pattern, or what people said before.")
    if body["outcomes"]:
        _draw_outcomes(body["outcomes"])
    with st.expander("Add a source, or write one anew", icon=":material/add:", expanded=not body["sources"]):
        _draw_form(dataset, person)


def _draw_sources(dataset: str, sources: Sequence[Body], outcomes: Sequence[Body], person: Visitor) -> None:
    for source in sources:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(
                f"**{source['name']}** · {KINDS[source['kind']]}  \n:small[{_content(source)}]", width="stretch"
            )
            fared = [one for one in outcomes if one["source"] == source["name"]]
            taken, total = sum(one["accepted"] for one in fared), sum(_total(one) for one in fared)
            st.caption(f"{taken:,} of {total:,} taken" if total else "nothing offered yet", width="content")
            may_change = source["kind"] != "endpoint" or person.reaches("admin")
            is_on = st.toggle(
                "On", source["enabled"], key=f"source_{dataset}_{source['name']}", disabled=not may_change
            )
            if is_on != source["enabled"]:
                _save(dataset, source["name"], source | {"enabled": is_on})
            if st.button("", icon=":material/delete:", help=f"Remove {source['name']}", key=f"drop_{source['name']}"):
                api().delete_source(dataset, source["name"])
                st.rerun()


def _content(source: Body) -> str:
    content = source["content"]
    about = {
        "gazetteer": lambda: plural(len(content["entries"]), "name"),
        "pattern": lambda: f"`{content['pattern']}` → {content['label']}",
        "memory": lambda: f"said at least {plural(content['least'], 'time')}",
        "endpoint": lambda: f"{content['model']} at {content['url']}{', with a key' if source['has_key'] else ''}",
    }[source["kind"]]()
    return f"{about} · version {source['version']}, {ago(source['changed_at'])} by {source['changed_by']}"


def _total(outcome: Body) -> int:
    return int(outcome["accepted"] + outcome["edited"] + outcome["rejected"])


def _draw_outcomes(outcomes: Sequence[Body]) -> None:
    st.subheader("What became of what was offered", anchor=False)
    rows = [
        {
            "Source": one["source"],
            "Version": one["version"],
            "Taken": one["accepted"],
            "Changed": one["edited"],
            "Refused": one["rejected"],
            "Share taken (95 % interval)": f"{one['accepted_share']:.2f} "
            f"({one['accepted_interval'][0]:.2f}–{one['accepted_interval'][1]:.2f})",
        }
        for one in outcomes
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True)


def _draw_form(dataset: Body, person: Visitor) -> None:
    kinds = [kind for kind in KINDS if kind != "endpoint" or person.reaches("admin")]
    left, right = st.columns(2)
    kind = str(left.selectbox("Kind", kinds, format_func=KINDS.__getitem__, key="source_kind"))
    name = right.text_input("Name", key="source_name", placeholder="towns")
    with st.form(f"source_form_{kind}", border=False):
        content, key = _draw_content(kind, dataset["labels"])
        if st.form_submit_button("Save it", type="primary"):
            if not name.strip():
                st.warning("Give the source a name, so that its suggestions can be told from others.")
                return
            _save(dataset["name"], name.strip(), {"kind": kind, "content": content, "enabled": True, "key": key})


def _draw_content(kind: str, labels: Sequence[str]) -> tuple[Body, str | None]:
    """The content of the form, and the key of an endpoint."""
    if kind == "gazetteer":
        label = _pick_label(labels)
        names = st.text_area("Names", height=160, placeholder="Oslo\nNew York", help="One a line.")
        folds = st.checkbox("In upper or lower case alike")
        entries = [{"text": line.strip(), "label": label} for line in names.splitlines() if line.strip()]
        return {"entries": entries, "ignore_case": folds}, None
    if kind == "pattern":
        label = _pick_label(labels)
        return {"pattern": st.text_input("Pattern", placeholder=r"\bE\d{1,3}\b"), "label": label}, None
    if kind == "memory":
        least = st.number_input("Said at least so often", 1, 1000, 2)
        return {"least": int(least)}, None
    st.warning(
        "Texts that people ask it about leave this machine; each question is in the audit trail.",
        icon=":material/public:",
    )
    return _draw_endpoint()


def _pick_label(labels: Sequence[str]) -> str | None:
    """One of the dataset's labels or a new one, which joins them when somebody takes a suggestion."""
    chosen = st.selectbox("Label", labels, accept_new_options=True, key="source_label", placeholder="Choose or type")
    return str(chosen) if chosen else None


def _draw_endpoint() -> tuple[Body, str | None]:
    content: dict[str, Any] = {
        "url": st.text_input(
            "Address", placeholder="https://models.example/v1", help="What ends before /chat/completions."
        ),
        "model": st.text_input("Model"),
        "guidelines": st.text_area("What it should know", height=120, help="The guidelines of the labels go with it."),
    }
    left, right = st.columns(2)
    content["price_in"] = left.number_input("Price of a million tokens in", 0.0, 10_000.0, 0.0)
    content["price_out"] = right.number_input("Price of a million tokens out", 0.0, 10_000.0, 0.0)
    key = st.text_input(
        "Key",
        type="password",
        help="Sealed in the database, and never shown again. It stays with its address alone.",
    )
    return content, key or None


def _save(dataset: str, name: str, source: Body) -> None:
    body = {field: source[field] for field in ("kind", "content", "enabled", "key") if source.get(field) is not None}
    try:
        saved = api().save_source(dataset, name, body)
    except ApiError as error:
        explain(error)
        return
    if saved["notice"]:
        st.toast(saved["notice"], icon=":material/key_off:", duration="long")
    st.rerun()
