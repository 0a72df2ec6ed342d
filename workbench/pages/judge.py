"""Judge: one suggestion at a time, yes or no, by a single key."""

import streamlit as st

from workbench.browser import visitor
from workbench.editor import draw_judge
from workbench.layout import heading, pick_dataset


def page() -> None:
    """Choose a dataset; the judge does the rest."""
    heading("Judge", "One suggestion at a time. What was not judged stays unknown: no document becomes settled by it.")
    person = visitor()
    dataset = pick_dataset("judge_dataset")
    if dataset is None or person is None:
        return
    draw_judge(dataset=dataset["name"])
    st.caption("Y or → accepts, N or ← rejects, S leaves it open, U goes one back.")
