"""What `workbench doctor` looks at: each check is one function and one sentence."""

import datetime as dt
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from annotation.search_index import INDEX_ADVICE, has_text_index
from ner.database import Database, utc_now
from ner.disk import check_room
from ner.errors import NerError
from ner.migrations import alembic_config
from ner.settings import Settings, secret_key_path, secret_keys
from registry import audit
from registry.heartbeats import WORKER, last_beats
from registry.mlflow_server import PREFIX
from registry.packages import open_store
from registry.resealing import waiting
from registry.rollout import current_rollout
from registry.sealing import Seals
from registry.versions import list_versions
from workbench import launcher

_BEAT_SECONDS = 60.0
_SKEW_SECONDS = 5.0
_TIMEOUT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was found, and what to do where it is not well."""

    check: str
    ok: bool
    finding: str


Check = Callable[[Settings], str]


def examine(settings: Settings) -> Iterator[Finding]:
    """Every check in turn; one that cannot be made says so instead of ending the examination."""
    for name, check in CHECKS.items():
        try:
            yield Finding(name, True, check(settings))
        except (NerError, OSError, sa.exc.SQLAlchemyError, httpx.HTTPError) as error:
            said = str(error.orig).splitlines()[0] if isinstance(error, sa.exc.DBAPIError) else str(error)
            yield Finding(name, False, f"{name}: {said}")


def _disk(settings: Settings) -> str:
    if not settings.home.exists():
        raise NerError(f"NER_HOME ({settings.home}) is not there yet; 'make up' makes it.")
    check_room(settings.home, settings.disk_reserve_megabytes)
    return f"There is room on the disk of {settings.home}."


def _permissions(settings: Settings) -> str:
    for folder in (settings.home, settings.artifacts):
        if folder.exists() and not _is_writable(folder):
            raise NerError(f"{folder} cannot be written to by this user; run 'chown -R USER {folder}'.")
    open_files = [path for path in _key_files(settings) if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077]
    if open_files:
        names = " ".join(str(path) for path in open_files)
        raise NerError(f"Others can read a key of this installation; run 'chmod 600 {names}'.")
    return "Folders can be written to, and keys are readable by their owner alone."


def _is_writable(folder: Path) -> bool:
    # Root may write anywhere, whatever the mode says: then what counts is whether the owner may.
    mode = folder.stat().st_mode
    return bool(mode & stat.S_IWUSR) if os.getuid() == 0 else os.access(folder, os.W_OK | os.X_OK)


def _key_files(settings: Settings) -> list[Path]:
    names = ("secret.key", "admin.key", "backup.key", "gateway.key")
    return [settings.signing_keys[0], *(settings.home / name for name in names)]


def _keys(settings: Settings) -> str:
    if not settings.secret_key and not secret_key_path(settings).exists():
        raise NerError(
            f"The secret key is missing: there is no {secret_key_path(settings)} and NER_SECRET_KEY is empty. Restore "
            "the file from a backup; a new one would make every key void."
        )
    with _reading(settings) as connection:
        late = waiting(connection, Seals(*secret_keys(settings)))
    if late:
        raise NerError(f"{late:,} values are sealed with an older key; run 'workbench keys rotate-secret'.")
    return "The secret key is there, and everything is sealed with the newest key."


def _database(settings: Settings) -> str:
    with _reading(settings) as connection:
        found = MigrationContext.configure(connection).get_current_revision()
        script = ScriptDirectory.from_config(alembic_config(Database("sqlite://")))
        if found is None:
            raise NerError("The database has no tables yet; 'make up' makes them.")
        if found != script.get_current_head():
            raise NerError(
                f"The database is at revision {found} and this software needs {script.get_current_head()}; back up, "
                "then 'workbench up' or 'python -m training worker' brings it up to date."
            )
        stable = current_rollout(connection).stable
        count = len(list_versions(connection))
    if stable is None:
        raise NerError(f"{count} versions are registered and none is stable: run 'workbench promote VERSION'.")
    return f"The database answers; {count} versions are registered and {stable} is stable."


def _search(settings: Settings) -> str:
    with _reading(settings) as connection:
        if not has_text_index(connection):
            raise NerError(f"Searches read every text: {INDEX_ADVICE[connection.dialect.name]}")
    return "Searches use an index of the words of texts."


def _audit(settings: Settings) -> str:
    with _reading(settings) as connection:
        verdict = audit.verify(connection)
    if not verdict.ok:
        raise NerError(f"{verdict.problem} Compare with a backup to learn what it said ('workbench backup --list').")
    return f"The audit trail holds, with {verdict.entries:,} entries."


def _packages(settings: Settings) -> str:
    store = open_store(settings)
    with _reading(settings) as connection:
        versions = list_versions(connection)
    unpacked = [record for record in versions if store.is_unpacked(record.version) or not store.is_kept(record.version)]
    for record in unpacked:
        store.folder(record.version, record.package_hash)
    return f"The packages of {len(unpacked)} versions are as they were registered; {len(versions)} are kept."


def _redis(settings: Settings) -> str:
    if not settings.redis_url:
        return "No Redis is used: counters and cache are in the process."
    import redis

    try:
        client = redis.Redis.from_url(settings.redis_url, socket_connect_timeout=2, socket_timeout=2)
        client.ping()
        client.close()
    except redis.RedisError as error:
        raise NerError(
            f"Redis does not answer ({error}). Answers go on without a cache, and limits are counted by each process; "
            "start it, or correct NER_REDIS_URL."
        ) from None
    return "Redis answers."


def _mlflow(settings: Settings) -> str:
    base = settings.mlflow_url or f"http://{launcher.local_host(settings)}:{settings.mlflow_port}"
    if not base.startswith("http"):
        return "MLflow is a database, with no server to ask."
    # Behind a gateway everything of it is below a path.
    if any(launcher.answers(f"{base}{path}") for path in ("/health", f"{PREFIX}/health")):
        return "MLflow answers."
    raise NerError(
        f"MLflow does not answer at {httpx.URL(base).copy_with(userinfo=b'')}. Serving and training go on, and it is "
        "told later; start it with 'make up', or correct NER_MLFLOW_URL."
    )


def _server(settings: Settings) -> str:
    if launcher.door_is_healthy(settings):
        return f"The server at {launcher.address(settings)} is healthy."
    is_ours = _is_ours(settings)
    if is_ours is None:
        raise NerError(f"Nothing answers at {launcher.address(settings)}; start it with 'make up'.")
    if not is_ours:
        raise NerError(
            f"Another program has port {settings.port} on {settings.host}; stop it, or set NER_PORT to a free port."
        )
    raise NerError(f"The server at {launcher.address(settings)} is degraded; its log says why ({settings.home}/logs).")


def _is_ours(settings: Settings) -> bool | None:
    """Whether what answers on the workbench's port is a workbench; None where nothing answers."""
    try:
        answer = httpx.get(f"{launcher.address(settings)}/api/v1/ner/health", timeout=_TIMEOUT_SECONDS)
        return "canary_percent" in answer.json()
    except httpx.ConnectError:
        return None
    except (httpx.HTTPError, ValueError):
        return False


