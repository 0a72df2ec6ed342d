"""Search: documents by words, label and pattern, and changes of many spans at once, previewed and taken back."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from workbench.api_client import ApiError, Body
from workbench.browser import Visitor, api, explain, visitor
from workbench.layout import empty_state, heading, pick_dataset
from workbench.look import ago, highlighted, plural

PER_PAGE = 10
_EXAMPLES = 6
KINDS = {
    "relabel": "Relabel spans that match a pattern",
    "remove": "Remove spans that match a pattern",
    "rename": "Rename a label",
    "merge": "Merge labels into one",
    "split": "Split a label by a pattern",
    "delete": "Delete labels with their spans",
}
_TAKES_TARGET, _TAKES_PATTERN = {"relabel", "rename", "merge", "split"}, {"relabel", "remove", "split"}
_ONE_LABEL = {"rename", "split"}


def page() -> None:
    """Find documents; reviewers change what is marked in them."""
    heading(
        "Search", "Find documents by their words, by a label, or by a pattern; change many spans at once, and back."
    )
    person = visitor()
    dataset = pick_dataset("search_dataset")
    if dataset is None or person is None:
        return
    if not person.reaches("reviewer"):
        _draw_search(dataset)
        return
    found, change, made = st.tabs(["Find", "Change many", "Changes made"])
    with found:
        _draw_search(dataset)
    with change:
        _draw_change(dataset)
    with made:
        _draw_made(dataset["name"], person)


# --- find ---


def _draw_search(dataset: Body) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input("Words", key="search_text", placeholder="In upper or lower case")
        labels = dataset["labels"]
        label = st.selectbox("Label", labels, index=None, placeholder="Any", key="search_label") if labels else None
        pattern = st.text_input("Pattern", key="search_pattern", placeholder=r"\b[A-Z]{3}\b")
    if label:
        st.caption(f"Words and pattern are looked for inside of spans labelled {label}.")
    sought = {"text": text or None, "label": label, "pattern": pattern or None}
    page_number = _page_number(dataset["name"], sought)
    try:
        body = api().search(dataset["name"], **sought, offset=page_number * PER_PAGE, limit=PER_PAGE)
    except ApiError as error:
        explain(error)
        return
    if not body["total"]:
        empty_state("No document matches", "Take a word away, or choose another label.")
        return
    _draw_pager(body["total"], page_number)
    for one in body["found"]:
        _draw_found(one)


def _page_number(dataset: str, sought: Body) -> int:
    """The page that is shown; another search begins at its first."""
    basis = repr((dataset, sought))
    if st.session_state.get("search_basis") != basis:
        st.session_state["search_basis"], st.session_state["search_page"] = basis, 0
    return int(st.session_state["search_page"])


def _draw_pager(total: int, page_number: int) -> None:
    last = (total - 1) // PER_PAGE
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plural(total, 'document')}**", width="stretch")
        st.button(
            "Earlier",
            icon=":material/chevron_left:",
            disabled=page_number == 0,
            on_click=_turn,
            args=(page_number - 1,),
        )
        st.caption(f"{page_number + 1:,} of {last + 1:,}", width="content")
        st.button(
            "Later",
            icon=":material/chevron_right:",
            disabled=page_number >= last,
            on_click=_turn,
            args=(page_number + 1,),
        )


def _turn(page_number: int) -> None:
    st.session_state["search_page"] = page_number


def _draw_found(one: Body) -> None:
    document = one["document"]
    with st.container(border=True):
        st.html(highlighted(document["text"], document["spans"], framed=False))
        said = f"revision {document['revision']}" if document["revision"] else "nobody has labelled it"
        state = "settled" if document["is_gold"] else said
        places = f" · {plural(len(one['hits']), 'place')}" if one["hits"] else ""
        links = f"[Correct](correct?document={document['id']}) · [History](history?document={document['id']})"
        st.caption(f"{state}{places} · {links}")


# --- change many ---


def _draw_change(dataset: Body) -> None:
    if not dataset["labels"]:
        empty_state("There is no label to change yet", "Give spans a label on the Correct page first.")
        return
    kind = str(st.selectbox("What to do", list(KINDS), format_func=KINDS.__getitem__, key="change_kind"))
    change = _draw_fields(kind, dataset["labels"])
    asked, made = st.columns([1, 3], vertical_alignment="center")
    if asked.button("Preview", type="primary", width="stretch", key="change_preview"):
        _preview(dataset["name"], change)
    shown = st.session_state.get("change_shown")
    if shown is None or shown["basis"] != (dataset["name"], change):
        made.caption("A preview counts what would change, and shows the first documents before and after.")
        return
    outcome = shown["outcome"]
    if not outcome["documents"]:
        empty_state("Nothing would change", "No span matches; look at the labels and the pattern again.")
        return
    made.markdown(_told(outcome))
    if st.button("Make this change", icon=":material/published_with_changes:"):
        _make(dataset["name"], change)
    _draw_examples(outcome["examples"][:_EXAMPLES], outcome["documents"])


def _draw_fields(kind: str, labels: Sequence[str]) -> Body:
    left, middle, right = st.columns(3)
    change: Body = {"kind": kind, "labels": [], "target": None, "pattern": None}
    if kind in _ONE_LABEL:
        chosen = left.selectbox("Label", labels, index=None, key="change_label", placeholder="Choose one")
        change["labels"] = [chosen] if chosen else []
    else:
        hint = "All labels" if kind in {"relabel", "remove"} else "Choose some"
        change["labels"] = left.multiselect("Labels", labels, key="change_labels", placeholder=hint)
    if kind in _TAKES_TARGET:
        target = middle.selectbox(
            "Becomes", labels, index=None, accept_new_options=True, key="change_target", placeholder="Choose or type"
        )
        change["target"] = target.strip() if target else None
    if kind in _TAKES_PATTERN:
        change["pattern"] = right.text_input("Pattern", key="change_pattern", placeholder="^(the )?EU$") or None
    return change


def _preview(dataset: str, change: Body) -> None:
    try:
        outcome = api(timeout_seconds=120).preview_change(dataset, change)
    except ApiError as error:
        st.session_state.pop("change_shown", None)
        explain(error)
        return
    st.session_state["change_shown"] = {"basis": (dataset, change), "outcome": outcome}


def _told(outcome: Body) -> str:
    """What would change, in one sentence."""
    counts = ", ".join(f"{count:,} {label}" for label, count in outcome["spans"].items())
    merged = (
        f" {plural(outcome['merged'], 'span becomes', 'spans become')} the same as another."
        if outcome["merged"]
        else ""
    )
    return f"**{plural(outcome['documents'], 'document')}** would change: {counts}.{merged}"


def _draw_examples(examples: Sequence[Body], documents: int) -> None:
    """The first documents before and after, with what changes outlined."""
    before, after = st.columns(2)
    shown = f" · the first {len(examples)} of {documents:,}" if documents > len(examples) else ""
    before.caption(f"**Before**{shown}")
    after.caption("**After**")
    for example in examples:
        for column, side, other in zip(st.columns(2), ("before", "after"), ("after", "before"), strict=True):
            spans = [{**span, "mark": "" if span in example[other] else "ner-differs"} for span in example[side]]
            column.html(highlighted(example["text"], spans))


def _make(dataset: str, change: Body) -> None:
    try:
        made = api(timeout_seconds=300).make_change(dataset, change)
    except ApiError as error:
        explain(error)
        return
    st.session_state.pop("change_shown", None)
    st.success(
        f"{plural(made['documents'], 'document')} changed. It can be taken back under “Changes made”.",
        icon=":material/check_circle:",
    )


def _draw_made(dataset: str, person: Visitor) -> None:
    changes = api().changes(dataset)
    if not changes:
        empty_state("No change yet", "What is done under “Change many” is listed here, and can be taken back.")
        return
    rows: list[dict[str, Any]] = [
        {
            "What": KINDS[change["kind"]],
            "Labels": ", ".join(change["labels"]) or "all",
            "Becomes": change["target"] or "–",
            "Pattern": change["pattern"] or "–",
            "Documents": change["documents"],
            "Spans": change["spans"],
            "When": ago(change["made_at"]),
            "By": change["made_by"],
            "State": "taken back" if change["is_undone"] else "made",
        }
        for change in changes
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True)
    standing = {change["id"]: change for change in changes if not change["is_undone"]}
    if not standing or not person.reaches("reviewer"):
        return
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    chosen = left.selectbox(
        "Take back", list(standing), format_func=lambda one: _named(standing[one]), key="change_undone"
    )
    if right.button("Take it back", icon=":material/undo:", width="stretch"):
        try:
            undone = api(timeout_seconds=300).undo_change(dataset, str(chosen))
        except ApiError as error:
            explain(error)
            return
        st.toast(f"{plural(undone['documents'], 'document')} are as they were.", icon=":material/undo:")
        st.rerun()


def _named(change: Body) -> str:
    target = f" → {change['target']}" if change["target"] else ""
    return f"{KINDS[change['kind']]}: {', '.join(change['labels']) or 'all labels'}{target}, {ago(change['made_at'])}"
