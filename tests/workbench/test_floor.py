"""The screens reach the API by HTTP, and nothing else of the house but the ground floor's nouns and the figures."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "module", ["workbench.app", "workbench.demos.demo", "workbench.api_client", "workbench.preload"]
)
def test_no_room_behind_the_api_is_loaded_with_the_screens(module: str) -> None:
    script = (
        f"import {module}, sys\n"
        "rooms = ('api', 'registry', 'annotation', 'training')\n"
        "print(sorted(name for name in sys.modules if name.split('.')[0] in rooms), 'ner.database' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] False"


def test_streamlit_sends_no_usage_statistics_and_shows_no_stack_traces() -> None:
    path = ROOT / "workbench/entry/.streamlit/config.toml"
    settings = tomllib.loads(path.read_text(encoding="utf-8"))
    assert settings["browser"]["gatherUsageStats"] is False
    assert settings["client"]["showErrorDetails"] == "none"


def test_what_draws_the_pages_is_loaded_after_the_screens_answer() -> None:
    """Loading it first would make everybody wait at the start; loading it at the first visit, whoever comes first."""
    script = (
        "import sys, threading\n"
        "from fastapi.testclient import TestClient\n"
        "from workbench.screens import create_screens\n"
        "heavy = ('plotly.graph_objs._bar', 'workbench.app', 'pyarrow')\n"
        "before = [name in sys.modules for name in heavy[:2]]\n"
        "with TestClient(create_screens('http://127.0.0.1:9')):\n"
        "    [one.join() for one in threading.enumerate() if one.name == 'preload']\n"
        "print(before, [name in sys.modules for name in heavy])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[False, False] [True, True, True]"
    assert "could not be loaded" not in done.stderr