def _clock(settings: Settings) -> str:
    skews = {"the database": _database_skew(settings), "the server": _server_skew(settings)}
    for name, seconds in skews.items():
        if seconds is not None and abs(seconds) > _SKEW_SECONDS:
            raise NerError(
                f"The clock of {name} is {abs(seconds):,.0f} s {'ahead of' if seconds > 0 else 'behind'} this one; "
                "switch on time synchronisation (timedatectl set-ntp true), or sessions and limits go wrong."
            )
    return "The clocks agree."


def _database_skew(settings: Settings) -> float | None:
    if settings.database.startswith("sqlite"):
        return None
    with _reading(settings) as connection:
        theirs = connection.scalar(sa.text("SELECT clock_timestamp()"))
    return (theirs - utc_now()).total_seconds() if theirs is not None else None


def _server_skew(settings: Settings) -> float | None:
    try:
        answer = httpx.get(f"{launcher.address(settings)}/api/v1/ner/health", timeout=_TIMEOUT_SECONDS)
        # The header has no fraction of a second.
        return parsedate_to_datetime(answer.headers["date"]).timestamp() + 0.5 - time.time()
    except (httpx.HTTPError, KeyError, ValueError):
        return None


def _worker(settings: Settings) -> str:
    with _reading(settings) as connection:
        seen = last_beats(connection).get(WORKER)
    if seen is None or (utc_now() - seen).total_seconds() > _BEAT_SECONDS:
        since = f"since {seen:%Y-%m-%d %H:%M} UTC" if seen is not None else "yet"
        raise NerError(
            f"The worker gives no sign of life {since}, so nothing is trained, tidied or backed up; start it with "
            "'make up', or 'python -m training worker'."
        )
    return "The worker is alive."


def _backup(settings: Settings) -> str:
    from training.upkeep.backups import last_backup

    if not settings.backup_repository:
        missing = "There are no backups: set NER_BACKUP_REPOSITORY to a folder elsewhere or to s3:https://…."
        # Whoever tries it on a laptop is told; whoever runs a server for others is at fault.
        if settings.database.startswith("sqlite"):
            return missing
        raise NerError(missing)
    if shutil.which("restic") is None:
        raise NerError("restic is not installed, so nothing is backed up: 'apt install restic'.")
    with _reading(settings) as connection:
        last = last_backup(connection)
    if last is None or utc_now() - last > dt.timedelta(hours=24):
        when = f"{last:%Y-%m-%d %H:%M} UTC" if last is not None else "never"
        raise NerError(f"The last backup was made: {when}. Run 'workbench backup', and see why the worker does not.")
    return f"The last backup is of {last:%Y-%m-%d %H:%M} UTC."


def _spool(settings: Settings) -> str:
    broken = list((settings.home / "spool").glob("*.broken"))
    if broken:
        raise NerError(
            f"{len(broken)} batches of the prediction log cannot be read ({broken[0]}): they were sealed with a secret "
            "key that is not here. Add it to NER_OLD_SECRET_KEYS and rename them to *.batch, or delete them."
        )
    return "Nothing is stuck on its way into the prediction log."


@contextmanager
def _reading(settings: Settings) -> Iterator[sa.Connection]:
    """A connection on a database of its own, closed afterwards. A SQLite file that is not there is not made."""
    path = sa.make_url(settings.database).database if settings.database.startswith("sqlite") else None
    if path and not Path(path).exists():
        raise NerError(f"There is no database at {path}; 'make up' makes one, 'workbench restore' brings one back.")
    database = Database(settings.database)
    try:
        with database.reading() as connection:
            yield connection
    finally:
        database.close()


CHECKS: dict[str, Check] = {
    "disk": _disk,
    "permissions": _permissions,
    "database": _database,
    "search": _search,
    "keys": _keys,
    "audit": _audit,
    "packages": _packages,
    "redis": _redis,
    "mlflow": _mlflow,
    "server": _server,
    "clock": _clock,
    "worker": _worker,
    "backup": _backup,
    "log": _spool,
}
