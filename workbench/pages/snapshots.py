"""Snapshots: frozen gold by its hash, what changed between two of them, and the same bytes again."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from workbench.api_client import ApiError, Body
from workbench.browser import api, explain, visitor
from workbench.layout import empty_state, heading, pick_dataset
from workbench.look import ago, highlighted, plural

FORMATS = {
    "jsonl": "JSON lines",
    "csv": "CSV",
    "conll": "CoNLL columns",
    "gmb": "GMB CSV",
    "spacy": "spaCy DocBin",
    "doccano": "doccano",
    "label-studio": "Label Studio",
    "prodigy": "Prodigy",
    "huggingface": "Hugging Face dataset",
    "brat": "brat",
    "webanno": "WebAnno TSV 3",
    "xmi": "UIMA XMI",
    "bioc": "BioC",
}
CHANGES = {"added": "added", "removed": "removed", "label": "other label", "border": "other border"}
_SHOWN = 30


def page() -> None:
    """The snapshots of a dataset, and two of them compared."""
    heading("Snapshots", "Settled text, frozen under the hash of its content: what a version learned from, for good.")
    person = visitor()
    dataset = pick_dataset("snapshots_dataset")
    if dataset is None or person is None:
        return
    if person.reaches("engineer") and st.button("Freeze it now", icon=":material/ac_unit:", type="primary"):
        _freeze(dataset["name"])
    snapshots = api().snapshots(dataset["name"])
    if not snapshots:
        empty_state("No snapshot yet", "Every training run freezes one; an engineer may freeze one at any time.")
        return
    _draw_table(snapshots)
    listed, compared = st.tabs(["Download", "Compare two"])
    with listed:
        _draw_download(snapshots)
    with compared:
        _draw_comparison(snapshots)


def _freeze(dataset: str) -> None:
    try:
        made = api(timeout_seconds=300).freeze(dataset)
    except ApiError as error:
        explain(error)
        return
    st.toast(f"{plural(made['documents'], 'document')} frozen as {made['hash'][:12]}.", icon=":material/ac_unit:")


def _draw_table(snapshots: Sequence[Body]) -> None:
    rows = [
        {
            "Hash": snapshot["hash"][:12],
            "Documents": f"{snapshot['documents']:,}",
            "Entities": f"{sum(snapshot['entities'].values()):,}",
            "Labels": ", ".join(snapshot["labels"]),
            "Frozen": ago(snapshot["created_at"]),
            "By": snapshot["created_by"],
        }
        for snapshot in snapshots
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True)


def _named(snapshot: Body) -> str:
    return f"{snapshot['hash'][:12]} · {plural(snapshot['documents'], 'document')} · {ago(snapshot['created_at'])}"


def _draw_download(snapshots: Sequence[Body]) -> None:
    names = {snapshot["hash"]: _named(snapshot) for snapshot in snapshots}
    left, middle, right = st.columns([2, 1, 1], vertical_alignment="bottom")
    chosen = str(left.selectbox("Snapshot", list(names), format_func=names.__getitem__, key="snapshot_chosen"))
    format_name = str(middle.selectbox("Format", list(FORMATS), format_func=FORMATS.__getitem__, key="snapshot_format"))
    if right.button("Prepare the file", width="stretch"):
        try:
            st.session_state["snapshot_file"] = (chosen, format_name, api().export_snapshot(chosen, format_name))
        except ApiError as error:
            explain(error)
    ready = st.session_state.get("snapshot_file")
    if ready and ready[:2] == (chosen, format_name):
        st.download_button(
            "Download it", ready[2], file_name=f"{chosen[:12]}.{format_name}", icon=":material/download:"
        )
    st.caption(f"The whole hash is {chosen}. The same snapshot in the same format is the same bytes, always.")


def _draw_comparison(snapshots: Sequence[Body]) -> None:
    if len(snapshots) < 2:
        empty_state("One snapshot alone", "Freeze another one after some corrections; then compare the two here.")
        return
    names = {snapshot["hash"]: _named(snapshot) for snapshot in snapshots}
    left, right = st.columns(2)
    before = str(left.selectbox("From", list(names), index=1, format_func=names.__getitem__, key="snapshot_before"))
    after = str(right.selectbox("To", list(names), format_func=names.__getitem__, key="snapshot_after"))
    diff = api(timeout_seconds=120).compare_snapshots(before, after, limit=_SHOWN)
    with st.container(horizontal=True, vertical_alignment="center"):
        for name in ("added", "removed", "changed", "same"):
            st.badge(f"{plural(diff[f'documents_{name}'], 'document')} {name}", color="gray")
        for kind, words in CHANGES.items():
            if diff["spans"].get(kind):
                st.badge(f"{plural(diff['spans'][kind], 'span')} {words}", color="orange")
        for name in ("added", "removed"):
            if diff[f"judgements_{name}"]:
                st.badge(f"{plural(diff[f'judgements_{name}'], 'judgement')} {name}", color="orange")
    if not diff["changes"]:
        empty_state("No span differs", "Both hold the same spans in the documents that they share.")
    for change in diff["changes"]:
        _draw_change(change)


def _draw_change(change: Body) -> None:
    with st.container(border=True):
        st.caption(f"{CHANGES[change['kind']]} · [History](history?document={change['document_id']})")
        before, after = st.columns(2)
        with before:
            st.html(highlighted(change["text"], [change["before"]] if change["before"] else [], framed=False))
        with after:
            st.html(highlighted(change["text"], [change["after"]] if change["after"] else [], framed=False))
