"""The floor plan: every room is in it, modules stay small, and no name says nothing."""

import ast
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]
MODULES = sorted(
    path for room in ROOMS for path in (ROOT / room).rglob("*.py") if "migrations/versions" not in str(path)
)
EMPTY_WORDS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "handler", "handlers", "data", "info"}
_LINES, _FUNCTION_LINES = 300, 60


def test_every_package_at_the_top_is_a_room_of_the_plan() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages - {"tests"} == set(ROOMS)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_holds_one_idea(module: Path) -> None:
    source = module.read_text(encoding="utf-8")
    assert source.count("\n") <= _LINES, f"{module.name} has more than {_LINES} lines"
    assert module.stem not in EMPTY_WORDS
    assert module.stem not in sys.stdlib_module_names - {"audit"} or module.parent.name != "workbench"
    long = [
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _length(node) > _FUNCTION_LINES
    ]
    assert long == []


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_the_api_never_imports_tensorflow_or_mlflow() -> None:
    import subprocess

    script = (
        "import sys; import api.main; import registry.onnx_tagger; "
        "print([name for name in ('tensorflow', 'keras', 'mlflow', 'streamlit', 'gradio') if name in sys.modules])"
    )
    seen = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert seen.stdout.strip() == "[]"
