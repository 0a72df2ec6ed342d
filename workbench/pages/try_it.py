"""Try: a text in, its entities out, and the same call for a program."""

import json
import shlex
import time
from typing import Any

import pandas as pd
import streamlit as st

from workbench.api_client import Body, Prediction
from workbench.browser import api, public_address
from workbench.layout import empty_state, heading, pick_version
from workbench.look import highlighted, legend, percent, plural

EXAMPLES = {
    "People and places": "John lives in New York. On Friday he meets Angela Merkel in Berlin.",
    "Companies": "Google acquired YouTube for $1.65 billion in 2006. Apple Inc is in California.",
    "Politics": "Barack Obama was president of the United States when NATO met in Lisbon in November 2010.",
    "Events": "Hurricane Katrina hit Louisiana in August 2005, a year before the World Cup in Germany.",
}
EVERYDAY = "As traffic is answered"


def page() -> None:
    """Type or paste, choose a version, read the answer."""
    heading("Try", "Type or paste a text and see which entities a version finds in it, and how sure it is.")
    versions = api().versions()
    _draw_examples()
    text = st.text_area(
        "Text", key="try_text", height=150, persist_state="session", placeholder="Type or paste a text, then Ctrl+Enter"
    )
    left, right, _ = st.columns([1.2, 1, 2.2], vertical_alignment="bottom")
    with left:
        version = pick_version("Version", versions, key="try_version", everyday=EVERYDAY)
    with right:
        st.button("Find entities", type="primary", icon=":material/search:", width="stretch", on_click=_forget_answer)
    if not text or not text.strip():
        empty_state("No text yet", "Type one above, or choose an example.")
        return
    answer, seconds = _ask(text, version)
    st.space("xsmall")
    _draw_answer(text, answer, seconds)
    _draw_details(text, version, answer)


def _draw_examples() -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("Examples", width="content")
        for name, sentence in EXAMPLES.items():
            st.button(name, key=f"try_example_{name}", on_click=_choose_example, args=(sentence,))


def _choose_example(sentence: str) -> None:
    st.session_state["try_text"] = sentence


def _forget_answer() -> None:
    st.session_state.pop("try_answer", None)


def _ask(text: str, version: str | None) -> tuple[Prediction, float]:
    """The answer and the seconds it took; asked once per text and version, so that a rerun costs nothing."""
    question = (text, version)
    kept = st.session_state.get("try_answer")
    if kept is None or kept[0] != question:
        client, started = api(), time.perf_counter()
        answer = client.predict(text) if version is None else client.predict_with(version, text)
        kept = (question, answer, time.perf_counter() - started)
        st.session_state["try_answer"] = kept
    return kept[1], kept[2]


def _draw_answer(text: str, answer: Prediction, seconds: float) -> None:
    entities = answer["entities"]
    st.html(highlighted(text, entities))
    facts = [
        plural(len(entities), "entity", "entities"),
        f"version **{answer['model_version']}** ({answer['variant']})",
        f"{1000 * seconds:.0f} ms there and back" + (", from the cache" if answer["cached"] else ""),
    ]
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.caption("  ·  ".join(facts), width="content")
        if entities:
            st.html(legend(sorted({entity["label"] for entity in entities})), width="content")
    if answer["degraded"]:
        st.warning("A fallback answered in place of the chosen version.", icon=":material/warning:")


def _draw_details(text: str, version: str | None, answer: Prediction) -> None:
    table, as_json, curl, python = st.tabs(["Entities", "JSON", "curl", "Python"])
    with table:
        _draw_table(answer)
    as_json.code(json.dumps(answer, indent=2, ensure_ascii=False), language="json", height=320)
    path = "/api/v1/ner/predict" if version is None else f"/api/v1/versions/{version}/predict"
    url = f"{public_address()}{path}"
    curl.code(curl_call(url, text), language="bash", wrap_lines=True)
    python.code(python_call(url, text), language="python", wrap_lines=True)


def _draw_table(answer: Prediction) -> None:
    if not answer["entities"]:
        empty_state("No entities", "This version finds none in this text. Try another version, or correct it.")
        return
    rows: list[Body] = [
        {
            "Entity": entity["text"],
            "Label": entity["label"],
            "Confidence": 100 * entity["confidence"],
            "Characters": f"{entity['start']}–{entity['end']}",
        }
        for entity in answer["entities"]
    ]
    bar: Any = st.column_config.ProgressColumn(format="%.1f %%", min_value=0, max_value=100, width="medium")
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config={"Confidence": bar})
    surest = max(answer["confidence"], default=None)
    least = min(answer["confidence"], default=None)
    st.caption(
        f"Confidence from {percent(least)} to {percent(surest)}. Offsets count characters; the end is exclusive."
    )


def curl_call(url: str, text: str) -> str:
    """The call as a shell command that works for every text."""
    body = shlex.quote(json.dumps({"text": text}, ensure_ascii=False))
    parts = (
        f"curl -s {shlex.quote(url)}",
        '-H "X-API-Key: $NER_API_KEY"',
        '-H "Content-Type: application/json"',
        f"-d {body}",
    )
    return " \\\n  ".join(parts)


def python_call(url: str, text: str) -> str:
    """The call as a Python program."""
    return (
        "import os\n\nimport httpx\n\n"
        f"answer = httpx.post(\n    {url!r},\n"
        '    headers={"X-API-Key": os.environ["NER_API_KEY"]},\n'
        f'    json={{"text": {text!r}}},\n)\n'
        "answer.raise_for_status()\n"
        'for entity in answer.json()["entities"]:\n'
        '    print(entity["label"], entity["text"], entity["confidence"])'
    )
