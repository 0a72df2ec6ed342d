"""What runs: the gateway, the API, the screens and demos, MLflow, the worker, and what the worker should have done."""

import datetime as dt
import re
import shutil

import httpx
import sqlalchemy as sa

from ner.database import utc_now
from ner.errors import NerError
from ner.settings import Settings
from ner.tables import deliveries, webhooks
from registry.heartbeats import WORKER, last_beats
from registry.mlflow_server import PREFIX
from workbench import launcher
from workbench.examination.looking import TIMEOUT_SECONDS, answer_of, reading

_BEAT_SECONDS = 60.0
_CERTIFICATE_DAYS = 14


def gateway(settings: Settings) -> str:
    """The gateway answers on TLS, its certificate holds, and every replica behind it answers."""
    configuration = settings.home / "gateway" / "nginx.conf"
    if not configuration.exists():
        return "No gateway of this home is in front of the server."
    log = settings.home / "logs" / "gateway.log"
    address = f"https://{launcher.local_host(settings)}:{settings.https_port}"
    if answer_of(f"{address}/gateway/health") is None:
        raise NerError(f"The gateway does not answer at {address}; its log says why ({log}). 'make up-production'.")
    ports = [int(port) for port in re.findall(r"server 127\.0\.0\.1:(\d+) max_fails", configuration.read_text())]
    dead = [
        number for number, port in enumerate(ports, 1) if answer_of(f"http://127.0.0.1:{port}/v2/health/live") is None
    ]
    if dead:
        logs = " ".join(str(settings.home / "logs" / f"api-{number}.log") for number in dead)
        raise NerError(
            f"{len(dead)} of {len(ports)} API processes do not answer, the others do their work. They are started "
            f"again by themselves; where that fails, their logs say why ({logs})."
        )
    return f"The gateway answers, and {len(ports)} API processes behind it; {_certificate(settings)}"


def _certificate(settings: Settings) -> str:
    from cryptography import x509

    path = settings.tls_certificate or settings.home / "gateway.crt"
    with open(path, "rb") as stream:
        until = x509.load_pem_x509_certificate(stream.read()).not_valid_after_utc
    if until - utc_now() < dt.timedelta(days=_CERTIFICATE_DAYS):
        raise NerError(
            f"The certificate {path} ends on {until:%Y-%m-%d}: put a new one there, or remove it and its key where it "
            "is the self-signed one, and start the workbench again."
        )
    return f"its certificate holds until {until:%Y-%m-%d}."


def screens(settings: Settings) -> str:
    """The pages of the workbench, and the demos, which the same process shows."""
    address, log = launcher.address(settings), settings.home / "logs" / "workbench.log"
    pages = answer_of(f"{address}/_stcore/health")
    # A gateway in front has a page of its own for screens that are away.
    if pages is None or pages.status_code != httpx.codes.OK or pages.text.strip() != "ok":
        raise NerError(
            f"The screens do not answer at {address}, while programs may still be answered. They are started again by "
            f"themselves; where that fails, their log says why ({log}), and 'make up' starts everything anew."
        )
    demos = answer_of(f"{address}/demo/config")
    if demos is None or demos.status_code != httpx.codes.OK or "version" not in demos.text:
        raise NerError(f"The demos do not answer at {address}/demo; the log of the screens says why ({log}).")
    return "The screens and the demos answer."


def mlflow(settings: Settings) -> str:
    """Its server answers."""
    base = settings.mlflow_url or f"http://{launcher.local_host(settings)}:{settings.mlflow_port}"
    if not base.startswith("http"):
        return "MLflow is a database, with no server to ask."
    # Behind a gateway everything of it is below a path.
    if any(_is_ok(f"{base}{path}") for path in ("/health", f"{PREFIX}/health")):
        return "MLflow answers."
    raise NerError(
        f"MLflow does not answer at {httpx.URL(base).copy_with(userinfo=b'')}. Serving and training go on, and it is "
        "told later; start it with 'make up', or correct NER_MLFLOW_URL."
    )


def _is_ok(url: str) -> bool:
    answer = answer_of(url)
    return answer is not None and answer.status_code == httpx.codes.OK


def server(settings: Settings) -> str:
    """What callers speak to answers, and says that it is well."""
    if launcher.door_is_healthy(settings):
        return f"The server at {launcher.address(settings)} is healthy."
    found = answer_of(f"{launcher.address(settings)}/api/v1/ner/health")
    if found is None:
        raise NerError(
            f"Nothing answers at {launcher.address(settings)} within {TIMEOUT_SECONDS:.0f} s; start it with 'make up', "
            f"or where it runs, see its log ({settings.home}/logs)."
        )
    if not _is_ours(found):
        raise NerError(
            f"Another program has port {settings.port} on {settings.host}; stop it, or set NER_PORT to a free port."
        )
    raise NerError(f"The server at {launcher.address(settings)} is degraded; its log says why ({settings.home}/logs).")


def _is_ours(answer: httpx.Response) -> bool:
    """Whether what answers on the workbench's port is a workbench, or the gateway before one that is away."""
    try:
        return bool({"canary_percent", "error"} & set(answer.json()))
    except (ValueError, TypeError):
        return False


def worker(settings: Settings) -> str:
    """It gave a sign of life within the last minute."""
    with reading(settings) as connection:
        seen = last_beats(connection).get(WORKER)
    if seen is None or (utc_now() - seen).total_seconds() > _BEAT_SECONDS:
        since = f"since {seen:%Y-%m-%d %H:%M} UTC" if seen is not None else "yet"
        raise NerError(
            f"The worker gives no sign of life {since}, so nothing is trained, tidied or backed up; start it with "
            "'make up', or 'python -m training worker'."
        )
    return "The worker is alive."


def backup(settings: Settings) -> str:
    """One was made within the last day."""
    from training.upkeep.backups import last_backup

    if not settings.backup_repository:
        missing = "There are no backups: set NER_BACKUP_REPOSITORY to a folder elsewhere or to s3:https://…."
        # Whoever tries it on a laptop is told; whoever runs a server for others is at fault.
        if settings.database.startswith("sqlite"):
            return missing
        raise NerError(missing)
    if shutil.which("restic") is None:
        raise NerError("restic is not installed, so nothing is backed up: 'apt install restic'.")
    with reading(settings) as connection:
        last = last_backup(connection)
    if last is None or utc_now() - last > dt.timedelta(hours=24):
        when = f"{last:%Y-%m-%d %H:%M} UTC" if last is not None else "never"
        raise NerError(f"The last backup was made: {when}. Run 'workbench backup', and see why the worker does not.")
    return f"The last backup is of {last:%Y-%m-%d %H:%M} UTC."


def told(settings: Settings) -> str:
    """Every receiver of alerts took the last thing that it was told."""
    tried = sa.select(webhooks.c.name, deliveries.c.delivered_at, deliveries.c.attempts, deliveries.c.problem)
    tried = tried.join_from(deliveries, webhooks).where(webhooks.c.removed_at.is_(None), deliveries.c.attempts > 0)
    with reading(settings) as connection:
        last = {row.name: row for row in connection.execute(tried.order_by(deliveries.c.created_at))}
    failing = [row for row in last.values() if row.delivered_at is None and row.problem]
    if failing:
        said = "; ".join(f"'{row.name}' after {row.attempts} attempts: {row.problem}" for row in failing)
        raise NerError(
            f"Alerts do not arrive at {said} Correct or remove the receiver on the page Alerts, and send it a test."
        )
    return f"Alerts arrive, at {len(last)} receivers." if last else "Nobody outside had to be told of alerts yet."
