"""`make up-production` as a person starts it: nginx before three API processes, on PostgreSQL, Redis and a bucket.

One installation serves all tests of this file; the last of them ends it.
"""

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

from ner.errors import InvalidSetting
from ner.settings import Settings
from registry.bucket import Bucket
from tests.conftest import missing
from tests.deploy.installations import CANARY, STABLE, ProductionWorkbench, furnish, scratch_database
from tests.objects import OwnObjects
from tests.running import ROOT, wait_until
from workbench.gateway import find_nginx
from workbench.production import check_servers

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.redis]

ORIGIN = "https://app.example"
BUCKET = "s3://ner/production"
REDIS = os.environ.get("NER_TEST_REDIS_URL", "redis://127.0.0.1:6379/15")
PREDICT = "/api/v1/ner/predict"
_PACE_SECONDS = 0.02


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: sa.Engine | str
) -> Iterator[ProductionWorkbench]:
    import redis

    if isinstance(postgres_server, str):
        missing(postgres_server)
        return
    try:
        find_nginx()
        redis.Redis.from_url(REDIS, socket_connect_timeout=2).ping()
    except Exception as error:
        missing(str(error))
    folder = tmp_path_factory.mktemp("production")
    (folder / "objects").mkdir()
    with (
        scratch_database(postgres_server) as url,
        OwnObjects(folder / "objects", "ner") as objects,
        pytest.MonkeyPatch.context() as environment,
    ):
        for name, value in objects.environment().items():
            environment.setenv(name, value)
        furnish(folder / "home", url, folder / "draft", artifacts_url=BUCKET, s3_endpoint_url=objects.url)
        shutil.rmtree(folder / "home" / "artifacts")
        given = {"NER_ARTIFACTS_URL": BUCKET, "NER_S3_ENDPOINT_URL": objects.url}
        given["NER_CORS_ORIGINS"] = json.dumps([ORIGIN])
        # That a busy machine sheds load is no matter of these tests.
        given["NER_LONGEST_WAIT_MS"] = "4000"
        workbench = ProductionWorkbench(folder / "home", url, REDIS, **given)
        try:
            workbench.start()
            yield workbench
        finally:
            workbench.stop()


def test_every_part_answers_on_one_origin(running: ProductionWorkbench) -> None:
    with running.client() as client:
        assert client.get("/api/v1/ner/health").json()["status"] == "healthy"
        for path in ("/", "/docs", "/openapi.json", "/v2/health/ready", "/demo/", "/_stcore/health", "/mlflow/"):
            answer = client.get(path)
            assert answer.status_code == 200, path
            assert answer.headers["Strict-Transport-Security"].startswith("max-age=63072000"), path
        # The reader's browser unpacks it; the caller's id and the answer's are one.
        assert client.get("/openapi.json").headers["Content-Encoding"] == "gzip"
        answer = client.post(PREDICT, json={"text": "Ada Byron lives in Oslo ."})
        assert answer.headers["X-Request-ID"] == answer.json()["request_id"]
        assert [found["text"] for found in answer.json()["entities"]] == ["Ada Byron", "Oslo"]
    assert json.loads(running.command("predict", "Ada Byron lives in Oslo .", "--json").stdout)["entities"]


def test_only_tls_1_3_is_spoken_and_plain_http_is_sent_there(running: ProductionWorkbench) -> None:
    with socket.create_connection(("127.0.0.1", running.https_port)) as plain:
        with running.tls().wrap_socket(plain, server_hostname="localhost") as secure:
            assert secure.version() == "TLSv1.3"
    old = running.tls()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", running.https_port)) as plain:
        with pytest.raises(ssl.SSLError, match=r"PROTOCOL_VERSION|protocol version"):
            old.wrap_socket(plain, server_hostname="localhost")
    sent = httpx.get(f"http://127.0.0.1:{running.https_port}/docs?x=1")
    assert (sent.status_code, sent.headers["Location"]) == (308, f"{running.https}/docs?x=1")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind"),
    [
        ("PROPFIND", "/api/v1/ner/health", b"", 405, "method_not_allowed"),
        ("POST", PREDICT, b"x" * (17 * 2**20), 413, "too_large"),
        ("GET", "/api/v1/" + "x" * 20_000, b"", 414, "too_large"),
        ("GET", "/api/v7/ner/health", b"", 404, "not_found"),
        ("GET", "/metrics", b"", 404, "not_found"),
    ],
)
def test_the_gateways_own_refusals_have_the_apis_shape(
    running: ProductionWorkbench, method: str, path: str, body: bytes, status: int, kind: str
) -> None:
    with running.client() as client:
        answer = client.request(method, path, content=body)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert (error["kind"], error["request_id"]) == (kind, answer.headers["X-Request-ID"])
    assert re.fullmatch(r"[0-9a-f]{32}", error["request_id"])


