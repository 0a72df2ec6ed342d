"""`workbench up` as a person runs it: real processes, real kills, nothing left behind."""

import json
import os
import signal
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.running import COMMAND, RunningWorkbench, wait_until
from training.starter_corpus import generate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorkbench]:
    workbench = RunningWorkbench(tmp_path_factory.mktemp("up") / "home")
    workbench.start()
    yield workbench
    workbench.stop()


def _process(running: RunningWorkbench, words: str) -> int:
    return next(pid for pid, line in running.processes().items() if words in line)


def _corpus(folder: Path, documents: int) -> Path:
    path = folder / "news.jsonl"
    lines = [
        {"text": one.text, "spans": [{"start": s.start, "end": s.end, "label": s.label} for s in one.spans]}
        for one in generate(documents, seed=5)
    ]
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return path


def test_every_part_answers_on_one_origin(running: RunningWorkbench) -> None:
    with running.client() as client:
        assert client.get("/api/v1/ner/health").json()["status"] == "healthy"
        for path in ("/", "/docs", "/openapi.json", "/metrics", "/v2/health/ready", "/demo/", "/_stcore/health"):
            assert client.get(path, follow_redirects=True).status_code == 200, path
    said = running.said()
    for part in ("Workbench", "API", "Docs", "Demos", "MLflow", "Worker", "Sign in, once"):
        assert part in said


def test_the_starter_model_knows_the_first_sentences_that_people_try(running: RunningWorkbench) -> None:
    expected = {
        "John lives in New York": {("John", "per"), ("New York", "geo")},
        "Apple Inc is in California": {("Apple Inc", "org"), ("California", "geo")},
        "Barack Obama was president": {("Barack Obama", "per")},
        "Google acquired YouTube": {("Google", "org"), ("YouTube", "org")},
    }
    with running.client() as client:
        found = {
            text: {
                (e["text"], e["label"])
                for e in client.post("/api/v1/ner/predict", json={"text": text}).json()["entities"]
            }
            for text in expected
        }
    assert found == expected


def test_a_sign_in_link_works_once(running: RunningWorkbench) -> None:
    with running.client() as client:
        del client.headers["X-API-Key"]
        first = client.get(running.sign_in_url)
        assert first.status_code in {302, 303, 307}
        assert "ner_session" in first.cookies
        client.cookies.clear()
        assert client.get(running.sign_in_url).status_code == 401


