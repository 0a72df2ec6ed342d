"""Compare: two versions side by side, on a text or on a dataset, with every difference named."""

import html
import math
from collections.abc import Mapping, Sequence

import streamlit as st

from workbench.api_client import Body
from workbench.browser import api
from workbench.layout import empty_state, heading, pick_version, score
from workbench.look import difference_in_words, highlighted, plural
from workbench.pages.try_it import EXAMPLES

KINDS = {
    "label": "other label",
    "border": "other border",
    "both": "other label and border",
    "missing": "only in left",
    "spurious": "only in right",
}
PER_PAGE = 8


def page() -> None:
    """Choose two versions and what to compare them on."""
    heading("Compare", "Two versions side by side: where they disagree, how, and which is right more often.")
    versions, rollout = api().versions(), api().rollout()
    if len(versions) < 2:
        empty_state("There is one version at most", "Train another one on the Train page; then compare the two here.")
        return
    left, right = _pick_pair(versions, rollout)
    basis = st.segmented_control("On", ["A text", "A dataset"], default="A text", required=True, key="compare_on")
    if left == right:
        empty_state("Twice the same version", "Choose two different versions to compare.")
        return
    if basis == "A text":
        _compare_text(str(left), str(right))
    else:
        _compare_dataset(str(left), str(right))


def _pick_pair(versions: Sequence[Body], rollout: Body) -> tuple[str | None, str | None]:
    """The pair; at first stable on the left, and on the right the canary or else the newest other version."""
    names = [str(version["version"]) for version in versions]
    stable = rollout["stable"] or names[-1]
    rival = rollout["canary"] or next(name for name in names if name != stable)
    one, other = st.columns(2)
    with one:
        left = pick_version("Left", versions, key="compare_left", preferred=stable)
    with other:
        right = pick_version("Right", versions, key="compare_right", preferred=rival)
    return left, right


def _compare_text(left: str, right: str) -> None:
    st.session_state.setdefault("compare_text", EXAMPLES["Politics"])
    text = st.text_area("Text", key="compare_text", height=120, persist_state="session")
    if not text or not text.strip():
        empty_state("No text yet", "Type or paste one above, then press Ctrl+Enter.")
        return
    result = api().compare(text=text, left=left, right=right)
    _draw_counts(result)
    _draw_document(result["documents"][0], left, right)


def _compare_dataset(left: str, right: str) -> None:
    datasets = [dataset for dataset in api().datasets() if dataset["documents"]]
    if not datasets:
        empty_state("No dataset yet", "Import a file on the Train page, or with: workbench import FILE --dataset NAME")
        return
    with st.form("compare_dataset", border=False):
        name_column, limit_column, button_column, _ = st.columns([2, 1.2, 1, 1], vertical_alignment="bottom")
        names = {dataset["name"]: plural(dataset["documents"], "document") for dataset in datasets}
        name = name_column.selectbox("Dataset", list(names), format_func=lambda name: f"{name} ({names[name]})")
        limit = limit_column.number_input("Documents", 1, 2000, 100, step=50)
        if button_column.form_submit_button("Compare", type="primary", width="stretch"):
            with st.spinner(f"Both versions read {plural(limit, 'document')}…"):
                result = api(timeout_seconds=300).compare(dataset=name, left=left, right=right, limit=limit)
            st.session_state["compare_result"] = result
    result = st.session_state.get("compare_result")
    if result is None or {result["left"], result["right"]} != {left, right} or result["left"] != left:
        empty_state("Not compared yet", "Choose a dataset and press Compare; both versions read the same documents.")
        return
    _draw_counts(result)
    _draw_scores(result)
    _draw_documents(result)


def _draw_counts(result: Body) -> None:
    counts = result["counts"]
    with st.container(horizontal=True, vertical_alignment="center", key="compare_counts"):
        if result["compared"] > 1:
            st.markdown(
                f"**{result['different']} of {plural(result['compared'], 'document')}** differ", width="content"
            )
        st.badge(f"{counts.get('match', 0)} alike", color="green")
        for kind, name in KINDS.items():
            if counts.get(kind):
                st.badge(f"{counts[kind]} {_sided(name, result['left'], result['right'])}", color="orange")
    if not any(counts.get(kind) for kind in KINDS):
        st.caption("The two versions agree on everything here.")


def _sided(name: str, left: str, right: str) -> str:
    """A kind of difference with the versions' names in place of the sides."""
    return name.replace("left", left).replace("right", right)


def _draw_scores(result: Body) -> None:
    left, right = result["left_score"], result["right_score"]
    if left and right:
        one, other = st.columns(2)
        with one:
            score(f"F1 of {result['left']}", left["f1"], left.get("f1_interval"), border=True)
        with other:
            score(f"F1 of {result['right']}", right["f1"], right.get("f1_interval"), border=True)
    st.markdown(difference_in_words(result["f1_difference"], result["left"], result["right"]))


def _draw_documents(result: Body) -> None:
    only = st.toggle("Only disagreements", value=True, key="compare_only", persist_state="session")
    shown = [document for document in result["documents"] if document["is_different"] or not only]
    if not shown:
        empty_state("No disagreement", f"The two versions agree on all {plural(result['compared'], 'document')}.")
        return
    pages = math.ceil(len(shown) / PER_PAGE)
    number = st.pagination(pages, key=f"compare_page_{only}") if pages > 1 else 1
    for document in shown[(number - 1) * PER_PAGE : number * PER_PAGE]:
        with st.container(border=True):
            _draw_document(document, result["left"], result["right"])


def _draw_document(document: Body, left: str, right: str) -> None:
    """Both answers with the spans they disagree on outlined, then each difference in words."""
    differing = [found for found in document["differences"] if found["kind"] != "match"]
    one, other = st.columns(2)
    for column, name, side in ((one, left, "left"), (other, right, "right")):
        odd = {_place(found[side]) for found in differing if found[side]}
        spans = [{**span, "mark": "ner-differs" if _place(span) in odd else ""} for span in document[side]]
        column.caption(f"**{name}** · {plural(len(spans), 'entity', 'entities')}")
        column.html(highlighted(document["text"], spans, framed=False))
    if document["gold"] is not None and differing:
        st.caption("Settled truth")
        st.html(highlighted(document["text"], document["gold"], framed=False))
    if differing:
        items = "".join(f"<li>{_in_words(found, document['text'], left, right)}</li>" for found in differing)
        st.html(f'<ul class="ner-differences">{items}</ul>')


def _place(span: Mapping[str, object]) -> tuple[object, object, object]:
    return span["start"], span["end"], span["label"]


def _in_words(found: Body, text: str, left: str, right: str) -> str:
    """One difference in HTML."""
    ours, theirs = (_quoted(found[side], text) for side in ("left", "right"))
    name = html.escape(_sided(KINDS[found["kind"]], left, right))
    return f"<i>{name}:</i> " + (f"{ours} → {theirs}" if ours and theirs else ours or theirs)


def _quoted(span: Body | None, text: str) -> str:
    if span is None:
        return ""
    surface = html.escape(" ".join(text[span["start"] : span["end"]].split()))
    return f"<b>{surface}</b> {html.escape(span['label'])} <i>{100 * span['confidence']:.0f}\u00a0%</i>"
