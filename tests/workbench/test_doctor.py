"""Whatever is broken in an installation, the doctor says so, and says what to do: one injected fault for each row."""

import dataclasses
import datetime as dt
import http.server
import shutil
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command

from ner import tables
from ner.database import Database, utc_now
from ner.migrations import alembic_config, migrate
from ner.settings import Settings
from registry.alerts import raise_alert
from registry.deliveries import send_due
from registry.heartbeats import WORKER, beat
from registry.sealing import Seals
from registry.versions import get_version, register
from registry.webhooks import create_webhook
from tests.populated import populate
from tests.running import free_port
from workbench import examination
from workbench.examination import examine, machine
from workbench.gateway import api_servers, make_certificate


class _Answering(http.server.BaseHTTPRequestHandler):
    """A server that is healthy as the workbench is, and as MLflow is."""

    body = b'{"status": "healthy", "canary_percent": 0}'
    screens = b"ok"
    demos = b'{"version": "6.0"}'
    date: dt.datetime | None = None

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write({"/_stcore/health": self.screens, "/demo/config": self.demos}.get(self.path, self.body))

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(self.date.timestamp() if self.date is not None else timestamp)

    def log_message(self, *_: object) -> None:
        return


@dataclass
class Patient:
    """An installation in which everything is well, and what faults need to break it."""

    settings: Settings
    database: Database
    answering: type[_Answering]
    stack: ExitStack

    def change(self, **changes: object) -> None:
        self.settings = self.settings.model_copy(update=changes)

    def execute(self, statement: sa.Executable) -> None:
        with self.database.transaction() as connection:
            connection.execute(statement)

    def stand_behind_gateway(self, *replicas: int, until: dt.datetime | None = None) -> None:
        """Let a gateway stand before the server, with these ports of replicas; `until`: when its certificate ends."""
        home = self.settings.home
        own = home / "gateway.crt", home / "gateway.key"
        make_certificate(*own, names=("localhost",), addresses=("127.0.0.1",), until=until)
        (home / "gateway").mkdir()
        (home / "gateway" / "nginx.conf").write_text(f"upstream api {{ {api_servers(replicas)} }}")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*own)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.answering)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.stack.callback(thread.join)
        self.stack.callback(server.server_close)
        self.stack.callback(server.shutdown)
        self.change(https_port=server.server_address[1])

    def findings(self) -> dict[str, tuple[bool, str]]:
        return {one.check: (one.ok, one.finding) for one in examine(self.settings)}


@pytest.fixture
def patient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Patient]:
    answering = type("Answering", (_Answering,), {})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), answering)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    port = server.server_address[1]
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        home=tmp_path / "home",
        port=port,
        mlflow_port=port,
        backup_repository=str(tmp_path / "repository"),
        disk_reserve_megabytes=0,
    )
    database = Database(settings.database)
    migrate(database)
    populate(database, settings, tmp_path / "drafts", documents=2, predictions=2)
    with database.transaction() as connection:
        beat(connection, WORKER, utc_now())
        made = {"at": utc_now().isoformat()}
        connection.execute(
            tables.switches.insert().values(name="backup", value=made, changed_by="system", changed_at=utc_now())
        )
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    with ExitStack() as stack:
        yield Patient(settings, database, answering, stack)
    server.shutdown()
    server.server_close()
    thread.join()
    database.close()


def test_nothing_is_found_when_everything_is_well(patient: Patient) -> None:
    findings = patient.findings()
    assert {check: finding for check, (ok, finding) in findings.items() if not ok} == {}
    assert len(findings) == len(examination.CHECKS)


def _full_disk(patient: Patient) -> None:
    patient.change(disk_reserve_megabytes=10**9)


def _no_writing(patient: Patient) -> None:
    patient.settings.artifacts.chmod(0o500)
    patient.stack.callback(patient.settings.artifacts.chmod, 0o700)


def _open_key(patient: Patient) -> None:
    (patient.settings.home / "secret.key").chmod(0o644)


def _no_secret(patient: Patient) -> None:
    (patient.settings.home / "secret.key").unlink()


def _half_rotated(patient: Patient) -> None:
    secret = (patient.settings.home / "secret.key").read_text().strip().encode()
    with patient.database.transaction() as connection:
        Seals(secret).rotate(connection, actor="ada")


