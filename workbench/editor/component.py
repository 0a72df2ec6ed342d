"""The editor's files as one Streamlit component."""

import functools
import re
from pathlib import Path
from typing import Any

import streamlit as st

from workbench.look import ALIKE, LABEL_COLOURS, SPARE_COLOURS

FRONTEND = Path(__file__).parent / "frontend"
# In the order of their imports: each module uses only those before it.
MODULES = (
    "text",
    "element",
    "colours",
    "keys",
    "keydialog",
    "choice",
    "sheet",
    "pair",
    "outbox",
    "effort",
    "marginalia",
    "tasks",
    "paper",
    "panels",
    "panes",
    "desk",
    "editor",
)
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./\w+\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)


JUDGE_MODULES = ("element", "colours", "outbox", "judge")


def script(modules: tuple[str, ...] = MODULES) -> str:
    """The modules as one, which is what a component takes: without their imports of each other, in one scope."""
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", _read(f"{module}.js"))) for module in modules)


def _read(name: str) -> str:
    return (FRONTEND / name).read_text(encoding="utf-8")


@functools.cache
def _component() -> Any:
    return st.components.v2.component(
        "ner_editor", html=_read("editor.html"), css=_read("editor.css"), js=script(), isolate_styles=True
    )


def draw_editor(
    *,
    dataset: str | None = None,
    source: str | None = None,
    order: str = "uncorrected",
    document: str | None = None,
    pair: tuple[str, str] | None = None,
    may_add_labels: bool = False,
    key: str = "editor",
) -> None:
    """The editor on the documents of a dataset in an order, or of a source ("traffic"); `document` is the first shown.

    `pair`: two versions whose answers stand side by side, on documents on which they differ. It is drawn anew only
    when these change: edits, saving and going on need no run of the page.
    """
    colours = {"known": LABEL_COLOURS, "alike": ALIKE, "spare": list(SPARE_COLOURS)}
    chosen = {
        "dataset": dataset,
        "source": source,
        "order": order,
        "document": document,
        "pair": pair,
        "mayAddLabels": may_add_labels,
    }
    _component()(key=key, data={**chosen, "colours": colours}, height="content")


@functools.cache
def _judge() -> Any:
    return st.components.v2.component(
        "ner_judge", html=_read("judge.html"), css=_read("judge.css"), js=script(JUDGE_MODULES), isolate_styles=True
    )


def draw_judge(*, dataset: str) -> None:
    """One suggestion of the dataset after another, each answered by one key."""
    colours = {"known": LABEL_COLOURS, "alike": ALIKE, "spare": list(SPARE_COLOURS)}
    _judge()(key="judge", data={"dataset": dataset, "colours": colours}, height="content")
