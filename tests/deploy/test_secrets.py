"""No secret leaves its place: planted in every setting that holds one, and searched for wherever else it could be.

Both kinds of installation run as a person starts them; people and programs sign in rightly and wrongly, everything that
an installation depends on fails, and processes die.
"""

import base64
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import boto3
import httpx
import pytest
import redis
import sqlalchemy as sa

from registry.bucket import Bucket
from tests.conftest import missing
from tests.deploy.installations import ProductionWorkbench, furnish, scratch_database
from tests.objects import OwnObjects
from tests.running import RunningWorkbench, wait_until
from tests.secrecy import Echo, ProcessList, Secrets, files, own_redis, remembered, rows

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.redis]

BUCKET = "s3://ner/production"
MEANT = {
    # The launcher prints a link that works once, for whoever started it.
    ("token of the first sign-in", "what it printed"),
    # Where a webhook goes is shown to administrators, who gave it.
    ("address of a webhook", "public.webhooks"),
    ("address of a webhook", "workbench.db"),
    ("address of a webhook", "workbench.db-wal"),
}


class Site(NamedTuple):
    """An installation, what it depends on, and what is secret about it."""

    workbench: RunningWorkbench
    secrets: Secrets
    echo: Echo
    listed: ProcessList
    database_url: str
    link: Any
    objects: OwnObjects | None
    take_away: Callable[[], None]

    @property
    def address(self) -> str:
        """Where people go."""
        return self.workbench.https if isinstance(self.workbench, ProductionWorkbench) else self.workbench.url

    def visitor(self) -> httpx.Client:
        """HTTP as a browser that nobody knows."""
        verify = self.workbench.tls() if isinstance(self.workbench, ProductionWorkbench) else True
        return httpx.Client(base_url=self.address, verify=verify, timeout=60)