def test_pages_of_an_allowed_origin_may_call_and_others_may_not(running: ProductionWorkbench) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "X-API-Key"}
    with running.client() as client:
        allowed = client.options(PREDICT, headers=asked | {"Origin": ORIGIN})
        assert (allowed.status_code, allowed.headers["Access-Control-Allow-Origin"]) == (204, ORIGIN)
        assert "X-API-Key" in allowed.headers["Access-Control-Allow-Headers"]
        answer = client.post(PREDICT, json={"text": "Oslo ."}, headers={"Origin": ORIGIN})
        assert answer.headers.get_list("Access-Control-Allow-Origin") == [ORIGIN]
        for stranger in ("https://app.example.evil", "https://app-example", "null"):
            answer = client.post(PREDICT, json={"text": "Oslo ."}, headers={"Origin": stranger})
            assert "Access-Control-Allow-Origin" not in answer.headers


def test_mlflow_is_shown_to_signed_in_engineers_alone(running: ProductionWorkbench) -> None:
    made = running.command("keys", "create", "reader", "--role", "viewer", "--json")
    viewer = {"X-API-Key": json.loads(made.stdout)["key"]}
    with running.visitor() as visitor, running.client() as engineer:
        sent = visitor.get("/mlflow/")
        assert (sent.status_code, sent.headers["Location"]) == (302, f"{running.https}/")
        assert visitor.get("/mlflow/", headers=viewer).status_code == 403
        page = engineer.get("/mlflow/")
        assert "<title>MLflow</title>" in page.text
        assert page.headers["Content-Security-Policy"] == "connect-src 'self'", "its pages report to nobody"
        search = "/mlflow/ajax-api/2.0/mlflow/experiments/search"
        assert engineer.post(search, json={"max_results": 5}, headers={"Origin": running.https}).status_code == 200
        assert engineer.post(search, json={}, headers={"Origin": "https://elsewhere.example"}).status_code == 403


def test_the_smoke_test_finds_it_well(running: ProductionWorkbench) -> None:
    command = [sys.executable, "-m", "tests.smoke", running.https, "--seconds", "0"]
    command += ["--certificate", str(running.home / "gateway.crt")]
    environment = {**os.environ, "NER_API_KEY": running.api_key}
    said = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT).stdout
    # How fast it is on a busy machine is no matter of this test.
    assert said.count("ok  ") == 4, said
    assert "20 predictions, 0 failed" in said


def test_the_doctor_finds_every_part_of_it(running: ProductionWorkbench) -> None:
    found = {one["check"]: one for one in json.loads(running.command("doctor", "--json").stdout)["findings"]}
    assert {name: one["finding"] for name, one in found.items() if not one["ok"]}.keys() <= {"backup", "search"}
    assert (found["mlflow"]["finding"], found["redis"]["finding"]) == ("MLflow answers.", "Redis answers.")


def test_a_screen_speaks_through_its_web_socket(running: ProductionWorkbench) -> None:
    address = f"wss://127.0.0.1:{running.https_port}/_stcore/stream"
    with connect(address, ssl=running.tls(), origin=running.https, subprotocols=["streamlit"]) as screen:  # type: ignore[arg-type, list-item]
        asked = BackMsg()
        asked.rerun_script.query_string = ""
        screen.send(asked.SerializeToString())
        kinds = {ForwardMsg.FromString(bytes(screen.recv(60))).WhichOneof("type") for _ in range(3)}
    assert "new_session" in kinds


