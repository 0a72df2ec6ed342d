"""Agreement: how far people say the same about the same documents, and what waits for a decision."""

import pandas as pd
import streamlit as st

from workbench.api_client import Body
from workbench.browser import Visitor, api, visitor
from workbench.gamma_panel import draw_gamma
from workbench.habits import draw_habits
from workbench.layout import empty_state, heading
from workbench.look import f1_with_interval, plural


def page() -> None:
    """One dataset's people in pairs, and the rule of how many must agree."""
    heading("Agreement", "How far people say the same about the same documents, and what waits for a decision.")
    person = visitor()
    datasets = [dataset["name"] for dataset in api().datasets() if dataset["documents"]]
    if not datasets or person is None:
        empty_state("There is no text yet", "Import a file on the Train page; then let several people correct it.")
        return
    left, right = st.columns([2, 1.2], vertical_alignment="bottom")
    name = str(left.selectbox("Dataset", datasets, key="agreement_dataset", persist_state="session"))
    measured = api().agreement(name)
    with right:
        _draw_rule(name, person)
    _draw_figures(measured)
    if measured["pairs"]:
        _draw_pairs(measured["pairs"])
        draw_gamma(name)
    else:
        empty_state("Nobody can be compared yet", "Two people have to correct the same documents.")
    draw_habits(name, person)


def _draw_rule(name: str, person: Visitor) -> None:
    """How many people must agree; engineers change it."""
    if not person.reaches("engineer"):
        return
    with st.popover("People who must agree", icon=":material/group:", width="stretch"):
        wanted = st.number_input("Before a document is gold", 1, 50, 2, key="agreement_people")
        if st.button("From now on", type="primary"):
            rules = api().ask_people(name, int(wanted))
            st.toast(f"{plural(rules['annotators_required'], 'person', 'people')} must agree in {name}.")


def _draw_figures(measured: Body) -> None:
    one, two, three = st.columns(3)
    one.metric("Documents of two people or more", f"{measured['documents']:,}", border=True)
    alpha = measured["alpha"]
    two.metric(
        "Krippendorff's alpha",
        "–" if alpha is None else f"{alpha:.3f}",
        help=measured["why_not"] or "Over tokens: 1 is perfect, 0 is what chance gives.",
        border=True,
    )
    three.metric("Wait for a decision", f"{measured['waiting']:,}", border=True)
    if measured["waiting"]:
        st.caption("They are on the Correct page, under the order “Disagreements”.")


def _draw_pairs(pairs: list[Body]) -> None:
    rows = [
        {
            "People": f"{pair['left']} and {pair['right']}",
            "Documents": pair["documents"],
            "Exact F1 (95 % interval)": f1_with_interval(pair["exact_f1"], pair["exact_f1_interval"]),
            "Partial F1": _shown(pair["partial_f1"]),
            "Kappa over tokens": _shown(pair["kappa"]),
            "Least agreed label": _least(pair["per_label"]),
        }
        for pair in pairs
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True)


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _least(per_label: dict[str, float]) -> str:
    if not per_label:
        return "–"
    label = min(per_label, key=per_label.__getitem__)
    return f"{label} ({per_label[label]:.2f})"
