"""One run, from what people settled to a registered version: freeze, split, fit, score, register.

Killed at any point it leaves no version or a whole one: files go to a draft folder, and the version, its audit entry
and the end of the run are one transaction. Taken up again, it learns from the same snapshot, and goes on after its last
epoch where the recipe keeps checkpoints and the software is the same.
"""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ner.database import Database, utc_now
from ner.settings import Settings, secret_key, secret_keys
from registry import runs
from registry.gate import judge
from registry.ownership_keys import remember_keys
from registry.packages import open_store
from registry.progress import Progress
from registry.runs import Run
from registry.sealing import Seals
from registry.taggers import load_tagger
from registry.versions import VersionRecord, next_version, register
from training.behaviour import check_behaviour
from training.checkpoints import Checkpoints, checkpoint_folder, identity_of
from training.drafts import new_draft
from training.evaluation import evaluate
from training.fitting import Epoch, fit
from training.frozen import Frozen, freeze_dataset
from training.lineage import git_commit, software
from training.recipes import Recipe, get_recipe

_TRAINING, _SCORING, _REGISTERING = 0.05, 0.85, 0.95
_RESULT = ("f1", "precision", "recall", "f1_interval", "documents", "entities")


def run_training(
    database: Database,
    settings: Settings,
    run: Run,
    report: Callable[[Progress], None],
    should_stop: Callable[[], bool],
) -> VersionRecord:
    """Train the claimed run and register its version.

    Raises InvalidInput when the data or the parameters cannot be trained on, RunCancelled when `should_stop` says so,
    and Conflict when the run is no longer this claim's.
    """
    started = utc_now()
    report(Progress("snapshot"))
    recipe = get_recipe(run.recipe, run.parameters)
    frozen = freeze_dataset(database, settings, run)
    checkpoints = _checkpoints(settings, run, recipe, frozen)
    relay = _EpochRelay(report, checkpoints)
    with new_draft(settings, run.id) as draft:
        train = frozen.lesson(recipe, secret_key(settings))
        fitted = fit(
            recipe, train, frozen.parts.dev, frozen.labels, draft, relay, should_stop, checkpoints, frozen.judged
        )
        relay.enter("scoring", _SCORING)
        # From the files that will serve, not from the network in memory.
        tagger = load_tagger(draft)
        evaluation = evaluate(database, settings, tagger, frozen.parts, fitted.vocabulary, should_stop)
        figures = evaluation.performance | {"behaviour": check_behaviour(tagger, frozen.must_pass, should_stop)}
        figures["judged"] = fitted.judged
        figures["gate"] = dataclasses.asdict(judge(figures))
        relay.enter("registering", _REGISTERING)
        _write(draft / "performance.json", figures)
        _write(draft / "profile.json", evaluation.profile)
        _write(draft / "cells.json", evaluation.cells)
        record = VersionRecord(
            version="",
            recipe=recipe.name,
            trained_by=run.requested_by,
            training_started_at=started,
            training_completed_at=utc_now(),
            data_version=frozen.data_version,
            dataset=run.dataset,
            git_commit=git_commit(),
            hyperparameters=dict(recipe.parameters),
            performance=figures,
            labels=list(tagger.labels),
            package_hash="",
            run_id=run.id,
        )
        notes: dict[str, Any] = {
            "nested_left_out": frozen.nested_left_out,
            "leaks_left_out": len(frozen.leaks),
            "findings": [dataclasses.asdict(fault) for fault in frozen.findings],
            "attempts": run.attempts,
            "epochs_before_this_attempt": checkpoints.epochs_before,
        }
        record = _register(database, settings, run, draft, record, relay.progress, notes)
    checkpoints.remove()
    return record


def _checkpoints(settings: Settings, run: Run, recipe: Recipe, frozen: Frozen) -> Checkpoints:
    identity = identity_of(
        recipe=recipe.name,
        parameters=dict(recipe.parameters),
        data=frozen.data_version,
        labels=frozen.labels,
        commit=git_commit(),
        software=software(),
    )
    return Checkpoints(checkpoint_folder(settings, run.id), identity)


def _register(
    database: Database,
    settings: Settings,
    run: Run,
    draft: Path,
    record: VersionRecord,
    progress: Progress,
    notes: dict[str, Any],
) -> VersionRecord:
    seconds = (record.training_completed_at - record.training_started_at).total_seconds()
    result = {name: record.performance[name] for name in _RESULT} | {"seconds": seconds}
    with database.transaction() as connection:
        record = dataclasses.replace(record, version=next_version(connection))
        # First, so that a run that was cancelled or taken over stops here, before anything is written for it.
        runs.finish_run(connection, run, progress, version=record.version, result=result)
        _write(draft / "metadata.json", _metadata(draft, record) | notes)
        if record.hyperparameters.get("watermark"):
            remember_keys(connection, Seals(*secret_keys(settings)))
        digest = open_store(settings).add(record.version, draft)
        record = dataclasses.replace(record, package_hash=digest)
        register(connection, record)
    return record


def _metadata(draft: Path, record: VersionRecord) -> dict[str, Any]:
    """What fitting wrote (backend, labels, parameters, history, parity), and the lineage."""
    written: dict[str, Any] = json.loads((draft / "metadata.json").read_text(encoding="utf-8"))
    return written | {
        "version": record.version,
        "dataset": record.dataset,
        "data_version": record.data_version,
        "splits": record.performance["splits"],
        "git_commit": record.git_commit,
        "trained_by": record.trained_by,
        "training_started_at": record.training_started_at.isoformat(),
        "training_completed_at": record.training_completed_at.isoformat(),
        "created_at": record.created_at.isoformat(),
        "run_id": record.run_id,
        "software": software(),
    }


class _EpochRelay:
    """Turns the epochs that fitting reports into the progress of the run."""

    def __init__(self, report: Callable[[Progress], None], checkpoints: Checkpoints) -> None:
        self._report = report
        self._checkpoints = checkpoints
        self.progress = Progress()
        self.enter("training", _TRAINING)

    def enter(self, stage: str, fraction: float) -> None:
        """Begin a stage of the run."""
        self.progress = dataclasses.replace(self.progress, stage=stage, fraction=fraction, seconds_left=None)
        self._report(self.progress)

    def __call__(self, epoch: Epoch) -> None:
        item = {"epoch": epoch.epoch, "loss": epoch.loss, "f1": epoch.f1, "seconds": epoch.seconds}
        self.progress = Progress(
            stage="training",
            fraction=_TRAINING + (_SCORING - _TRAINING) * epoch.epoch / max(1, epoch.epochs),
            epoch=epoch.epoch,
            epochs=epoch.epochs,
            loss=epoch.loss,
            f1=epoch.f1,
            seconds_left=epoch.seconds_left,
            history=[*self.progress.history, item],
            epochs_before=self._checkpoints.epochs_before,
        )
        self._report(self.progress)


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
