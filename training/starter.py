"""The first start: where no version is registered, a model is trained on the starter corpus and answers at once."""

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from tqdm import tqdm

from annotation.formats import WrittenDocument, write_documents
from annotation.imports import import_file
from ner import tables
from ner.database import Database
from ner.settings import Settings
from registry import rollout, runs, versions
from registry.progress import Progress
from training.attempt import make_attempt
from training.mirror import mirror
from training.starter_corpus import generate

DATASET = "starter"
ACTOR = "system"
RECIPE = "bilstm_crf.v1"
SENTENCES = 4000
SEED = 1
QUICK = {"epochs": 5, "members": 1, "lstm_units": 100}

_BAR = "{desc:<34}{bar}| {n:3.0f} % {elapsed}"

_log = logging.getLogger(__name__)


def ensure_starter(
    database: Database,
    settings: Settings,
    *,
    sentences: int = SENTENCES,
    parameters: Mapping[str, int | float] = MappingProxyType(QUICK),
    tells_mlflow: bool = True,
) -> str:
    """Make sure that a version answers, and return a sentence that says which.

    Does nothing where versions are registered, and may be called again after it was killed: an unfinished attempt is
    superseded, and a starter version that was registered without becoming stable becomes stable. Where MLflow's server
    is not there yet, `tells_mlflow` is False and the worker tells it later.
    """
    with database.transaction() as connection:
        present = _stable_starter(connection)
    if present is not None:
        return present
    bar: tqdm[Any]
    with tqdm(total=100, desc="Starter model: corpus", bar_format=_BAR) as bar:
        _store_corpus(database, sentences)
        with database.transaction() as connection:
            runs.supersede(connection, DATASET, ACTOR, "The first start was interrupted; a later one took its place.")
            run = runs.request_run(connection, DATASET, RECIPE, dict(parameters), ACTOR)
            run = runs.claim_this_run(connection, run.id, "starter")
        record = make_attempt(database, settings, run, watch=lambda progress: _show(bar, progress))
        with database.transaction() as connection:
            rollout.set_stable(connection, record.version, actor=ACTOR, reason="the first version")
        if tells_mlflow:
            _show(bar, Progress("telling MLflow", 0.97))
            _tell_mlflow(database, settings)
        _show(bar, Progress("done", 1.0))
    f1 = record.performance["f1"]
    return f"The starter model is version {record.version}; its F1 on starter sentences it has not seen is {f1:.2f}."


def _stable_starter(connection: Connection) -> str | None:
    registered = versions.list_versions(connection)
    stable = rollout.current_rollout(connection).stable
    if not registered or stable is not None:
        return f"Version {stable} is stable." if stable is not None else None
    of_starter = [record.version for record in registered if record.dataset == DATASET and record.trained_by == ACTOR]
    if not of_starter:
        return f"{len(registered)} versions are registered, none of them stable; promote one."
    rollout.set_stable(connection, of_starter[-1], actor=ACTOR, reason="the first version")
    return f"Version {of_starter[-1]} is stable."


def _store_corpus(database: Database, sentences: int) -> None:
    with database.reading() as connection:
        stored = connection.scalar(sa.select(tables.datasets.c.id).where(tables.datasets.c.name == DATASET))
    if stored is not None:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "starter.jsonl"
        with path.open("wb") as stream:
            write_documents(
                (WrittenDocument(one.text, one.spans) for one in generate(sentences, SEED)), "jsonl", stream
            )
        with database.transaction() as connection:
            import_file(connection, path, dataset=DATASET, format_name="jsonl", actor=ACTOR)


def _show(bar: "tqdm[Any]", progress: Progress) -> None:
    epoch = f" {progress.epoch} of {progress.epochs}" if progress.stage == "training" and progress.epoch else ""
    bar.set_description_str(f"Starter model: {progress.stage}{epoch}", refresh=False)
    bar.n = round(100 * progress.fraction)
    bar.refresh()


def _tell_mlflow(database: Database, settings: Settings) -> None:
    try:
        mirror(database, settings)
    except Exception as error:
        # Whatever MLflow's trouble is, the version answers, and the worker tells MLflow later.
        _log.warning("MLflow was not told of the starter model: %s", error)