def _given(secrets: Secrets, echo: Echo, folder: Path) -> dict[str, str]:
    """Every setting that holds a secret and is no server's."""
    return {
        "NER_SECRET_KEY": secrets.plant("NER_SECRET_KEY"),
        "NER_OLD_SECRET_KEYS": json.dumps([secrets.plant("NER_OLD_SECRET_KEYS")]),
        "NER_OIDC_ISSUER": echo.url,
        "NER_OIDC_CLIENT_ID": "workbench",
        "NER_OIDC_CLIENT_SECRET": secrets.plant("NER_OIDC_CLIENT_SECRET"),
        "NER_BACKUP_REPOSITORY": str(folder / "backups"),
        "NER_BACKUP_PASSWORD": secrets.plant("NER_BACKUP_PASSWORD"),
        "NER_WEBHOOK_PRIVATE_ADDRESSES": "true",
        "NER_ENDPOINT_PRIVATE_ADDRESSES": "true",
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture(params=[pytest.param("embedded", marks=pytest.mark.heavy), "production"])
def site(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_server: sa.Engine | str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    if isinstance(postgres_server, str):
        missing(postgres_server)
        return
    path = f"{os.environ['PATH']}:/usr/sbin"
    if absent := [name for name in ("nginx", "redis-server", "restic") if shutil.which(name, path=path) is None]:
        missing(f"Not installed: {', '.join(absent)}.")
    secrets, home, objects = Secrets(), tmp_path / "home", None
    with ExitStack() as stack:
        echo, listed = stack.enter_context(Echo()), stack.enter_context(ProcessList())
        plain = stack.enter_context(scratch_database(postgres_server))
        password = secrets.plant("password of Redis")
        where, redis_process = stack.enter_context(own_redis(tmp_path, password))
        given = _given(secrets, echo, tmp_path) | {"NER_REDIS_URL": f"redis://:{quote(password, safe='')}@{where}/0"}
        url = _with_password(sa.engine.make_url(plain), secrets.plant("password of the database"))
        workbench: RunningWorkbench
        if request.param == "production":
            (tmp_path / "objects").mkdir()
            secret = secrets.plant("AWS_SECRET_ACCESS_KEY")
            objects = stack.enter_context(OwnObjects(tmp_path / "objects", "ner", secret))
            for name, value in objects.environment().items():
                monkeypatch.setenv(name, value)
            # It keeps the first keys that it saw, for every later test of this process.
            monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
            given |= {"NER_ARTIFACTS_URL": BUCKET, "NER_S3_ENDPOINT_URL": objects.url, "NER_API_REPLICAS": "1"}
            furnish(home, plain, tmp_path / "draft", artifacts_url=BUCKET, s3_endpoint_url=objects.url)
            workbench = ProductionWorkbench(home, url, given.pop("NER_REDIS_URL"), **given)
        else:
            furnish(home, f"sqlite:///{home / 'workbench.db'}", tmp_path / "draft")
            workbench = RunningWorkbench(home, given | {"NER_MLFLOW_URL": url})
        workbench.start()
        stack.callback(workbench.stop)

        def take_away() -> None:
            redis_process.kill()
            if objects is not None:
                objects.kill()
            name = sa.engine.make_url(plain).database
            with postgres_server.connect() as connection:
                connection.execute(sa.text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
                ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
                connection.execute(sa.text(ended), {"name": name})

        port = int(where.rpartition(":")[2])
        link = redis.Redis(port=port, password=password)
        yield Site(workbench, secrets, echo, listed, plain, link, objects, take_away)


def _with_password(url: sa.URL, password: str) -> str:
    host = f"{url.host}:{url.port}" if url.port else url.host
    return f"postgresql+psycopg2://{url.username}:{quote(password, safe='')}@{host}/{url.database}"


def test_no_secret_leaves_its_place(site: Site) -> None:
    site.secrets.note("key of the administrator", site.workbench.api_key)
    site.secrets.note("token of the first sign-in", site.workbench.sign_in_url.partition("token=")[2])
    with site.workbench.client() as admin, site.visitor() as visitor:
        made = _make_more(site, admin)
        answers = [*_right_and_wrong(site, visitor, made), *_of_strangers(admin, made), *_pages(site, admin)]
        kept = [*files(site.workbench.home), *rows(site.database_url), *remembered(site.link)]
        if site.objects is not None:
            assert site.workbench.command("backup").returncode == 0
            assert any(b"restic" in line for line in site.listed.lines)
            kept += _objects(site.objects)
        for log in site.workbench.home.glob("logs/*.log"):
            if log.name.startswith(("api", "workbench", "worker")):
                assert [line for line in log.read_text().splitlines() if not line.startswith("{")] == [], log.name
        answers += _while_all_fails(site, visitor, admin)
    told = "".join(site.echo.heard)
    assert base64.b64encode(b"workbench:planted")[:20].decode() in told, "the provider got the client's secret"
    assert "Bearer planted" in told, "the language model got the endpoint's key"
    assert len(site.listed.lines) > 10
    assert len(kept) > 20

    found = set[tuple[str, str]]()
    logs = [*files(site.workbench.home), ("what it printed", site.workbench.said().encode())]
    for where, content in [*kept, *answers, *logs, *(("a command line", line) for line in site.listed.lines)]:
        found |= site.secrets.found_in(where, content)

    assert found - MEANT == set(), "\n".join(f"{name}: in {where}" for name, where in sorted(found - MEANT))


class Made(NamedTuple):
    """What was made by the API."""

    password: str
    key: str
    demo: str
    tokens: dict[str, str]
    document: str
    webhook: str


def _make_more(site: Site, admin: httpx.Client) -> Made:
    """What only comes into being while it runs: people, keys, links, a demo, an endpoint and a webhook."""

    def post(path: str, **body: Any) -> dict[str, Any]:
        return dict(admin.post(f"/api/v1/{path}", json=body).raise_for_status().json())

    note, plant = site.secrets.note, site.secrets.plant
    post("users", name="ada", role="annotator")
    password = plant("password of a person")
    admin.put("/api/v1/users/ada/password", json={"password": password}).raise_for_status()
    link = post("users/ada/link")["url"]
    note("token of a sign-in link", link.partition("token=")[2])
    key = note("key of a program", post("keys", name="app", role="viewer")["key"])
    demo = post("demos", passphrase=plant("passphrase of a demo"), frame_origins=["https://app.example"])["url"]
    note("token of a demo", demo.partition("token=")[2])
    tokens = post("token", name="ada", password=password)
    for name in ("access_token", "refresh_token"):
        note(name, tokens[name])
    admin.post("/api/v1/datasets/news/import", content=b'{"text": "Ada Byron lives in Oslo ."}').raise_for_status()
    document = admin.get("/api/v1/tasks/next", params={"dataset": "news"}).raise_for_status().json()["document"]["id"]
    content = {"url": f"{site.echo.url}/v1", "model": "m"}
    source = {"kind": "endpoint", "content": content, "key": plant("key of an endpoint")}
    admin.put("/api/v1/datasets/news/sources/llm", json=source).raise_for_status()
    address = f"{site.echo.url}/{quote(plant('address of a webhook'), safe='')}"
    hook = post("webhooks", name="ops", url=address, severities=["critical"])
    note("secret of a webhook", hook["secret"])
    return Made(password, key, demo, tokens, document, hook["id"])


def _right_and_wrong(site: Site, visitor: httpx.Client, made: Made) -> list[tuple[str, bytes]]:
    """People and programs who come in, and some who try with what they have in the wrong place."""
    post = visitor.post
    answers = [
        post("/api/v1/session", json={"name": "ada", "password": made.password}),
        post("/api/v1/session", json={"key": made.key}),
        post("/api/v1/session", json={"name": "bo", "password": made.password}),
        post("/api/v1/session", json={"name": "ada", "password": [made.password]}),
        post("/api/v1/session", json={"name": "ada", "pasword": made.password}),
        post("/api/v1/session", content=f'{{"key": "{made.key}"'.encode()),
        post("/api/v1/token", json={"key": {"is": made.key}}),
        post("/api/v1/token/refresh", json={"refresh_token": made.tokens["refresh_token"][:-1] + "x"}),
        post("/api/v1/token/oidc", json={"id_token": made.tokens["access_token"]}),
        post("/api/v1/ner/predict", json={"text": "Ada"}, headers={"Authorization": f"Basic {made.key}"}),
        post("/api/v1/ner/predict", json={"text": "Ada"}, headers={"X-API-Key": made.key + "x"}),
        visitor.get("/api/v1/versions", params={"api_key": made.key}),
        visitor.get("/api/v1/versions", headers={"X-API-Key": made.key}),
        visitor.get(site.workbench.sign_in_url),
        visitor.get(site.workbench.sign_in_url),
        visitor.get(made.demo),
        visitor.get("/", headers={"Referer": made.demo}),
    ]
    site.secrets.note("session of the browser", visitor.cookies["ner_session"])
    gone = visitor.get("/sign-in/provider")
    state = dict(httpx.URL(gone.headers["Location"]).params)["state"]
    code = site.secrets.plant("code of the provider")
    answers.append(visitor.get("/sign-in/provider/callback", params={"state": state, "code": code}))
    assert answers[-1].status_code == 401
    assert {one.status_code for one in answers} >= {200, 303, 401, 422}
    return _bodies(answers)


def _of_strangers(admin: httpx.Client, made: Made) -> list[tuple[str, bytes]]:
    """Those elsewhere repeat in their refusals what they were sent."""
    asked = admin.post(f"/api/v1/documents/{made.document}/suggestions", json={"source": "llm"})
    told = admin.post(f"/api/v1/webhooks/{made.webhook}/test")
    assert (asked.status_code, told.json()["problem"]) == (502, "The receiver answered 401.")
    return _bodies([asked, told])


def _pages(site: Site, admin: httpx.Client) -> list[tuple[str, bytes]]:
    """What people read: lists, the audit trail, metrics, the description of the API, and MLflow."""
    paths = ["ner/metrics", "ner/health", "audit", "keys", "users", "demos", "alerts", "versions", "datasets"]
    answers = [admin.get(f"/api/v1/{path}") for path in [*paths, "datasets/news/sources", "sign-in"]]
    answers += [admin.get("/openapi.json"), admin.get("/docs")]
    searched, port = "/ajax-api/2.0/mlflow/runs/search", site.workbench.environment["NER_MLFLOW_PORT"]
    if isinstance(site.workbench, ProductionWorkbench):
        searched = f"{site.address}/mlflow{searched}"
    else:
        answers.append(admin.get("/metrics"))
        searched = f"http://127.0.0.1:{port}{searched}"
    answers.append(admin.post(searched, json={"experiment_ids": ["0", "1"], "max_results": 100}))
    assert {one.status_code for one in answers} == {200}, [(one.url, one.status_code) for one in answers]
    return _bodies(answers)


def _objects(store: OwnObjects) -> Iterator[tuple[str, bytes]]:
    bucket = Bucket(BUCKET, store.url)
    with tempfile.NamedTemporaryFile() as copy:
        for key in bucket.keys():  # noqa: SIM118
            bucket.fetch(key, Path(copy.name))
            yield f"object {key}", Path(copy.name).read_bytes()


def _while_all_fails(site: Site, visitor: httpx.Client, admin: httpx.Client) -> list[tuple[str, bytes]]:
    """The database, Redis and the bucket go away, then processes die and cannot start again."""
    link = admin.post("/api/v1/users/ada/link").json()["url"]
    site.secrets.note("token of a link that nobody could use", link.partition("token=")[2])
    site.take_away()
    person = {"name": "ada", "password": site.secrets.plant("password of an hour without a database")}
    answers = [
        visitor.post("/api/v1/session", json=person),
        visitor.get("/api/v1/audit", headers={"X-API-Key": site.workbench.api_key}),
        admin.post("/api/v1/ner/predict", json={"text": "Ada Byron"}),
    ]
    commands = [site.workbench.command(*words) for words in (("doctor",), ("keys", "list"), ("backup", "x"))]
    answers_of_commands = [("a command", (one.stdout + one.stderr).encode()) for one in commands]
    ends = ("-m api", "-m workbench.door", "-m training worker", "registry.mlflow_server")
    for pid, line in site.workbench.processes().items():
        if any(end in line for end in ends):
            os.kill(pid, signal.SIGKILL)
    if isinstance(site.workbench, ProductionWorkbench):
        # Nobody is behind the gateway: what it says of that must not quote the link, nor the page that led to it.
        wait_until(lambda: visitor.get(link).status_code == 502, what="a gateway with nobody behind it")
        visitor.get("/docs", headers={"Referer": link})
        for log in ("api-1.log", "worker.log"):
            wait_until(lambda log=log: "waits for it" in _read(site, log), what=f"a process of {log} that waits")
    else:
        wait_until(lambda: "The mlflow process ended" in site.workbench.said(), what="MLflow, started again")
    return [*_bodies(answers), *answers_of_commands]


def _read(site: Site, log: str) -> str:
    return (site.workbench.home / "logs" / log).read_text()


def _bodies(answers: list[httpx.Response]) -> list[tuple[str, bytes]]:
    """What was answered; the line and the headers too, but not the cookie that is the session."""
    return [
        (f"{one.request.method} {one.url.path} ({one.status_code})", repr(headers).encode() + one.content)
        for one in answers
        for headers in [[pair for pair in one.headers.multi_items() if pair[0] != "set-cookie"]]
    ]
