"""The versions that were registered, and the seven facts of each."""

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner import tables
from ner.database import lock_for_appending, utc_now
from ner.errors import NotFound
from registry import audit


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """A registered model: who trained it, when, on what data, with which code and parameters, and how good it is."""

    version: str
    recipe: str
    trained_by: str
    training_started_at: dt.datetime
    training_completed_at: dt.datetime
    data_version: str
    dataset: str
    git_commit: str
    hyperparameters: dict[str, Any]
    performance: dict[str, Any]
    labels: list[str]
    package_hash: str
    run_id: str | None = None
    mlflow_run_id: str | None = None
    mlflow_version: str | None = None
    created_at: dt.datetime = dataclasses.field(default_factory=utc_now)


def register(connection: Connection, record: VersionRecord) -> None:
    """Write the version and its audit entry in the caller's transaction."""
    connection.execute(tables.versions.insert().values(**dataclasses.asdict(record)))
    audit.append(
        connection,
        actor=record.trained_by,
        action="version.registered",
        subject=record.version,
        details={
            "recipe": record.recipe,
            "dataset": record.dataset,
            "data_version": record.data_version,
            "git_commit": record.git_commit,
            "training_started_at": record.training_started_at.isoformat(),
            "training_completed_at": record.training_completed_at.isoformat(),
            "hyperparameters": record.hyperparameters,
            "f1": record.performance.get("f1"),
            "package_hash": record.package_hash,
        },
    )


def next_version(connection: Connection, *, bump: Literal["major", "minor", "patch"] = "minor") -> str:
    """The semantic version after the highest one; 1.0.0 for the first.

    Holds a lock until the transaction ends, so that two registrations cannot take one number.
    """
    lock_for_appending(connection, "versions")
    taken = [_parts(name) for name in connection.scalars(sa.select(tables.versions.c.version))]
    if not taken:
        return "1.0.0"
    major, minor, patch = max(taken)
    if bump == "major":
        return f"{major + 1}.0.0"
    return f"{major}.{minor + 1}.0" if bump == "minor" else f"{major}.{minor}.{patch + 1}"


def get_version(connection: Connection, version: str) -> VersionRecord:
    """Raises NotFound, naming the versions there are."""
    row = connection.execute(sa.select(tables.versions).where(tables.versions.c.version == version)).mappings().first()
    if row is None:
        known = ", ".join(record.version for record in list_versions(connection)[:10]) or "none yet"
        raise NotFound(f"There is no version '{version}'. Registered: {known}.")
    return VersionRecord(**row)


def list_versions(connection: Connection) -> list[VersionRecord]:
    """Every version, newest first."""
    rows = connection.execute(sa.select(tables.versions)).mappings()
    return sorted((VersionRecord(**row) for row in rows), key=lambda record: _parts(record.version), reverse=True)


def note_mlflow(connection: Connection, version: str, *, mlflow_run_id: str, mlflow_version: str) -> None:
    """Remember where MLflow keeps the version."""
    connection.execute(
        tables.versions.update()
        .where(tables.versions.c.version == version)
        .values(mlflow_run_id=mlflow_run_id, mlflow_version=mlflow_version)
    )


def _parts(version: str) -> tuple[int, int, int]:
    major, minor, patch = version.split(".")
    return int(major), int(minor), int(patch)