def test_commands_keep_their_contract(running: RunningWorkbench, tmp_path: Path) -> None:
    def run(*arguments: str) -> dict[str, object]:
        done = running.command(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    assert run("keys", "create", "app", "--role", "viewer", "--rate-limit", "none").keys() >= {"id", "key"}
    corpus = _corpus(tmp_path, 300)
    imported = run("import", str(corpus), "--dataset", "news")
    assert imported.keys() >= {"dataset", "format", "documents", "added", "skipped", "entities"}
    assert imported["added"] == 300
    assert run("import", str(corpus), "--dataset", "news")["added"] == 0
    exported = run("export", "--dataset", "news", "--format", "conll", "--output", str(tmp_path / "news.conll"))
    assert exported.keys() >= {"documents", "entities", "losses"}
    scores = run("evaluate", str(corpus), "--version", "stable")
    assert scores.keys() >= {"f1", "precision", "recall", "per_label", "documents", "entities"}
    assert run("predict", "John lives in New York").keys() >= {"entities", "model_version", "variant", "request_id"}
    versions = run("versions")["versions"]
    assert isinstance(versions, list)
    assert versions[0].keys() >= {"version", "recipe", "aliases", "f1"}
    assert run("audit", "verify")["ok"] is True
    simulated = run("simulate", "--error-rate", "0.05", "--rate", "50", "--runs", "50")
    assert simulated.keys() >= {"promoted", "rolled_back", "undecided", "median_requests_to_verdict"}
    assert run("bulk", str(corpus), str(tmp_path / "out.jsonl"))["documents"] == 300
    assert run("doctor")["ok"] is True
    assert run("backup", str(tmp_path / "backup.tar.gz"))["files"]
    refused = running.command("promote", "--json")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "no canary to promote" in refused.stderr
    assert running.command("train").returncode == 2


def test_more_than_can_be_answered_in_time_is_refused_at_the_socket(running: RunningWorkbench) -> None:
    answers: list[httpx.Response] = []
    refused = threading.Event()

    def call() -> None:
        with running.client() as caller:
            while not refused.is_set():
                once = uuid.uuid4().hex
                texts = [f"Maria Silva left Oslo on Monday and met John Smith, {once} {n}." for n in range(256)]
                answer = caller.post("/api/v1/ner/batch", json={"texts": texts})
                answers.append(answer)
                # The server names itself in every answer that goes through it.
                if answer.status_code == 503 and "server" not in answer.headers:
                    refused.set()

    callers = [threading.Thread(target=call) for _ in range(12)]
    for caller in callers:
        caller.start()
    came = refused.wait(60)
    refused.set()
    for caller in callers:
        caller.join()
    assert came, "nothing was refused"
    assert {answer.status_code for answer in answers} <= {200, 503}
    with running.client() as client:
        assert client.get("/", timeout=60).status_code == 200
        wait_until(
            lambda: client.post("/api/v1/ner/predict", json={"text": "Oslo"}).status_code == 200, what="an answer"
        )


def test_no_call_fails_while_a_version_is_trained_promoted_and_rolled_back(
    running: RunningWorkbench, tmp_path: Path
) -> None:
    """And the worker is killed in the middle of the training: the run is taken up again."""
    with running.client() as client:
        client.post("/api/v1/datasets/story/import", content=_corpus(tmp_path, 400).read_bytes()).raise_for_status()
        stopping, answers = threading.Event(), []

        def call() -> None:
            with running.client() as caller:
                while not stopping.is_set():
                    body = {"text": f"Maria Silva left {uuid.uuid4().hex} for Oslo."}
                    answer = caller.post("/api/v1/ner/predict", json=body)
                    answers.append((answer.status_code, answer.json().get("model_version")))

        callers = [threading.Thread(target=call) for _ in range(2)]
        for caller in callers:
            caller.start()
        body = {"dataset": "story", "recipe": "bilstm_crf.v1", "parameters": {"epochs": 3, "members": 1}}
        run = client.post("/api/v1/runs", json=body).raise_for_status().json()

        def now() -> dict[str, object]:
            return dict(client.get(f"/api/v1/runs/{run['id']}").json())

        wait_until(lambda: now()["status"] == "running", what="the run")
        os.kill(_process(running, "-m training worker"), signal.SIGKILL)
        wait_until(lambda: now()["status"] not in {"queued", "running"}, seconds=240, what="the end of the run")
        finished = now()
        assert finished["status"] == "finished", finished
        version = finished["version"]
        client.post("/api/v1/rollout/canary", json={"version": version, "percent": 50}).raise_for_status()
        wait_until(lambda: (200, version) in answers[-200:], what="an answer of the canary")
        client.post("/api/v1/rollout/promote", json={}).raise_for_status()
        wait_until(lambda: {seen for _, seen in answers[-20:]} == {version}, what="answers of the new version alone")
        client.post("/api/v1/rollout/rollback", json={}).raise_for_status()
        wait_until(lambda: version not in {seen for _, seen in answers[-20:]}, what="answers of the old version alone")
        stopping.set()
        for caller in callers:
            caller.join()
        assert {status for status, _ in answers} == {200}
        registered = client.get("/api/v1/versions").json()["versions"]
        assert [one["version"] for one in registered].count(version) == 1


def test_nothing_saved_is_lost_when_the_door_and_the_launcher_are_killed(running: RunningWorkbench) -> None:
    with running.client() as client:
        task = client.get("/api/v1/tasks/next", params={"dataset": "starter"}).json()
        document = task["document"]
        correction = {
            "base_revision": document["revision"],
            "spans": [],
            "operation_id": uuid.uuid4().hex,
        }
        saved = client.post(f"/api/v1/documents/{document['id']}/annotations", json=correction)
        assert saved.status_code == 201
        versions = _registered(client)
        os.kill(_process(running, "workbench.door"), signal.SIGKILL)
        wait_until(lambda: _is_healthy(running), what="the door, started again")
        assert client.get(f"/api/v1/documents/{document['id']}").json()["revision"] == saved.json()["revision"]
        os.kill(_process(running, "registry.mlflow_server"), signal.SIGKILL)
        wait_until(lambda: "The mlflow process ended" in running.said(), what="MLflow, started again")

    running.kill()
    wait_until(lambda: not running.processes(), what="the end of the orphans")
    running.start()
    with running.client() as client:
        assert client.get(f"/api/v1/documents/{document['id']}").json()["revision"] == saved.json()["revision"]
        assert _registered(client) == versions


def _registered(client: httpx.Client) -> list[dict[str, object]]:
    """Every version, without the one thing that MLflow may be told later."""
    versions = client.get("/api/v1/versions").json()["versions"]
    return [{name: value for name, value in one.items() if name != "mlflow_run_id"} for one in versions]


def _is_healthy(running: RunningWorkbench) -> bool:
    try:
        return bool(httpx.get(f"{running.url}/api/v1/ner/health", timeout=2).json()["status"] == "healthy")
    except (httpx.HTTPError, ValueError):
        return False


def test_ctrl_c_leaves_no_process_and_a_second_start_needs_no_training(running: RunningWorkbench) -> None:
    running.stop()
    assert running.processes() == {}
    running.start()
    assert "training the starter model" not in running.said()
    running.stop()
    assert running.processes() == {}


def test_a_broken_setting_is_one_sentence(tmp_path: Path) -> None:
    import subprocess

    environment = {**os.environ, "NER_HOME": str(tmp_path), "NER_PORT": "eighty"}
    done = subprocess.run([COMMAND, "up"], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1
    assert "NER_PORT is 'eighty'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
