"""The processes of `workbench up --production`: nginx before API replicas, screens, MLflow and the worker.

State is in PostgreSQL and Redis; no process but the gateway is reached from outside.
"""

import signal
import socket
import sys
from dataclasses import dataclass

import httpx
import sqlalchemy as sa

from ner.errors import InvalidSetting
from ner.settings import Settings
from registry.mlflow_server import PREFIX
from workbench import gateway
from workbench.launcher import Process, answers, asking, worker_is_alive

_MLFLOW_SCHEMA = "mlflow"


@dataclass(frozen=True, slots=True)
class Installation:
    """Every process, and the watch over the replicas among them."""

    children: tuple[Process, ...]
    watch: gateway.ReplicaWatch


def check_servers(settings: Settings) -> None:
    """Raises InvalidSetting, with what to do, where PostgreSQL or Redis is not named or does not answer."""
    if not settings.database_url.startswith("postgresql"):
        raise InvalidSetting(
            "Production runs on PostgreSQL. Set NER_DATABASE_URL, for example to "
            "postgresql+psycopg2://ner:password@127.0.0.1:5432/ner ('createdb ner' makes the database)."
        )
    if not settings.redis_url:
        raise InvalidSetting("Production counts and remembers in Redis. Set NER_REDIS_URL to redis://127.0.0.1:6379/0.")
    import redis

    engine = sa.create_engine(settings.database_url, connect_args={"connect_timeout": 5})
    try:
        engine.connect().close()
        redis.Redis.from_url(settings.redis_url, socket_connect_timeout=5).ping()
    except sa.exc.OperationalError as error:
        raise InvalidSetting(f"NER_DATABASE_URL does not answer: {str(error.orig).strip().splitlines()[0]}") from None
    except (redis.RedisError, ValueError) as error:
        raise InvalidSetting(f"NER_REDIS_URL does not answer: {error}") from None
    finally:
        engine.dispose()


def mlflow_store(settings: Settings) -> str:
    """Where MLflow's server keeps its tables: a schema of its own in the same database, made where it is missing."""
    if settings.mlflow_url:
        return settings.mlflow_url
    engine = sa.create_engine(settings.database_url)
    with engine.begin() as connection:
        connection.execute(sa.text(f"CREATE SCHEMA IF NOT EXISTS {_MLFLOW_SCHEMA}"))
    url = engine.url.update_query_dict({"options": f"-csearch_path={_MLFLOW_SCHEMA}"})
    engine.dispose()
    return url.render_as_string(hide_password=False)


def installation(settings: Settings) -> Installation:
    """Every process of this machine, the gateway last, on ports that are free now."""
    behind = gateway.Behind(_free_ports(settings.api_replicas), _free_ports(1)[0], settings.mlflow_port)
    certificate = gateway.certificate_of(settings)

    gateway.write_configuration(settings, gateway.configuration(settings, behind, certificate))
    replicas = dict(zip(behind.api, _replicas(settings, behind), strict=True))

    def process_of(port: int) -> int | None:
        child = replicas[port].child
        return child.pid if child is not None else None

    children = (*replicas.values(), *_companions(settings, behind), _gateway_process(settings))
    watch = gateway.ReplicaWatch(behind.api, process_of, lambda port: replicas[port].signal(signal.SIGKILL))
    return Installation(children, watch)


def _replicas(settings: Settings, behind: gateway.Behind) -> list[Process]:
    return [
        Process(
            f"api-{number}",
            [sys.executable, "-m", "api"],
            lambda port=port: _is_healthy(port),  # type: ignore[misc]
            settings.home / "logs" / f"api-{number}.log",
            {"NER_HOST": "127.0.0.1", "NER_PORT": str(port)},
        )
        for number, port in enumerate(behind.api, start=1)
    ]


def _companions(settings: Settings, behind: gateway.Behind) -> list[Process]:
    logs = settings.home / "logs"
    mlflow_url = f"http://127.0.0.1:{behind.mlflow}"
    store = mlflow_store(settings)
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    artifacts = (
        f"{settings.bucket_url.rstrip('/')}/mlflow" if settings.bucket_url else str(settings.home / "mlartifacts")
    )
    if settings.s3_endpoint_url:
        quiet["MLFLOW_S3_ENDPOINT_URL"] = settings.s3_endpoint_url
    command = [sys.executable, "-m", "registry.mlflow_server", "127.0.0.1", str(behind.mlflow)]
    screens = {
        "NER_HOST": "127.0.0.1",
        "NER_PORT": str(behind.screens),
        "NER_URL": f"http://127.0.0.1:{settings.port}",
    }
    return [
        Process(
            "workbench",
            [sys.executable, "-m", "workbench.screens"],
            lambda: answers(f"http://127.0.0.1:{behind.screens}/_stcore/health"),
            logs / "workbench.log",
            screens,
        ),
        Process(
            "mlflow",
            # The database's password stays out of the list of processes.
            [*command, "", artifacts, PREFIX],
            lambda: answers(f"{mlflow_url}{PREFIX}/health"),
            logs / "mlflow.log",
            quiet | {"MLFLOW_BACKEND_STORE_URI": store},
        ),
        Process(
            "worker",
            [sys.executable, "-m", "training", "worker"],
            lambda: worker_is_alive(settings),
            logs / "worker.log",
            {"NER_MLFLOW_URL": f"{mlflow_url}{PREFIX}"},
        ),
    ]


def _gateway_process(settings: Settings) -> Process:
    return Process(
        "gateway",
        gateway.nginx_command(settings.home / "gateway" / "nginx.conf"),
        lambda: answers(f"http://127.0.0.1:{settings.port}/gateway/health"),
        settings.home / "logs" / "gateway.log",
        leftovers=(gateway.redirect_socket(settings),),
    )


def _is_healthy(port: int) -> bool:
    try:
        answer = asking().get(f"http://127.0.0.1:{port}/api/v1/ner/health")
        return answer.status_code == 200 and answer.json()["status"] == "healthy"
    except (httpx.HTTPError, ValueError, KeyError):
        return False


def _free_ports(count: int) -> tuple[int, ...]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return tuple(int(probe.getsockname()[1]) for probe in probes)
    finally:
        for probe in probes:
            probe.close()