def _changed_package(patient: Patient) -> None:
    (patient.settings.artifacts / "versions" / "1.0.0" / "weights.bin").write_bytes(b"other")


def _unsigned_package(patient: Patient) -> None:
    (patient.settings.artifacts / "versions" / "1.0.0" / "model.sig").unlink()


def _behind(patient: Patient) -> None:
    command.downgrade(alembic_config(patient.database), "-1")


def _ahead(patient: Patient) -> None:
    patient.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))


def _no_index(patient: Patient) -> None:
    patient.execute(sa.text("DROP TABLE search_text"))


def _no_database(patient: Patient) -> None:
    (patient.settings.home / "workbench.db").unlink()


def _broken_chain(patient: Patient) -> None:
    patient.execute(tables.audit.update().where(tables.audit.c.entry == 3).values(actor="mallory"))


def _no_stable(patient: Patient) -> None:
    patient.execute(tables.rollouts.delete())


def _no_redis(patient: Patient) -> None:
    patient.change(redis_url=f"redis://127.0.0.1:{free_port()}/0")


def _no_mlflow(patient: Patient) -> None:
    patient.change(mlflow_port=free_port())


def _no_server(patient: Patient) -> None:
    patient.change(port=free_port())


def _taken_port(patient: Patient) -> None:
    patient.answering.body = b"<h1>It works!</h1>"


def _degraded(patient: Patient) -> None:
    patient.answering.body = b'{"status": "degraded", "canary_percent": 0}'


def _wrong_clock(patient: Patient) -> None:
    patient.answering.date = utc_now() - dt.timedelta(minutes=5)


def _stale_worker(patient: Patient) -> None:
    with patient.database.transaction() as connection:
        beat(connection, WORKER, utc_now() - dt.timedelta(minutes=10))


def _old_backup(patient: Patient) -> None:
    made = {"at": (utc_now() - dt.timedelta(days=3)).isoformat()}
    patient.execute(tables.switches.update().where(tables.switches.c.name == "backup").values(value=made))


def _dead_screens(patient: Patient) -> None:
    # What a gateway answers for screens that are away, with status 200.
    patient.answering.screens = b"<!doctype html><h1>The screens are starting</h1>"


def _dead_demos(patient: Patient) -> None:
    patient.answering.demos = b"<h1>?</h1>"


def _dead_gateway(patient: Patient) -> None:
    patient.stand_behind_gateway(patient.settings.port)
    patient.change(https_port=free_port())


def _dead_replica(patient: Patient) -> None:
    patient.stand_behind_gateway(patient.settings.port, free_port())


def _ending_certificate(patient: Patient) -> None:
    patient.stand_behind_gateway(patient.settings.port, until=utc_now() + dt.timedelta(days=3))


def _no_bucket(patient: Patient) -> None:
    monkeypatch = pytest.MonkeyPatch()
    patient.stack.callback(monkeypatch.undo)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, "nobody")
    patient.change(artifacts_url="s3://nowhere/ner", s3_endpoint_url=f"http://127.0.0.1:{free_port()}")


def _deaf_receiver(patient: Patient) -> None:
    secret = (patient.settings.home / "secret.key").read_text().strip().encode()
    url = f"http://127.0.0.1:{free_port()}/hook"
    with patient.database.transaction() as connection:
        create_webhook(connection, secret, name="pager", url=url, severities=["critical"], actor="ada")
        raise_alert(connection, "drift", "critical", "Texts have changed.")
    send_due(patient.database, [secret], may_be_private=True)


def _broken_spool(patient: Patient) -> None:
    (patient.settings.home / "spool").mkdir()
    (patient.settings.home / "spool" / "1.broken").write_bytes(b"?")