def test_a_demo_loads_its_parts_from_this_origin(running: ProductionWorkbench) -> None:
    with running.visitor() as visitor:
        assert visitor.get("/demo/config").json()["root"] == f"{running.https}/demo"
        page = visitor.get("/demo/").text
    assert "http://" not in re.sub(r"http://(www\.w3\.org|schemas\.)", "", page.partition("<script")[0])
    assert f'"root":"{running.https}/demo"' in page


def test_files_that_never_change_are_kept_by_the_gateway(running: ProductionWorkbench) -> None:
    with running.visitor() as visitor:
        [script] = re.findall(r'src="\.?(/static/js/index\.[^"]+\.js)"', visitor.get("/").text)
        first, second = visitor.get(script), visitor.get(script)
    assert second.headers["X-Cache"] == "HIT"
    assert second.headers["Cache-Control"] == "public, max-age=86400"
    assert first.content == second.content


@contextmanager
def _callers(running: ProductionWorkbench, count: int = 3) -> Iterator[list[tuple[int, str]]]:
    """People who go on asking; what they were answered: status, and the version or the body."""
    answers: list[tuple[int, str]] = []
    stopping = threading.Event()

    def ask() -> None:
        with running.client() as client:
            while not stopping.is_set():
                answer = client.post(PREDICT, json={"text": f"Ada Byron met {uuid.uuid4().hex} in Oslo ."})
                body = answer.json()
                answers.append((answer.status_code, body.get("model_version") or answer.text))
                stopping.wait(_PACE_SECONDS)

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def _more(answers: list[tuple[int, str]], count: int) -> None:
    before = len(answers)
    wait_until(lambda: len(answers) >= before + count, what=f"{count} more answers")


def test_no_prediction_fails_when_a_replica_is_killed(running: ProductionWorkbench) -> None:
    replicas = running.replicas()
    assert len(replicas) == 3
    with _callers(running) as answers:
        _more(answers, 60)
        os.kill(replicas[1], signal.SIGKILL)
        _more(answers, 60)
        wait_until(lambda: len(set(running.replicas()) - {replicas[1]}) == 3, what="a new replica")
        _more(answers, 60)
    assert {status for status, _ in answers} == {200}, [one for one in answers if one[0] != 200][:3]
    assert re.search(r"The api-\d process ended; it is started again", running.said())


def test_no_prediction_fails_when_a_replica_hangs_and_it_is_started_again(running: ProductionWorkbench) -> None:
    wait_until(lambda: len(running.replicas()) == 3, what="three replicas")
    hung = running.replicas()[0]
    with _callers(running) as answers:
        _more(answers, 20)
        os.kill(hung, signal.SIGSTOP)
        _more(answers, 40)
        wait_until(lambda: hung not in running.replicas(), seconds=180, what="the end of the replica that hangs")
        wait_until(lambda: len(running.replicas()) == 3, what="another one in its place")
        _more(answers, 20)
    assert {status for status, _ in answers} == {200}, [one for one in answers if one[0] != 200][:3]


