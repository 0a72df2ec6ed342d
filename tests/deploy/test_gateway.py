"""The gateway's configuration, its certificate, and the watch over the replicas, each by itself."""

import re
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from ner.errors import InvalidSetting
from ner.settings import Settings
from tests.conftest import missing
from workbench import gateway
from workbench.commands import cli
from workbench.gateway import Behind, ReplicaWatch

ROOT = Path(__file__).parents[2]
VARIABLES = set(re.findall(r"\$\{(GATEWAY_[A-Z_]+)\}", gateway.TEMPLATE.read_text()))


def _settings(home: Path, **values: Any) -> Settings:
    return Settings(_env_file=None, home=home, secret_key="a key for tests", **values)  # type: ignore[call-arg]


def _nginx_accepts(path: Path) -> None:
    try:
        command = gateway.nginx_command(path)
    except InvalidSetting as error:
        missing(str(error))
    checked = subprocess.run([*command, "-t", "-q"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_nginx_accepts_the_configuration_of_this_machine(tmp_path: Path) -> None:
    settings = _settings(tmp_path / "home", cors_origins=["https://a.example", "https://b.example:8443"])
    (settings.home / "logs").mkdir(parents=True)
    text = gateway.configuration(settings, Behind((21001, 21002), 21003, 21004), gateway.certificate_of(settings))
    assert not re.search(r"\$\{GATEWAY_[A-Z]", text)
    _nginx_accepts(gateway.write_configuration(settings, text))


@pytest.mark.parametrize("place", ["docker-compose.yml", "deploy/kubernetes/base/gateway.yaml"])
def test_nginx_accepts_the_configuration_of_the_containers(tmp_path: Path, place: str) -> None:
    """The services' names resolve only inside; what is asked again at run time (`resolve`) is newer than Debian's."""
    variables = _variables_of(place)
    settings = _settings(tmp_path / "home")
    certificate = gateway.certificate_of(settings)
    folder = {"GATEWAY_FOLDER": str(tmp_path), "GATEWAY_LOG": str(tmp_path / "log")}
    folder |= {"GATEWAY_CERTIFICATE": str(certificate[0]), "GATEWAY_PRIVATE_KEY": str(certificate[1])}
    text = gateway.render(gateway.TEMPLATE.read_text(), variables | folder)
    text = re.sub(r"server (api|workbench|mlflow)[^:;]*:(\d+)( resolve)?", r"server 127.0.0.1:\2", text)
    text = re.sub(r"resolver \S+", "resolver 127.0.0.1", text)
    (tmp_path / "nginx.conf").write_text(text)
    _nginx_accepts(tmp_path / "nginx.conf")


@pytest.mark.parametrize("place", ["docker-compose.yml", "deploy/kubernetes/base/gateway.yaml"])
def test_every_variable_of_the_configuration_is_given_and_no_other(place: str) -> None:
    given = {name for name in _variables_of(place) if name.startswith("GATEWAY_")}
    assert given == VARIABLES


def _variables_of(place: str) -> dict[str, str]:
    documents = list(yaml.safe_load_all((ROOT / place).read_text()))
    if place == "docker-compose.yml":
        given = documents[0]["services"]["gateway"]["environment"]
    else:
        [render] = documents[0]["spec"]["template"]["spec"]["initContainers"]
        given = {item["name"]: item.get("value", "") for item in render["env"]}
    return {name: re.sub(r"\$\{\w+:-(.*?)\}", r"\1", str(value)) for name, value in given.items()}


def test_a_certificate_is_made_once_and_is_good_for_this_machine(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    certificate, key = gateway.certificate_of(settings)
    before = certificate.read_bytes()
    assert gateway.certificate_of(settings)[0].read_bytes() == before
    assert key.stat().st_mode & 0o777 == 0o600
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=str(certificate))
    server.load_cert_chain(certificate, key)
    for name in ("localhost", "127.0.0.1", "::1"):
        _shake_hands(server, client, name)
    with pytest.raises(ssl.SSLCertVerificationError):
        _shake_hands(server, client, "elsewhere.example")


def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = client.wrap_bio(to_client, to_server, server_hostname=name)
    there = server.wrap_bio(to_server, to_client, server_side=True)
    for side in (here, there, here, there):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"tls_certificate": "a.pem"}, "belong together"),
        ({"tls_certificate": "a.pem", "tls_private_key": "b.pem"}, "is not there; set it to a PEM file"),
    ],
)
def test_a_certificate_that_cannot_be_used_is_one_sentence(
    tmp_path: Path, values: dict[str, str], sentence: str
) -> None:
    with pytest.raises(InvalidSetting, match=sentence):
        gateway.certificate_of(_settings(tmp_path, **values))


class _Replica:
    """Answers health with a status of the test's choosing."""

    def __init__(self) -> None:
        self.status = 200
        replica = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(replica.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quietly."""

        self.server = HTTPServer(("127.0.0.1", 0), Answer)
        self.port = int(self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def replicas() -> Iterator[list[_Replica]]:
    started = [_Replica() for _ in range(3)]
    yield started
    for replica in started:
        replica.close()


class _Watched:
    """A watch over the replicas, whose processes the test counts up itself."""

    def __init__(self, replicas: list[_Replica]) -> None:
        self.processes = {replica.port: 1 for replica in replicas}
        self.ended: list[int] = []
        self.watch = ReplicaWatch(list(self.processes), self.processes.get, self.ended.append, patience=3)

    def look(self, times: int) -> None:
        for _ in range(times):
            self.watch.look()


def test_a_replica_is_ended_once_when_it_hangs(replicas: list[_Replica]) -> None:
    watched = _Watched(replicas)
    watched.look(1)
    replicas[1].status = 503
    watched.look(2)
    assert watched.ended == []
    replicas[1].status = 200
    watched.look(1)
    replicas[1].status = 503
    watched.look(3)
    assert watched.ended == [replicas[1].port]


def test_a_replica_that_starts_is_given_all_the_time_it_needs(replicas: list[_Replica]) -> None:
    watched = _Watched(replicas)
    replicas[2].status = 503
    watched.look(10)
    assert watched.ended == []
    replicas[2].status = 200
    watched.look(1)
    watched.processes[replicas[2].port] = 2
    replicas[2].status = 503
    watched.look(10)
    assert watched.ended == [], "another process, which has not answered yet"


def test_no_replica_is_ended_when_none_answers(replicas: list[_Replica]) -> None:
    watched = _Watched(replicas)
    watched.look(1)
    for replica in replicas:
        replica.status = 500
    watched.look(10)
    assert watched.ended == []


def test_the_log_keeps_no_query_string() -> None:
    [line] = re.findall(r"log_format ecs.*?;", gateway.TEMPLATE.read_text(), re.DOTALL)
    assert not {'$request"', "$args", "$query_string", "$request_uri", "$http_referer", "$http_cookie"} & set(
        re.findall(r"\$\w+\"?", line)
    )


def test_a_certificate_for_a_container_is_made_by_command_and_never_written_over(tmp_path: Path) -> None:
    asked = ["certificate", str(tmp_path / "tls"), "--name", "ner.example.com", "--address", "192.0.2.7"]
    assert CliRunner().invoke(cli, asked).exit_code == 0
    client = ssl.create_default_context(cafile=str(tmp_path / "tls" / "gateway.crt"))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "tls" / "gateway.crt", tmp_path / "tls" / "gateway.key")
    for name in ("ner.example.com", "192.0.2.7"):
        _shake_hands(server, client, name)
    refused = CliRunner().invoke(cli, asked)
    assert refused.exit_code == 1
    assert "holds a certificate already" in str(refused.exception)
