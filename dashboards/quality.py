"""How good each version was on its own test part, as it was measured when it was trained."""

from typing import Any

from sqlalchemy.engine import Connection

from registry.rollout import aliases_of, current_rollout
from registry.versions import VersionRecord, list_versions

_FIGURES = ("scheme", "part", "documents", "entities", "precision", "recall", "f1", "precision_interval")
_PARTS = (
    "recall_interval",
    "f1_interval",
    "per_label",
    "per_tag",
    "confusion",
    "outcomes",
    "schemes",
    "confidence",
    "baseline",
)


def quality(connection: Connection) -> dict[str, Any]:
    """All versions, newest first, each with its aliases, lineage and the content of its `performance.json`.

    Versions trained on different data were measured on different test parts: "data_version" says which, and only
    versions of one data version stand fairly beside each other; "baseline" is the stable version of the time on the
    same documents. Figures that a version does not have are None.
    """
    rollout = current_rollout(connection)
    return {
        "stable": rollout.stable,
        "canary": rollout.canary,
        "versions": [_version(record, aliases_of(rollout, record.version)) for record in list_versions(connection)],
    }


def _version(record: VersionRecord, aliases: list[str]) -> dict[str, Any]:
    return {
        "version": record.version,
        "aliases": aliases,
        "recipe": record.recipe,
        "dataset": record.dataset,
        "data_version": record.data_version,
        "trained_at": record.training_completed_at.isoformat(),
        **{name: record.performance.get(name) for name in (*_FIGURES, *_PARTS)},
    }
