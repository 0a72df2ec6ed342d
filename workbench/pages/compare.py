"""Compare: two versions side by side, on a text, a dataset or shadow traffic, with every difference named."""

from collections.abc import Mapping, Sequence

import streamlit as st

from workbench.api_client import Body
from workbench.browser import api, visitor
from workbench.comparison import (
    draw_counts,
    draw_document,
    draw_documents,
    draw_downloads,
    draw_labels,
    draw_scores,
    names_of,
)
from workbench.editor import draw_editor
from workbench.layout import empty_state, heading, pick_version
from workbench.look import plural
from workbench.pages.try_it import EXAMPLES
from workbench.shadow_panel import draw_shadow

LOOK, DECIDE = "What changed", "Decide between them"


def page() -> None:
    """Choose two versions and what to compare them on."""
    heading("Compare", "Two versions side by side: where they disagree, how, and which is right more often.")
    versions, rollout = api().versions(), api().rollout()
    if len(versions) < 2:
        empty_state("There is one version at most", "Train another one on the Train page; then compare the two here.")
        return
    left, right = _pick_pair(versions, rollout)
    bases = ["A text", "A dataset", "Shadow traffic"]
    basis = st.segmented_control("On", bases, default="A text", required=True, key="compare_on")
    if basis == "Shadow traffic":
        _compare_shadow((left, right))
        return
    if left == right:
        empty_state("Twice the same version", "Choose two different versions to compare.")
        return
    if basis == "A text":
        _compare_text(str(left), str(right))
    else:
        learned = {str(version["version"]): str(version["dataset"]) for version in versions}
        _compare_dataset(str(left), str(right), learned)


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
    draw_counts(result)
    draw_document(result["documents"][0], left, right)


def _compare_dataset(left: str, right: str, learned_from: Mapping[str, str]) -> None:
    datasets = [dataset for dataset in api().datasets() if dataset["documents"]]
    if not datasets:
        empty_state("No dataset yet", "Import a file on the Train page, or with: workbench import FILE --dataset NAME")
        return
    with st.form("compare_dataset", border=False):
        name_column, limit_column, button_column, _ = st.columns([2, 1.2, 1, 1], vertical_alignment="bottom")
        names = names_of(datasets)
        name = name_column.selectbox("Dataset", list(names), format_func=lambda name: f"{name} ({names[name]})")
        limit = limit_column.number_input("Documents", 1, 2000, 100, step=50)
        if button_column.form_submit_button("Compare", type="primary", width="stretch"):
            _compute({"dataset": str(name), "left": left, "right": right, "limit": int(limit)})
    what, result = st.session_state.get("compare_what"), st.session_state.get("compare_result")
    if not result or (result["left"], result["right"]) != (left, right) or "dataset" not in what:
        empty_state("Not compared yet", "Choose a dataset and press Compare; both versions read the same documents.")
        return
    flattered = [version for version in (left, right) if learned_from.get(version) == what["dataset"]]
    if flattered:
        st.warning(
            f"{' and '.join(flattered)} learned from this dataset: texts that were learned are among these, so "
            "the score is higher here than on new texts. The Quality page has scores on texts that were held back.",
            icon=":material/school:",
        )
    _draw(what, result, {"dataset": what["dataset"]})


def _compare_shadow(chosen: tuple[str | None, str | None]) -> None:
    """Stable and canary on what the canary answers in the shadow, whatever pair is chosen above."""
    person = visitor()
    said = draw_shadow(person)
    if said is not None and chosen != (said["stable"], said["canary"]):
        st.caption("Shadow traffic compares the stable version with the canary, whatever is chosen above.")
    if said is None or not said["captures"] or person is None or not person.reaches("annotator"):
        return
    what = {"source": "shadow", "left": said["stable"], "right": said["canary"], "limit": 300}
    st.divider()
    if (
        st.button("Read the kept texts again", icon=":material/refresh:")
        or st.session_state.get("compare_what") != what
    ):
        _compute(what)
    result = st.session_state["compare_result"]
    if not result["compared"]:
        empty_state(
            "No text is kept yet", "Of the traffic that comes now, texts on which the versions differ are kept."
        )
        return
    _draw(what, result, {"source": "traffic"})


def _compute(what: Body) -> None:
    with st.spinner(f"Both versions read up to {plural(what['limit'], 'document')}…"):
        st.session_state["compare_result"] = api(timeout_seconds=300).compare(**what)
    st.session_state["compare_what"] = what


def _draw(what: Body, result: Body, where: Body) -> None:
    person = visitor()
    may_decide = person is not None and person.reaches("annotator")
    pair = (str(result["left"]), str(result["right"]))
    if may_decide:
        view = st.segmented_control("View", [LOOK, DECIDE], default=LOOK, required=True, key="compare_view")
        if view == DECIDE:
            opened = st.session_state.get("compare_document")
            may_add = person is not None and person.reaches("reviewer")
            draw_editor(**where, document=opened, pair=pair, may_add_labels=may_add, key="pair_editor")
            return
    st.session_state.pop("compare_document", None)
    draw_counts(result)
    if "dataset" in what:
        draw_scores(result)
    draw_labels(result)
    draw_downloads(what)
    if may_decide and "source" in what:
        # Labels of texts that somebody picked would lean to what they picked them for.
        st.caption(
            f"To label these, choose *{DECIDE}* above: texts are offered there in an order that is drawn, so that the "
            "verdict on F1 stays fair."
        )
    draw_documents(result, decide=_decide if may_decide else None)


def _decide(document: str) -> None:
    st.session_state["compare_document"] = document
    st.session_state["compare_view"] = DECIDE