def test_the_gateway_comes_back_when_it_is_killed(running: ProductionWorkbench) -> None:
    [master] = [pid for pid, said in running.processes().items() if "nginx: master" in said]
    os.kill(master, signal.SIGKILL)

    def is_back() -> bool:
        others = [pid for pid, said in running.processes().items() if "nginx: master" in said and pid != master]
        try:
            return bool(others) and httpx.get(f"{running.url}/gateway/health", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    wait_until(is_back, what="the gateway")


def test_a_person_signs_in_corrects_and_promotes_while_a_replica_dies(running: ProductionWorkbench) -> None:
    with running.visitor() as person:
        signed_in = person.get(running.sign_in_url)
        cookie = signed_in.headers["Set-Cookie"]
        assert (signed_in.status_code, "Secure" in cookie, "HttpOnly" in cookie) == (303, True, True)
        person.headers["X-Requested-With"] = "workbench"
        line = {"text": "Ada Byron lives in Oslo .", "spans": [{"start": 4, "end": 9, "label": "per"}]}
        person.post("/api/v1/datasets/news/import", content=json.dumps(line).encode()).raise_for_status()

        task = person.get("/api/v1/tasks/next", params={"dataset": "news"}).raise_for_status().json()["document"]
        correction = {
            "base_revision": task["revision"],
            "operation_id": uuid.uuid4().hex,
            "spans": [{"start": 0, "end": 9, "label": "per"}],
        }
        saved = person.post(f"/api/v1/documents/{task['id']}/annotations", json=correction)
        assert saved.status_code == 201, saved.text

        with _callers(running, 2) as answers:
            _more(answers, 20)
            assert {version for _, version in answers} <= {STABLE, CANARY}
            os.kill(running.replicas()[2], signal.SIGKILL)
            person.post("/api/v1/rollout/promote", json={"reason": "it found more"}).raise_for_status()
            wait_until(lambda: _last_versions(answers) == {CANARY}, what="the new version from every replica")
        assert {status for status, _ in answers} == {200}
        trail = [entry["action"] for entry in person.get("/api/v1/audit").raise_for_status().json()["entries"]]
    assert any("promote" in action for action in trail)
    assert running.command("audit", "verify", "--json").returncode == 0


def _last_versions(answers: list[tuple[int, str]]) -> set[str]:
    return {version for _, version in answers[-30:]}


def test_mlflow_is_told_of_the_versions_and_who_answers(running: ProductionWorkbench) -> None:
    alias = "/mlflow/ajax-api/2.0/mlflow/registered-models/alias"
    with running.client() as client:

        def stable() -> str:
            found = client.get(alias, params={"name": "ner", "alias": "stable"}).json().get("model_version", {})
            return next((tag["value"] for tag in found.get("tags", ()) if tag["key"] == "version"), "")

        wait_until(lambda: stable() == CANARY, seconds=240, what="MLflow's alias")
    kept = Bucket(BUCKET, running.environment["NER_S3_ENDPOINT_URL"]).keys()
    # Packages are the workbench's, models MLflow's; both are on no machine but the bucket's.
    assert {key.split("/")[0] for key in kept} == {"versions", "mlflow"}
    assert [key for key in kept if key.endswith("python_model.py") or key.endswith("MLmodel")]
    assert not (running.home / "mlartifacts").exists()


def test_guessing_keys_is_slowed_at_the_gateway(running: ProductionWorkbench) -> None:
    with running.visitor() as visitor:
        answers = [visitor.post("/api/v1/session", json={"key": "ner_wrong"}) for _ in range(40)]
    turned_away = [one for one in answers if one.status_code == 429 and "from this address" in one.text]
    assert turned_away
    assert {one.headers["Retry-After"] for one in turned_away} == {"1"}
    assert {one.status_code for one in answers} <= {401, 429}


def test_nothing_secret_is_in_the_list_of_processes_or_in_a_log(running: ProductionWorkbench) -> None:
    token = running.sign_in_url.partition("token=")[2]
    secrets = [token, running.api_key, (running.home / "secret.key").read_text().strip()]
    password = sa.engine.make_url(running.environment["NER_DATABASE_URL"]).password
    secrets += [password] if password else []
    seen = " ".join(running.processes().values())
    seen += " ".join(path.read_text(errors="replace") for path in (running.home / "logs").iterdir())
    assert [secret for secret in secrets if secret in seen] == []
    assert (running.home / "gateway.key").stat().st_mode & 0o077 == 0


def test_nothing_is_left_when_it_is_stopped(running: ProductionWorkbench) -> None:
    assert running.processes()
    running.stop()
    assert running.processes() == {}
    assert "Stopped." in running.said()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "Production runs on PostgreSQL. Set NER_DATABASE_URL"),
        ({"database_url": "postgresql+psycopg2://nobody@127.0.0.1:1/none"}, "Set NER_REDIS_URL"),
        (
            {"database_url": "postgresql+psycopg2://nobody@127.0.0.1:1/none", "redis_url": "redis://x"},
            "NER_DATABASE_URL does not answer",
        ),
    ],
    ids=["no database", "no redis", "a database that is away"],
)
def test_what_is_missing_is_said_in_one_sentence(tmp_path: Path, given: dict[str, str], sentence: str) -> None:
    with pytest.raises(InvalidSetting, match=sentence):
        check_servers(Settings(_env_file=None, home=tmp_path, **given))  # type: ignore[call-arg, arg-type]
