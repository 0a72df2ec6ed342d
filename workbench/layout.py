"""Pieces that every page is made of: its heading, its empty state, and the choice of a version."""

import html
from collections.abc import Sequence

import streamlit as st

from workbench.api_client import Body
from workbench.browser import api

INTERVAL = "Below the score: its 95 % interval, from drawing the test documents again and again."


def heading(title: str, lead: str) -> None:
    """The page's title and, where there is one, a sentence on what it is for."""
    st.title(title, anchor=False)
    if lead:
        st.html(f'<p class="ner-lead">{html.escape(lead)}</p>')


def empty_state(title: str, what_next: str) -> None:
    """What a page shows where there is nothing yet: what is missing, and what to do about it."""
    st.html(f'<div class="ner-empty"><strong>{html.escape(title)}</strong><span>{html.escape(what_next)}</span></div>')


def pick_dataset(key: str) -> Body | None:
    """Let a dataset be chosen; where there is none, say what to do."""
    datasets = {dataset["name"]: dataset for dataset in api().datasets() if dataset["documents"]}
    if not datasets:
        empty_state(
            "There is no text yet", "Import a file on the Train page, or with: workbench import FILE --dataset NAME"
        )
        return None
    if st.session_state.get(key) not in datasets:
        st.session_state.pop(key, None)
    left, _ = st.columns([1, 2])
    name = left.selectbox("Dataset", list(datasets), key=key, persist_state="session")
    return datasets[str(name)]


def score(label: str, value: float | None, interval: Sequence[float] | None = None, *, border: bool = False) -> None:
    """A score in [0, 1] with its 95 % interval below it."""
    shown = "–" if value is None else f"{value:.3f}"
    span = f"{interval[0]:.3f} – {interval[1]:.3f}" if interval else None
    st.metric(
        label, shown, span, delta_color="off", delta_arrow="off", border=border, help=INTERVAL if interval else None
    )


def version_name(version: Body) -> str:
    """A version with the part it plays: `1.2.0 · stable`."""
    return " · ".join([str(version["version"]), *version.get("aliases", [])])


def pick_version(
    label: str, versions: Sequence[Body], *, key: str, preferred: str | None = None, everyday: str | None = None
) -> str | None:
    """Let a version be chosen. `everyday` is a first choice that names no version; it returns None."""
    names = {"": everyday} if everyday else {}
    names |= {str(version["version"]): version_name(version) for version in versions}
    options = list(names)
    index = options.index(preferred) if preferred in options else 0
    if st.session_state.get(key) not in names:
        st.session_state.pop(key, None)
    chosen = st.selectbox(label, options, index=index, format_func=names.__getitem__, key=key, persist_state="session")
    return chosen or None
