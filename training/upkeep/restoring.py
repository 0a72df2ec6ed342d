"""A snapshot put back into an empty installation, and compared with what was written down when it was made."""

import json
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ner.database import Database, utc_now
from ner.errors import BrokenPackage, Conflict, InvalidInput
from ner.settings import Settings, secret_key_path
from registry import audit
from registry.bucket import Bucket, open_bucket
from registry.packages import open_store
from training.mirror import ask_again
from training.upkeep.backups import BUCKET, KEYS, MANIFEST, MLFLOW, STAGING, open_repository
from training.upkeep.copies import described, read_copy

_AS_IT_WAS = "restored.env"


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back: when it was made, rows by table, versions whose packages were checked, and how long it took."""

    made_at: str
    rows: dict[str, int]
    versions: int
    audit_entries: int
    seconds: float


def restore(settings: Settings, snapshot: str = "latest") -> Restored:
    """Put a snapshot into NER_HOME and the database of the settings, which must hold nothing yet.

    Afterwards rows, packages and the audit trail are compared with the manifest. Raises Conflict where something is
    there already, InvalidInput where what came back is not what was stored, BackupFailed.
    """
    began = utc_now()
    repository = open_repository(settings)
    _refuse_to_overwrite(settings)
    settings.home.mkdir(parents=True, exist_ok=True)
    scratch = settings.home / f".restore.{uuid.uuid4().hex}"
    try:
        repository.restore(snapshot, scratch)
        staged = _find_staging(scratch)
        manifest = json.loads((staged / MANIFEST).read_text())
        _put_back_files(settings, scratch, staged, manifest["paths"])
        database = Database(settings.database)
        try:
            read_copy(database, staged, manifest["database"]["revision"])
            verify(database, settings, manifest)
            # An MLflow that came back empty is told of every version anew.
            with database.transaction() as connection:
                ask_again(connection)
        finally:
            database.close()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    held = manifest["database"]
    return Restored(
        manifest["made_at"],
        held["rows"],
        len(held["versions"]),
        held["audit"]["entries"] if held["audit"] else 0,
        (utc_now() - began).total_seconds(),
    )


def verify(database: Database, settings: Settings, manifest: dict[str, Any]) -> None:
    """Raises InvalidInput with a sentence for everything that is not as the manifest says."""
    problems = []
    now = described(database)
    for table, count in manifest["database"]["rows"].items():
        if now["rows"].get(table) != count:
            problems.append(f"Table {table} has {now['rows'].get(table)} rows and had {count}.")
    with database.reading() as connection:
        verdict = audit.verify(connection)
    held = manifest["database"]
    if not verdict.ok or now["audit"] != held["audit"]:
        problems.append(verdict.problem or "The audit trail does not end as it did.")
    store = open_store(settings)
    for version, digest in held["versions"].items():
        try:
            store.folder(version, digest)
        except BrokenPackage as error:
            problems.append(error.message)
    if problems:
        raise InvalidInput("What was restored is not what was backed up. " + " ".join(problems))


def _refuse_to_overwrite(settings: Settings) -> None:
    if (settings.home / "workbench.db").exists():
        raise Conflict(f"{settings.home} holds an installation; restore into an empty NER_HOME.")
    if (settings.artifacts / "versions").exists():
        raise Conflict(f"{settings.artifacts} holds packages already; restore into an empty folder.")


def _find_staging(scratch: Path) -> Path:
    found = [path.parent for path in scratch.rglob(f"{STAGING}/{MANIFEST}")]
    if len(found) != 1:
        raise InvalidInput("This snapshot was not made by 'workbench backup': it has no manifest.")
    return found[0]


def _put_back_files(settings: Settings, scratch: Path, staged: Path, paths: dict[str, str]) -> None:
    targets = {"artifacts": settings.artifacts, "mlartifacts": settings.home / "mlartifacts"}
    for name, target in targets.items():
        source = scratch / paths[name].lstrip("/") if name in paths else None
        if source is not None and source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, target, dirs_exist_ok=True)
    bucket = open_bucket(settings)
    if bucket is not None:
        _put_back_objects(bucket, staged / BUCKET)
    if (staged / MLFLOW).exists() and not settings.mlflow_url:
        shutil.copy2(staged / MLFLOW, settings.home / MLFLOW)
    private, public = settings.signing_keys
    keys = {"secret.key": secret_key_path(settings), "admin.key": settings.home / "admin.key"}
    keys |= {private.name: private, public.name: public, "settings.env": settings.home / _AS_IT_WAS}
    for name, target in keys.items():
        if (staged / KEYS / name).exists() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(staged / KEYS / name, target)


def _put_back_objects(bucket: Bucket, folder: Path) -> None:
    """Bring back what the bucket has lost. What it still holds stays: a key names its content, or a redaction of it."""
    held = set(bucket.keys())
    for path in sorted(folder.rglob("*")):
        key = path.relative_to(folder).as_posix()
        if path.is_file() and key not in held:
            bucket.put(path, key)
