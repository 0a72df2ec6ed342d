"""The editor's JavaScript: its own tests, one bundle that parses, and the same tokens as the models'."""

import json
import random
import shutil
import subprocess
import unicodedata
from pathlib import Path

import pytest

from ner.tokens import tokenize
from tests.conftest import missing
from workbench.editor.component import FRONTEND, JUDGE_MODULES, MODULES, script

_FOLDER = Path(__file__).parent / "editor"
_TOKENS = f"""
import {{ createInterface }} from "node:readline";
import {{ IndexedText }} from "{(FRONTEND / "text.js").as_uri()}";
for await (const line of createInterface({{ input: process.stdin }})) {{
  console.log(JSON.stringify(new IndexedText(JSON.parse(line)).tokens));
}}
"""
_PIECES = [
    "Mr.",
    "U.S.",
    "J.",
    "10,000",
    "12:30",
    "Obama's",
    "'s",
    "é",
    "👩\u200d👩\u200d👧",
    "東京",
    "กรุงเทพ",
    "שלום",
    "नमस्ते",
    "\r\n",
    "\xa0",
    "\x1c",
    "\x85",
    "\ufeff",
    "½",
    "Ⅷ",
    "_",
    "-",
    "…",
    "Corp.",
    "𝒳",
    "\xad",
]


@pytest.fixture(scope="module")
def node() -> str:
    path = shutil.which("node")
    if path is None:
        missing("Node.js is not installed.")
    return str(path)


def _tokens_in_javascript(node: str, texts: list[str]) -> list[list[list[int]]]:
    lines = "\n".join(json.dumps(text) for text in texts)
    done = subprocess.run(
        [node, "--input-type=module", "-e", _TOKENS], input=lines, capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_rules_of_the_editor_hold(node: str) -> None:
    done = subprocess.run([node, "--test", str(_FOLDER)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]


@pytest.mark.parametrize("modules", [MODULES, JUDGE_MODULES])
def test_the_modules_are_one_script_that_parses(node: str, tmp_path: Path, modules: tuple[str, ...]) -> None:
    assert {path.stem for path in FRONTEND.glob("*.js")} == {*MODULES, *JUDGE_MODULES}
    bundle = tmp_path / "bundle.mjs"
    bundle.write_text(script(modules), encoding="utf-8")
    assert "import {" not in script(modules)
    done = subprocess.run([node, "--check", bundle], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_words_snap_to_the_tokens_of_the_models(node: str) -> None:
    chance = random.Random(5)
    texts = [" ".join(chance.choices([*_PIECES, "word", "New York"], k=12)) for _ in range(1500)]
    texts += ["".join(chance.choices(_PIECES, k=9)) for _ in range(1500)]
    for text, found in zip(texts, _tokens_in_javascript(node, texts), strict=True):
        assert [tuple(token) for token in found] == tokenize(text), repr(text)


def test_any_text_has_the_same_tokens_in_the_browser(node: str) -> None:
    chance = random.Random(11)
    # Characters that both Unicode tables know: what was added to one of them later is no difference between the two.
    known = [chr(point) for point in range(0x2FA20) if unicodedata.category(chr(point)) not in {"Cs", "Cn", "Co"}]
    texts = ["".join(chance.choices(known, k=40)) for _ in range(7000)]
    for text, found in zip(texts, _tokens_in_javascript(node, texts), strict=True):
        assert [tuple(token) for token in found] == tokenize(text), repr(text)
