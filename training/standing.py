"""The worker's look at the versions that serve: measured from the log of traffic, stored for whoever shows it."""

import json
from typing import Any

from dashboards.standing import measure_standing
from ner.database import Database
from ner.errors import BrokenPackage
from ner.settings import Settings
from registry.packages import PackageStore, open_store
from registry.standing import VOCABULARY_OVERLAP, drop_figure, put_figures
from registry.versions import VersionRecord


def measure(database: Database, settings: Settings) -> int:
    """Measure every version that serves, and store it; how many figures there are."""
    packages = open_store(settings)
    with database.reading() as connection:
        figures = measure_standing(connection, lambda record: _profile(packages, record))
    measured = {(figure.version, figure.name) for figure in figures}
    with database.transaction() as connection:
        put_figures(connection, figures)
        for version in {figure.version for figure in figures}:
            if (version, VOCABULARY_OVERLAP) not in measured:
                drop_figure(connection, version, VOCABULARY_OVERLAP)
    return len(figures)


def _profile(packages: PackageStore, record: VersionRecord) -> dict[str, Any]:
    """The package's profile.json; empty where there is none to be read."""
    try:
        path = packages.folder(record.version, record.package_hash) / "profile.json"
        profile: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (BrokenPackage, OSError, ValueError):
        return {}
    return profile
