"""What no container engine can try here is held against its schema and against the code."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from ner.settings import Settings
from tests.conftest import missing

ROOT = Path(__file__).parents[2]
DOCKERFILES = sorted((ROOT / "deploy").glob("*.Dockerfile"))


def _compose() -> dict[str, dict[str, dict[str, object]]]:
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text()))


def test_the_compose_file_follows_the_compose_specification() -> None:
    command = ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(ROOT / "docker-compose.yml")]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, env=_venv_first())
    assert checked.returncode == 0, checked.stdout


def test_every_variable_that_a_process_gets_is_a_setting() -> None:
    known = {f"NER_{name.upper()}" for name in Settings.model_fields}
    given = {
        name
        for service in ("api", "worker", "workbench", "migrate")
        for name in dict(_compose()["services"][service]["environment"])  # type: ignore[call-overload]
    }
    assert given - known == set()


def test_every_image_is_pinned_to_a_version() -> None:
    images = [str(service["image"]) for service in _compose()["services"].values()]
    assert [image for image in images if not re.search(r":\d+(\.\d+)*(-\w+)?$", image)] == []


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_a_dockerfile_copies_only_what_is_there_and_runs_as_a_plain_user(dockerfile: Path) -> None:
    lines = dockerfile.read_text().splitlines()
    sources = [
        source for line in lines if line.startswith("COPY ") and "--from" not in line for source in line.split()[1:-1]
    ]
    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert "USER ner" in lines


def test_the_api_image_holds_no_tensorflow_and_no_mlflow() -> None:
    locked = (ROOT / "deploy" / "requirements" / "api.txt").read_text()
    assert re.findall(r"^(tensorflow|keras|mlflow|streamlit|gradio)\b", locked, re.MULTILINE) == []


def test_nginx_accepts_the_gateway_configuration(tmp_path: Path) -> None:
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    if not os.access(nginx, os.X_OK):
        missing("nginx is not installed.")
    # The services' names resolve only inside the compose network.
    text = (ROOT / "deploy/gateway/nginx.conf").read_text()
    text = text.replace("server api:8000", "server 127.0.0.1:8000").replace("workbench:8000", "127.0.0.1:8001")
    text = text.replace("/tmp/", f"{tmp_path}/")
    (tmp_path / "nginx.conf").write_text(text)
    command = [nginx, "-t", "-q", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def _venv_first() -> dict[str, str]:
    import sys

    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
