"""The worker's look at the versions that serve: measured from the log of traffic, stored for whoever shows it."""

import json
from functools import partial
from itertools import product
from typing import Any

from dashboards.standing import measure_standing
from ner.database import Database
from ner.errors import BrokenPackage
from ner.predictions import Tagger
from ner.settings import Settings
from registry.packages import PackageStore, open_store
from registry.rollout import current_rollout
from registry.standing import F1_ESTIMATE, VOCABULARY_OVERLAP, drop_figure, put_figures
from registry.taggers import load_tagger
from registry.versions import VersionRecord, get_version
from training.corrected import score_corrections


def measure(database: Database, settings: Settings) -> int:
    """Measure every version that serves, and store it; how many figures there are."""
    packages = open_store(settings)
    for record in _serving(database):
        score_corrections(database, record, partial(_tagger, packages, record))
    with database.reading() as connection:
        figures = measure_standing(connection, lambda record: _profile(packages, record))
    measured = {(figure.version, figure.name) for figure in figures}
    with database.transaction() as connection:
        put_figures(connection, figures)
        for version, name in product({figure.version for figure in figures}, (VOCABULARY_OVERLAP, F1_ESTIMATE)):
            if (version, name) not in measured:
                drop_figure(connection, version, name)
    return len(figures)


def _serving(database: Database) -> list[VersionRecord]:
    with database.reading() as connection:
        rollout = current_rollout(connection)
        return [get_version(connection, name) for name in (rollout.stable, rollout.canary) if name is not None]


def _tagger(packages: PackageStore, record: VersionRecord) -> Tagger:
    return load_tagger(packages.folder(record.version, record.package_hash))


def _profile(packages: PackageStore, record: VersionRecord) -> dict[str, Any]:
    """The package's profile.json; empty where there is none to be read."""
    try:
        path = packages.folder(record.version, record.package_hash) / "profile.json"
        profile: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (BrokenPackage, OSError, ValueError):
        return {}
    return profile