FAULTS: dict[str, tuple[Callable[[Patient], None], str, str]] = {
    "the disk is full": (_full_disk, "disk", "workbench tidy"),
    "a folder cannot be written to": (_no_writing, "permissions", "chown -R"),
    "others can read a key": (_open_key, "permissions", "chmod 600"),
    "the secret key is missing": (_no_secret, "keys", "from a backup"),
    "a change of the key was interrupted": (_half_rotated, "keys", "workbench keys rotate-secret"),
    "a package was changed": (_changed_package, "packages", "from a backup"),
    "a signature is missing": (_unsigned_package, "packages", "is not signed"),
    "the schema is behind": (_behind, "database", "brings it up to date"),
    "the schema is of a newer release": (_ahead, "database", "put the newer release back"),
    "texts have no index": (_no_index, "search", "SQLite"),
    "the database is gone": (_no_database, "database", "workbench restore"),
    "the audit chain is broken": (_broken_chain, "audit", "Entry 3 was changed"),
    "no version is stable": (_no_stable, "database", "workbench promote"),
    "Redis is away": (_no_redis, "redis", "start it, or correct NER_REDIS_URL"),
    "MLflow is away": (_no_mlflow, "mlflow", "start it with 'make up'"),
    "nothing answers": (_no_server, "server", "start it with 'make up'"),
    "another program has the port": (_taken_port, "server", "set NER_PORT to a free port"),
    "the server is degraded": (_degraded, "server", "its log says why"),
    "a clock is wrong": (_wrong_clock, "clock", "time synchronisation"),
    "the worker is stale": (_stale_worker, "worker", "python -m training worker"),
    "the last backup is old": (_old_backup, "backup", "workbench backup"),
    "the screens are dead": (_dead_screens, "screens", "logs/workbench.log"),
    "the demos are dead": (_dead_demos, "screens", "The demos do not answer"),
    "the gateway is dead": (_dead_gateway, "gateway", "logs/gateway.log"),
    "a replica is dead": (_dead_replica, "gateway", "logs/api-2.log"),
    "a certificate ends": (_ending_certificate, "gateway", "put a new one there"),
    "the bucket is away": (_no_bucket, "bucket", "NER_S3_ENDPOINT_URL"),
    "alerts do not arrive": (_deaf_receiver, "told", "'pager' after 1 attempts"),
    "log rows are stuck": (_broken_spool, "log", "NER_OLD_SECRET_KEYS"),
}
# What cannot be looked at without a database is not well either.
ALONG = {
    "the schema is behind": {"search", "keys"},
    "the database is gone": {"search", "keys", "audit", "packages", "worker", "backup", "told"},
    "nothing answers": {"screens"},
}


@pytest.mark.parametrize(("inject", "check", "advice"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_found_with_what_to_do_and_nothing_else_is(
    inject: Callable[[Patient], None], check: str, advice: str, patient: Patient, request: pytest.FixtureRequest
) -> None:
    inject(patient)
    wrong = {name: finding for name, (ok, finding) in patient.findings().items() if not ok}
    along = ALONG.get(request.node.callspec.id, set())
    assert set(wrong) - along == {check}, wrong
    assert advice in wrong[check]


def test_every_package_that_is_gone_is_named(patient: Patient) -> None:
    with patient.database.transaction() as connection:
        first = get_version(connection, "1.0.0")
        register(connection, dataclasses.replace(first, version="1.0.1", run_id=None))
    shutil.rmtree(patient.settings.artifacts / "versions" / "1.0.0")
    is_well, said = patient.findings()["packages"]
    assert not is_well
    assert "version 1.0.0 is missing" in said
    assert "version 1.0.1 is missing" in said


def test_a_gateway_with_its_replicas_is_well(patient: Patient) -> None:
    patient.stand_behind_gateway(patient.settings.port, patient.settings.port)
    is_well, said = patient.findings()["gateway"]
    assert is_well
    assert "2 API processes" in said


def test_a_laptop_without_backups_is_told_so_and_is_not_ill(patient: Patient) -> None:
    patient.change(backup_repository="")
    is_well, said = patient.findings()["backup"]
    assert is_well
    assert "set NER_BACKUP_REPOSITORY" in said


def test_a_server_without_backups_is_at_fault(patient: Patient) -> None:
    patient.change(backup_repository="", database_url="postgresql+psycopg2://127.0.0.1:1/gone")
    is_well, said = patient.findings()["backup"]
    assert not is_well
    assert "set NER_BACKUP_REPOSITORY" in said


def test_missing_compiled_code_is_told_on_a_laptop_and_a_fault_on_a_server(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "COMPILED", False)
    is_well, said = patient.findings()["compiled"]
    assert is_well
    assert "apt install gcc" in said
    patient.change(database_url="postgresql+psycopg2://127.0.0.1:1/gone")
    assert not patient.findings()["compiled"][0]
