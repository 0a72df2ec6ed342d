"""Gamma on the Agreement page: measured when somebody asks, for it takes seconds."""

import pandas as pd
import streamlit as st

from workbench.api_client import Body
from workbench.browser import api
from workbench.look import plural

_MEANS = (
    "How much closer people's spans are, in their places and labels, than the same spans put down by chance: "
    "1 is the same, 0 is chance."
)
_SHOWN_TEXTS = 5


def draw_gamma(dataset: str) -> None:
    """A button, and what it measured: of everybody, of pairs, of labels, and the documents furthest apart."""
    st.subheader("Gamma", anchor=False)
    st.caption(_MEANS)
    kept = st.session_state.setdefault("gamma_measured", {})
    if st.button("Measure it", icon=":material/straighten:", key="gamma_measure"):
        with st.spinner("Aligning everybody's spans"):
            kept[dataset] = api().gamma(dataset)
    if dataset in kept:
        _draw(kept[dataset])


def _draw(measured: Body) -> None:
    whole = measured["whole"]
    if whole["gamma"] is None:
        st.info(whole["why_not"])
        return
    figure, rest = st.columns([1, 2])
    figure.metric("Gamma of everybody", shown(whole), help=_of_draws(whole), border=True)
    if measured["documents"] < measured["shared"]:
        figure.caption(f"Of {measured['documents']:,} documents, drawn from {measured['shared']:,}.")
    rows = [
        {"Of": f"{pair['left']} and {pair['right']}", "Documents": pair["documents"], **_row(pair["whole"])}
        for pair in measured["pairs"]
    ]
    rows += [
        {"Of": f"label {label}, places alone", "Documents": measured["documents"], **_row(value)}
        for label, value in measured["per_label"].items()
    ]
    rest.dataframe(pd.DataFrame(rows), hide_index=True)
    if measured["least_agreed"]:
        _draw_least_agreed(measured["least_agreed"])


def _draw_least_agreed(documents: list[Body]) -> None:
    with st.expander(f"The least agreed {plural(min(len(documents), _SHOWN_TEXTS), 'document')}"):
        rows = [
            {"Gamma": f"{one['gamma']:.2f}", "Text": api().document(one["document_id"])["text"]}
            for one in documents[:_SHOWN_TEXTS]
        ]
        st.dataframe(pd.DataFrame(rows), hide_index=True)


def shown(value: Body) -> str:
    """Gamma with the half of its interval, such as `0.764 ± 0.012`."""
    low, high = value["interval"]
    return f"{value['gamma']:.3f} ± {(high - low) / 2:.3f}"


def _row(value: Body) -> Body:
    return {"Spans": value["spans"], "Gamma": shown(value) if value["gamma"] is not None else value["why_not"]}


def _of_draws(value: Body) -> str:
    return f"± is 95 % of {value['draws']} draws of chance. It does not say how other documents would come out."
