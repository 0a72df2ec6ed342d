"""Guidelines: what each label means, in versions, what was settled before them, and comments that wait."""

from collections.abc import Sequence

import streamlit as st

from workbench.api_client import ApiError, Body
from workbench.browser import Visitor, api, explain, visitor
from workbench.layout import empty_state, heading, pick_dataset
from workbench.look import ago, highlighted, label_chip, plural


def page() -> None:
    """A dataset's guidelines and comments."""
    heading("Guidelines", "What each label means, with examples. They stand beside the labels while people correct.")
    person = visitor()
    dataset = pick_dataset("guidelines_dataset")
    if dataset is None or person is None:
        return
    waiting = api().comments(dataset["name"])
    written, comments = st.tabs(["Labels", f"Comments ({len(waiting)})"])
    with written:
        _draw_guidelines(dataset, person)
    with comments:
        _draw_comments(waiting, person)


def _draw_guidelines(dataset: Body, person: Visitor) -> None:
    if not dataset["labels"]:
        empty_state("This dataset has no label yet", "Labels come with an import, or on the Correct page.")
        return
    newest = {one["label"]: one for one in api().guidelines(dataset["name"])}
    label = st.pills("Label", dataset["labels"], default=dataset["labels"][0], required=True, key="guideline_label")
    guideline = newest.get(str(label))
    shown, edited = st.columns(2)
    with shown:
        _draw_one(str(label), guideline)
    if person.reaches("reviewer"):
        with edited:
            _draw_form(dataset["name"], str(label), guideline)
    if guideline is not None:
        _draw_affected(dataset["name"], str(label))


def _draw_one(label: str, guideline: Body | None) -> None:
    st.html(label_chip(label))
    if guideline is None:
        empty_state(
            "Nothing is written yet", "A reviewer can say here what belongs under this label, and what does not."
        )
        return
    st.markdown(guideline["words"])
    for example in guideline["examples"]:
        sign = ":green[:material/check:] yes" if example["is_right"] else ":red[:material/close:] no"
        st.markdown(sign)
        st.html(highlighted(example["text"], [example | {"label": label}], framed=False))
    st.caption(f"Version {guideline['version']}, by {guideline['author']}, {ago(guideline['created_at'])}")


def _draw_form(dataset: str, label: str, guideline: Body | None) -> None:
    version = guideline["version"] if guideline else 0
    with st.form(f"guideline_{label}_{version}"):
        words = st.text_area("What it means", guideline["words"] if guideline else "", height=180)
        lines = st.text_area(
            "Examples",
            _as_lines(guideline["examples"]) if guideline else "",
            height=140,
            placeholder="+ flew to [Oslo] yesterday\n- the [Oslo] accords",
            help="One a line: + for right and - for wrong, the entity in square brackets.",
        )
        if st.form_submit_button(f"Write version {version + 1}", type="primary"):
            examples = _as_examples(lines)
            if isinstance(examples, str):
                st.warning(examples)
                return
            try:
                api().write_guideline(dataset, label, words, examples, base_version=version)
            except ApiError as error:
                explain(error)
                return
            st.rerun()


def _as_lines(examples: Sequence[Body]) -> str:
    return "\n".join(
        f"{'+' if one['is_right'] else '-'} "
        f"{one['text'][: one['start']]}[{one['text'][one['start'] : one['end']]}]{one['text'][one['end'] :]}"
        for one in examples
    )


def _as_examples(lines: str) -> list[Body] | str:
    """The examples of the form, or the sentence that says which line does not fit."""
    examples: list[Body] = []
    for line in filter(None, (line.strip() for line in lines.splitlines())):
        sign, text = line[0], line[1:].strip()
        start, end = text.find("["), text.find("]") - 1
        if sign not in "+-" or not 0 <= start < end:
            return f"“{line}” does not fit: begin with + or -, and put the entity in square brackets."
        plain = text[:start] + text[start + 1 : end + 1] + text[end + 2 :]
        examples.append({"text": plain, "start": start, "end": end, "is_right": sign == "+"})
    return examples


def _draw_affected(dataset: str, label: str) -> None:
    affected = api().affected_by_guideline(dataset, label)
    if not affected["total"]:
        st.caption("Every settled span of this label is younger than its guideline.")
        return
    title = f"{plural(affected['total'], 'settled document')} older than this guideline"
    with st.expander(title, icon=":material/rule_folder:"):
        for one in affected["documents"][:20]:
            st.html(highlighted(one["text"], one["spans"], framed=False))
            under = f"under version {one['guideline_version']}" if one["guideline_version"] else "before there was one"
            st.caption(f"Settled {ago(one['settled_at'])}, {under} · [Correct](correct?document={one['document_id']})")


def _draw_comments(waiting: Sequence[Body], person: Visitor) -> None:
    if not waiting:
        empty_state("No comment waits", "On the Correct page people comment on a document, or on some words of it.")
        return
    for comment in waiting:
        with st.container(border=True):
            about = f"on “{comment['surface']}”" if comment["surface"] else "on the whole document"
            st.caption(f"{comment['author']} {about}, {ago(comment['created_at'])}")
            st.text(comment["words"])
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"[Open in Correct](correct?document={comment['document_id']})", width="content")
                if person.reaches("annotator") and st.button("Settle it", key=f"settle_{comment['id']}"):
                    api().settle_comment(comment["id"])
                    st.rerun()
