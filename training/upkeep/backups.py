"""Everything that cannot be made again, in one encrypted snapshot: database, artifacts, MLflow's own, settings, keys.

The database is copied first and the artifacts after it, and nothing is tidied away meanwhile: every package and every
snapshot that the copy names is in the backup.
"""

import datetime as dt
import json
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner import tables
from ner.database import Database, lock_for_appending, utc_now
from ner.errors import Conflict, InvalidSetting
from ner.settings import Settings, write_secret
from registry.bucket import Bucket, open_bucket
from training.upkeep.alone import alone
from training.upkeep.copies import copy_sqlite, write_copy
from training.upkeep.restic import Repository, is_installed

LOCK = "upkeep"
MANIFEST = "manifest.json"
KEYS = "keys"
MLFLOW = "mlflow.db"
BUCKET = "bucket"
STAGING = "backup"
_SWITCH = "backup"
_RETRY_SECONDS = 3600.0
# Other things may lie in the bucket, the backup's own repository among them.
_IN_BUCKET = ("versions/", "snapshots/")


@dataclass(frozen=True, slots=True)
class Backup:
    """A snapshot that was made, what is in it, and how long it took."""

    snapshot: str
    made_at: dt.datetime
    rows: dict[str, int]
    seconds: float


def open_repository(settings: Settings) -> Repository:
    """The repository of the settings. Raises InvalidSetting where there is none, or no password for it."""
    if not settings.backup_repository:
        raise InvalidSetting("NER_BACKUP_REPOSITORY is empty: set it to a folder, or to s3:https://host/bucket.")
    return Repository(settings.backup_repository, _password(settings))


def back_up(database: Database, settings: Settings, *, now: dt.datetime | None = None) -> Backup:
    """Make a snapshot, then forget what is older than 7 days, 4 weeks and 12 months keep.

    `now`: the moment that the snapshot says. Raises Conflict while another backup or tidying runs, BackupFailed.
    """
    began = utc_now()
    repository = open_repository(settings)
    with alone(database, settings, LOCK) as is_alone:
        if not is_alone:
            raise Conflict("A backup or tidying runs already; wait until it is done.")
        staging = settings.home / STAGING
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True, mode=0o700)
        try:
            manifest = _stage(database, settings, staging, now or began)
            moment = now.astimezone().strftime("%Y-%m-%d %H:%M:%S") if now is not None else None
            paths = [Path(path) for path in manifest["paths"].values()]
            snapshot = repository.back_up(paths, exclude=[f"{settings.artifacts}/versions/.*"], at=moment)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        repository.forget()
    done = Backup(snapshot, now or began, manifest["database"]["rows"], (utc_now() - began).total_seconds())
    with database.transaction() as connection:
        _note(connection, done)
    return done


def last_backup(connection: Connection) -> dt.datetime | None:
    """When the last backup was made; None where there was none."""
    value = connection.scalar(sa.select(tables.switches.c.value).where(tables.switches.c.name == _SWITCH))
    return dt.datetime.fromisoformat(value["at"]) if value is not None else None


class Schedule:
    """Makes a backup when one is due: every `backup_hours`, and again after an hour where it failed."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._tried_at: dt.datetime | None = None

    def is_due(self, now: dt.datetime) -> bool:
        """Whether a backup is to be made now."""
        if not self._settings.backup_repository or not is_installed():
            return False
        if self._tried_at is not None and (now - self._tried_at).total_seconds() < _RETRY_SECONDS:
            return False
        with self._database.reading() as connection:
            last = last_backup(connection)
        return last is None or now - last >= dt.timedelta(hours=self._settings.backup_hours)

    def keep(self, now: dt.datetime | None = None) -> Backup | None:
        """Make a backup if one is due. Raises Conflict, BackupFailed."""
        if not self.is_due(now or utc_now()):
            return None
        self._tried_at = now or utc_now()
        return back_up(self._database, self._settings, now=now)


def _password(settings: Settings) -> str:
    """NER_BACKUP_PASSWORD, or one made once in NER_HOME; that one has to be kept elsewhere too."""
    if settings.backup_password:
        return settings.backup_password
    path = backup_key_path(settings)
    if not path.exists():
        settings.home.mkdir(parents=True, exist_ok=True)
        write_secret(path, secrets.token_urlsafe(32))
    return path.read_text().strip()


def backup_key_path(settings: Settings) -> Path:
    """Where the password of the repository is, unless NER_BACKUP_PASSWORD says it."""
    return settings.home / "backup.key"


def _stage(database: Database, settings: Settings, staging: Path, now: dt.datetime) -> dict[str, Any]:
    """Copies of what is in use, and the manifest."""
    described = write_copy(database, staging)
    mlflow = settings.home / MLFLOW
    if not settings.mlflow_url and mlflow.exists():
        copy_sqlite(mlflow, staging / MLFLOW)
    bucket = open_bucket(settings)
    if bucket is not None:
        _stage_bucket(bucket, staging / BUCKET)
    _stage_keys(settings, staging / KEYS)
    paths = {"staging": staging, "artifacts": settings.artifacts}
    if (settings.home / "mlartifacts").exists():
        paths["mlartifacts"] = settings.home / "mlartifacts"
    manifest = {
        "made_at": now.isoformat(),
        "database": described,
        "paths": {name: str(path) for name, path in paths.items() if path.exists()},
    }
    (staging / MANIFEST).write_text(json.dumps(manifest, indent=1))
    return manifest


def _stage_bucket(bucket: Bucket, folder: Path) -> None:
    """Every package and snapshot, each under its key. What is deleted meanwhile is left out."""
    for key in (key for start in _IN_BUCKET for key in bucket.keys(start)):
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        bucket.fetch(key, path)


def _stage_keys(settings: Settings, folder: Path) -> None:
    """The keys, and the settings that were given: without them nobody could sign in, nor open what is sealed."""
    folder.mkdir(mode=0o700)
    private, public = settings.signing_keys
    for path in (settings.home / "secret.key", settings.home / "admin.key", private, public):
        if path.exists():
            shutil.copy2(path, folder / path.name)
    given = {f"NER_{name.upper()}": _as_text(getattr(settings, name)) for name in sorted(settings.model_fields_set)}
    with os.fdopen(os.open(folder / "settings.env", os.O_WRONLY | os.O_CREAT, 0o600), "w") as stream:
        stream.writelines(f"{name}={value}\n" for name, value in given.items())


def _as_text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def _note(connection: Connection, done: Backup) -> None:
    lock_for_appending(connection, "switches")
    connection.execute(tables.switches.delete().where(tables.switches.c.name == _SWITCH))
    value = {"at": done.made_at.isoformat(), "snapshot": done.snapshot, "seconds": done.seconds}
    connection.execute(
        tables.switches.insert().values(name=_SWITCH, value=value, changed_by="system", changed_at=utc_now())
    )
