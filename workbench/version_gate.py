"""How a version was judged: the gate, the scoring schemes, and the examples that every version has to answer."""

import pandas as pd
import streamlit as st

from workbench.api_client import Body
from workbench.layout import empty_state

_VERDICTS = {
    "pass": ("green", "Passes"),
    "fail": ("red", "Fails"),
    "not enough evidence": ("gray", "Not enough evidence"),
}
_SCHEMES = {
    "strict": "borders and label are right",
    "exact": "borders are right, whatever the label",
    "partial": "borders overlap, half a point each",
    "type": "label is right, and borders overlap",
}


def draw_gate(version: Body) -> None:
    """Verdict with reasons, then schemes, then examples."""
    gate = version["gate"]
    if gate is None:
        empty_state("Not judged", "A version that this workbench trains is judged at the end of its run.")
    else:
        color, word = _VERDICTS[gate["outcome"]]
        st.badge(word, color=color)
        for reason in gate["reasons"]:
            st.markdown(reason)
    _draw_examples(version["must_pass"])
    _draw_schemes(version["schemes"])


def _draw_examples(examples: Body | None) -> None:
    if examples is None or not examples["examples"]:
        st.caption("No document of its dataset is marked as a must-pass example.")
        return
    total, broken = examples["examples"], examples["broken"]
    st.caption(f"Must-pass examples: {total - len(broken):,} of {total:,} answered rightly.")
    if broken:
        rows = [
            {"Broken example": one["text"], "Expected": _told(one["expected"]), "Found": _told(one["found"])}
            for one in broken
        ]
        st.dataframe(pd.DataFrame(rows), hide_index=True)


def _told(spans: list[Body]) -> str:
    return ", ".join(f"{span['text']} ({span['label']})" for span in spans) or "nothing"


def _draw_schemes(schemes: Body) -> None:
    if not schemes:
        return
    rows = [
        {
            "Scheme": name,
            "F1": scores["f1"],
            "Precision": scores["precision"],
            "Recall": scores["recall"],
            "Right when": _SCHEMES.get(name, ""),
        }
        for name, scores in schemes.items()
    ]
    number = st.column_config.NumberColumn(format="%.3f")
    st.caption("Scoring schemes, on the test part")
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, column_config=dict.fromkeys(("F1", "Precision", "Recall"), number)
    )
