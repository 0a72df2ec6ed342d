"""What MLflow does not know yet is told to it: versions that were registered, and where the aliases point.

A version never waits for MLflow. When MLflow is down, nothing is lost: it is told later.
"""

import fcntl
import json
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner import tables
from ner.database import Database, utc_now
from ner.errors import BrokenPackage
from ner.settings import Settings
from registry import runs, versions
from registry.packages import open_store
from registry.rollout import current_rollout
from registry.versions import VersionRecord

if TYPE_CHECKING:
    from registry.mlflow_store import MlflowStore

_log = logging.getLogger(__name__)
_SWITCH = "mlflow.mirrored_epoch"


def is_behind(connection: Connection) -> bool:
    """Whether a version or a change of the rollout has not reached MLflow."""
    unlogged = sa.select(tables.versions.c.version).where(tables.versions.c.mlflow_version.is_(None)).limit(1)
    return connection.scalar(unlogged) is not None or current_rollout(connection).epoch != _mirrored_epoch(connection)


def ask_again(connection: Connection) -> None:
    """Let the worker ask MLflow once more what it knows, and tell it the rest."""
    connection.execute(tables.switches.delete().where(tables.switches.c.name == _SWITCH))


def mirror(database: Database, settings: Settings) -> int:
    """Log every version that MLflow misses, oldest first, then mirror the aliases; returns how many were logged.

    What it misses is asked of it: one that lost its own database, or was left out of a backup, is told everything anew.
    One process at a time does this; another one returns at once. Raises what MLflow raises when it cannot be reached.
    """
    with _alone(database, settings) as is_alone:
        return _mirror(database, settings) if is_alone else 0


def _mirror(database: Database, settings: Settings) -> int:
    # MLflow takes seconds to import, and only this function needs it.
    from registry.mlflow_store import MlflowStore

    store = MlflowStore(settings.mlflow, settings.home / "mlartifacts")
    known = store.numbers()
    with database.reading() as connection:
        late = [
            record
            for record in versions.list_versions(connection)
            if record.mlflow_version is None or known.get(record.version) != record.mlflow_version
        ]
    logged = 0
    for record in reversed(late):
        try:
            _log_version(database, settings, store, record)
            logged += 1
        except BrokenPackage as error:
            _log.error("MLflow was not told of version %s: %s", record.version, error.message)
    with database.reading() as connection:
        rollout = current_rollout(connection)
    store.mirror_aliases(rollout)
    with database.transaction() as connection:
        _note_epoch(connection, rollout.epoch)
    return logged


def _log_version(database: Database, settings: Settings, store: "MlflowStore", record: VersionRecord) -> None:
    from training.pictures import draw_pictures

    package = open_store(settings).folder(record.version, record.package_hash)
    history = json.loads((package / "metadata.json").read_text(encoding="utf-8")).get("history", [])
    snapshot = settings.artifacts / "snapshots" / f"{record.data_version}.jsonl.gz"
    with tempfile.TemporaryDirectory() as folder:
        pictures = draw_pictures(record.performance, history, Path(folder))
        logged = store.log_version(record, package, snapshot=snapshot, history=history, pictures=pictures)
    with database.transaction() as connection:
        versions.note_mlflow(
            connection, record.version, mlflow_run_id=logged.mlflow_run_id, mlflow_version=logged.mlflow_version
        )
        if record.run_id is not None:
            runs.note_mlflow_run(connection, record.run_id, logged.mlflow_run_id)


@contextmanager
def _alone(database: Database, settings: Settings) -> Iterator[bool]:
    """Whether this process holds the lock; it goes with the process, however that ends."""
    if not database.is_sqlite:
        with database.reading() as connection:
            yield bool(connection.scalar(sa.text("SELECT pg_try_advisory_xact_lock(hashtext('mlflow'))")))
        return
    settings.home.mkdir(parents=True, exist_ok=True)
    with (settings.home / "mirror.lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _mirrored_epoch(connection: Connection) -> int:
    value = connection.scalar(sa.select(tables.switches.c.value).where(tables.switches.c.name == _SWITCH))
    return int(value["epoch"]) if value is not None else 0


def _note_epoch(connection: Connection, epoch: int) -> None:
    ask_again(connection)
    connection.execute(
        tables.switches.insert().values(name=_SWITCH, value={"epoch": epoch}, changed_by="system", changed_at=utc_now())
    )
