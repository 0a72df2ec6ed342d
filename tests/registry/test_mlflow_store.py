import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ner.database import utc_now
from ner.errors import NotFound
from ner.scoring import performance
from registry.packages import package_digest
from registry.recipes import get_recipe
from registry.rollout import Rollout
from registry.taggers import load_tagger
from registry.versions import VersionRecord
from tests.builders import a_version
from tests.training.small_corpus import TINY, small_corpus

pytestmark = [
    pytest.mark.slow,
    # Not ours to mend: MLflow's own use of other libraries.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
]


@dataclass(frozen=True)
class Trained:
    """A package that a tiny network was really trained for, and what is known about it."""

    record: VersionRecord
    package: Path
    history: list[dict[str, float]]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    from training.fitting import fit

    corpus, package = small_corpus(), tmp_path_factory.mktemp("package")
    recipe = get_recipe("bilstm_crf.v1", TINY)
    fitted = fit(recipe, corpus[:180], corpus[180:200], ["geo", "per", "tim"], package, lambda _: None, lambda: False)
    test = corpus[200:]
    found = [answer.spans for answer in load_tagger(package).tag([document.text for document in test])]
    figures = performance([document.spans for document in test], found) | {
        "splits": {"train": 180, "dev": 20, "test": 20}
    }
    (package / "performance.json").write_text(json.dumps(figures))
    facts = {"performance": figures, "hyperparameters": dict(recipe.parameters), "labels": ["geo", "per", "tim"]}
    return Trained(a_version(**facts, package_hash=package_digest(package)), package, fitted.history)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture(scope="session")
def store(home: Path) -> Any:
    """One store for all tests of this file: to import MLflow and to make its tables takes seconds."""
    from registry.mlflow_store import MlflowStore

    return MlflowStore(f"sqlite:///{home / 'mlflow.db'}", home / "artifacts")


@pytest.fixture(scope="session")
def logged(store: Any, trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Any:
    from training.pictures import draw_pictures

    pictures = draw_pictures(trained.record.performance, trained.history, tmp_path_factory.mktemp("pictures"))
    return _log(store, trained, trained.record, pictures)


def _log(store: Any, trained: Trained, record: VersionRecord, pictures: list[Path] | None = None) -> Any:
    snapshot = trained.package / "snapshot.jsonl.gz"
    return store.log_version(
        record, trained.package, snapshot=snapshot, history=trained.history, pictures=pictures or []
    )


def _client(store: Any) -> Any:
    return store.client


def test_the_run_in_mlflow_holds_parameters_figures_pictures_data_and_lineage(
    store: Any, trained: Trained, logged: Any
) -> None:
    run = _client(store).get_run(logged.mlflow_run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["lstm_units"] == str(TINY["lstm_units"])
    assert run.data.metrics["test_f1_score"] == trained.record.performance["f1"]
    assert run.data.metrics["test_f1_score/per"] == trained.record.performance["per_label"]["per"]["f1"]
    for name in ("git_commit", "trained_by", "dataset", "data_version", "recipe", "version"):
        assert run.data.tags[name] == getattr(trained.record, name)
    curve = _client(store).get_metric_history(logged.mlflow_run_id, "f1_score")
    assert [(point.step, point.value) for point in curve] == [(item["epoch"], item["f1"]) for item in trained.history]
    assert len(_client(store).get_metric_history(logged.mlflow_run_id, "train_loss")) == len(trained.history)
    files = {file.path for file in _client(store).list_artifacts(logged.mlflow_run_id)}
    assert files >= {
        "confusion_matrix.png",
        "training_history.png",
        "reliability.png",
        "metadata.json",
        "performance.json",
    }
    (data,) = run.inputs.dataset_inputs
    assert data.dataset.digest == trained.record.data_version[:36]
    assert data.dataset.name == trained.record.dataset


def test_the_registered_model_answers_through_pyfunc_as_the_package_does(trained: Trained, logged: Any) -> None:
    import mlflow

    model = mlflow.pyfunc.load_model(f"models:/ner/{logged.mlflow_version}")
    texts = ["Klara Dan lives in New Delhi .", "", "On Monday \U0001f600 the rain reached Oslo ."]
    answers = model.predict(texts)
    for text, answer, expected in zip(texts, answers, load_tagger(trained.package).tag(texts), strict=True):
        assert answer == {
            "entities": [
                {
                    "text": text[span.start : span.end],
                    "label": span.label,
                    "start": span.start,
                    "end": span.end,
                    "confidence": span.confidence,
                }
                for span in expected.spans
            ]
        }
    assert any(answer["entities"] for answer in answers)
    assert model.metadata.signature.inputs.to_dict() == [{"type": "string", "required": True}]
    assert model.metadata.saved_input_example_info is not None


@pytest.mark.heavy
def test_the_registered_model_answers_and_is_served_where_only_its_own_requirements_are_installed(
    trained: Trained, logged: Any, tmp_path: Path
) -> None:
    import mlflow

    folder = Path(mlflow.artifacts.download_artifacts(f"models:/ner/{logged.mlflow_version}"))
    python = _environment_of(folder / "requirements.txt", tmp_path / "environment")
    texts = ["Klara Dan lives in New Delhi .", "On Monday \U0001f600 the rain reached Oslo ."]
    clean = {"PATH": f"{python.parent}:/usr/bin:/bin", "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    clean |= {"HOME": str(tmp_path), "MLFLOW_DISABLE_TELEMETRY": "true"}
    script = (
        "import importlib.util, json, sys, mlflow\n"
        "assert not any(importlib.util.find_spec(name) for name in ('tensorflow', 'keras', 'spacy', 'training'))\n"
        "print(json.dumps(mlflow.pyfunc.load_model(sys.argv[1]).predict(json.loads(sys.argv[2]))))"
    )
    answered = subprocess.run(
        [python, "-c", script, folder, json.dumps(texts)], cwd=tmp_path, env=clean, capture_output=True, text=True
    )
    assert answered.returncode == 0, answered.stderr
    expected = [
        [(span.label, span.start, span.end, span.confidence) for span in answer.spans]
        for answer in load_tagger(trained.package).tag(texts)
    ]
    assert [_spans(one) for one in json.loads(answered.stdout.splitlines()[-1])] == expected
    served = _ask_a_server(python, folder, texts, clean, tmp_path)
    assert [_spans(one) for one in served["predictions"]] == expected
    assert all(expected)


def _spans(answer: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(one["label"], one["start"], one["end"], one["confidence"]) for one in answer["entities"]]


def _environment_of(requirements: Path, target: Path) -> Path:
    """A new environment with these requirements and nothing else; its Python."""
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists():
        if os.environ.get("CI"):
            pytest.fail("uv is missing.")
        pytest.skip("uv is not installed beside this Python; `make test` installs it")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, target], check=True)
    python = target / "bin" / "python"
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, "-r", requirements], check=True)
    return python


