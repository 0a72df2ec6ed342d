"""Correct: documents one after another, their entities changed by mouse or keyboard, every answer kept."""

import streamlit as st

from workbench.api_client import Body
from workbench.browser import Visitor, api, visitor
from workbench.editor import draw_editor
from workbench.layout import empty_state, heading
from workbench.look import percent, plural

TRAFFIC = "Traffic with low confidence"
ORDERS = {
    "uncorrected": "As they come",
    "uncertain": "Least sure",
    "disagreements": "Disagreements",
}


def page() -> None:
    """Choose what to correct; the editor does the rest."""
    heading("Correct", "")
    person = visitor()
    if person is None:
        return
    datasets = [dataset for dataset in api().datasets() if dataset["documents"]]
    document = st.query_params.get("document")
    if not datasets and not document and not api().capture():
        empty_state(
            "There is no text yet", "Import a file on the Train page, or with: workbench import FILE --dataset NAME"
        )
        return
    _choose_dataset_of(document)
    chosen, order = _pick({dataset["name"]: dataset for dataset in datasets}, person)
    opened = document if _is_where_it_opened(document, chosen, order) else None
    may_add = person.reaches("reviewer")
    if chosen == TRAFFIC:
        _say_what_is_kept(person)
        draw_editor(source="traffic", document=opened, may_add_labels=may_add)
    else:
        draw_editor(dataset=chosen, order=order, document=opened, may_add_labels=may_add)


def _choose_dataset_of(document: str | None) -> None:
    """Of a document that the address names, choose the dataset, once."""
    if document and st.session_state.get("correct_named") != document:
        st.session_state["correct_named"] = document
        st.session_state.pop("correct_place", None)
        dataset = api().document(document)["dataset"]
        st.session_state["correct_basis"] = TRAFFIC if dataset == "traffic" else dataset


def _is_where_it_opened(document: str | None, chosen: str, order: str) -> bool:
    """Whether the person has not gone on to other documents than those around the one that the address names."""
    return bool(document) and st.session_state.setdefault("correct_place", (chosen, order)) == (chosen, order)


def _pick(datasets: dict[str, Body], person: Visitor) -> tuple[str, str]:
    """The dataset, or the traffic, whose documents come, and in which order; with its progress beside them."""
    names = [name for name in datasets if name != "traffic"]
    left, middle, right = st.columns([1, 1.7, 1.5], vertical_alignment="bottom")
    options = [*names, TRAFFIC]
    if st.session_state.get("correct_basis") not in options:
        st.session_state.pop("correct_basis", None)
    chosen = str(left.selectbox("Documents of", options, key="correct_basis", persist_state="session"))
    orders = list(ORDERS) if person.reaches("reviewer") else [name for name in ORDERS if name != "disagreements"]
    order = "uncorrected"
    if chosen != TRAFFIC:
        order = middle.segmented_control(
            "Order", orders, format_func=ORDERS.__getitem__, default="uncorrected", required=True, key="correct_order"
        )
    dataset = datasets.get("traffic" if chosen == TRAFFIC else chosen)
    if dataset:
        settled = percent(dataset["gold"] / dataset["documents"], digits=0)
        right.caption(
            f"{plural(dataset['documents'], 'document')} · {settled} settled · "
            f"{plural(dataset['corrections'], 'correction')}"
        )
    return chosen, str(order)


def _say_what_is_kept(person: Visitor) -> None:
    if api().capture():
        return
    what_next = "switch it on under Access" if person.reaches("admin") else "an administrator can switch it on"
    st.info(f"No text of traffic is kept at the moment: {what_next}.", icon=":material/visibility_off:")
