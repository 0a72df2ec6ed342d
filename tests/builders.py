"""One line per object that tests need."""

from typing import Any

from sqlalchemy.engine import Connection

from ner.database import utc_now
from registry.versions import VersionRecord, register


def a_version(version: str = "1.0.0", **changes: Any) -> VersionRecord:
    facts: dict[str, Any] = {
        "version": version,
        "recipe": "bilstm_crf.v1",
        "trained_by": "ada",
        "training_started_at": utc_now(),
        "training_completed_at": utc_now(),
        "data_version": "d" * 64,
        "dataset": "news",
        "git_commit": "c" * 40,
        "hyperparameters": {"epochs": 3},
        "performance": {"scheme": "strict", "f1": 0.9, "f1_interval": [0.88, 0.92]},
        "labels": ["geo", "per"],
        "package_hash": "p" * 64,
    }
    return VersionRecord(**(facts | changes))


def registered(connection: Connection, *versions: str) -> None:
    for version in versions:
        register(connection, a_version(version))