def _ask_a_server(python: Path, folder: Path, texts: list[str], environment: dict[str, str], where: Path) -> Any:
    port = _free_port()
    command = [python, "-m", "mlflow", "models", "serve", "--env-manager", "local", "-m", folder, "-p", str(port)]
    with subprocess.Popen(command, cwd=where, env=environment, start_new_session=True) as server:
        try:
            _until_it_answers(server, port)
            question = urllib.request.Request(
                f"http://127.0.0.1:{port}/invocations",
                data=json.dumps({"inputs": texts}).encode(),
                headers={"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(question, timeout=60) as answer:
                return json.load(answer)
        finally:
            os.killpg(server.pid, signal.SIGTERM)


def test_the_registered_model_holds_no_pickle_and_carries_its_version(store: Any, logged: Any, home: Path) -> None:
    found = _client(store).get_model_version("ner", logged.mlflow_version)
    assert found.tags["version"] == "1.0.0"
    files = [path for path in (home / "artifacts").rglob("*") if path.is_file()]
    assert any(path.name == "model.onnx" for path in files)
    assert [path for path in files if path.suffix in {".pkl", ".pickle", ".joblib"}] == []


def test_a_version_is_found_again_when_it_is_logged_twice(store: Any, trained: Trained, logged: Any) -> None:
    assert _log(store, trained, trained.record) == logged


def test_a_version_is_logged_anew_when_a_process_died_while_logging_it(store: Any, trained: Trained) -> None:
    import mlflow

    record = a_version("1.3.0", performance=trained.record.performance, package_hash="a" * 64)
    mlflow.set_experiment("ner-workbench")
    with (
        pytest.raises(ZeroDivisionError),
        mlflow.start_run(tags={"version": "1.3.0", "package_hash": "a" * 64}) as half,
    ):
        raise ZeroDivisionError
    again = _log(store, trained, record)
    assert again.mlflow_run_id != half.info.run_id
    assert _client(store).get_run(half.info.run_id).info.lifecycle_stage == "deleted"
    models = _client(store).search_model_versions("name = 'ner'")
    assert [model.run_id for model in models if model.tags.get("version") == "1.3.0"] == [again.mlflow_run_id]


def test_the_aliases_follow_the_rollout_and_nothing_changes_when_it_is_mirrored_twice(
    store: Any, trained: Trained, logged: Any
) -> None:
    second = _log(store, trained, a_version("1.1.0", performance=trained.record.performance, package_hash="b" * 64))
    one, two = logged.mlflow_version, second.mlflow_version

    def aliases() -> dict[str, str]:
        return {name: str(number) for name, number in _client(store).get_registered_model("ner").aliases.items()}

    for state, expected in (
        (_rollout("1.0.0", "1.1.0", None), {"stable": one, "canary": two}),
        (_rollout("1.1.0", None, "1.0.0"), {"stable": two, "previous": one}),
        (_rollout("1.0.0", None, "1.1.0"), {"stable": one, "previous": two}),
        (_rollout("9.9.9", None, None), {}),
    ):
        store.mirror_aliases(state)
        assert aliases() == expected
        store.mirror_aliases(state)
        assert aliases() == expected


def test_a_server_beside_the_same_store_serves_the_run_and_its_model(logged: Any, home: Path) -> None:
    import mlflow

    port = _free_port()
    command = [sys.executable, "-m", "registry.mlflow_server", "127.0.0.1", str(port)]
    with subprocess.Popen([*command, f"sqlite:///{home / 'mlflow.db'}", str(home / "artifacts")]) as server:
        try:
            client = mlflow.MlflowClient(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port}")
            _until_it_answers(server, port)
            assert client.get_run(logged.mlflow_run_id).info.status == "FINISHED"
            picture = client.download_artifacts(logged.mlflow_run_id, "confusion_matrix.png", str(home))
            assert Path(picture).read_bytes().startswith(b"\x89PNG")
            assert client.get_model_version("ner", logged.mlflow_version).tags["version"] == "1.0.0"
        finally:
            server.terminate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _until_it_answers(server: "subprocess.Popen[bytes]", port: int) -> None:
    pause = threading.Event()
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        assert server.poll() is None
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            pause.wait(0.1)
        else:
            return
    raise NotFound("The MLflow server did not start.")


def _rollout(stable: str | None, canary: str | None, previous: str | None) -> Rollout:
    return Rollout(1, stable, canary, previous, 5.0, "", "", "", "ada", utc_now())
