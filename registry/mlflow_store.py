"""MLflow's view of the versions: one experiment, one registered model. Besides the model's own file nothing else knows
MLflow. The SQL database is what counts; MLflow mirrors it, and every call may be repeated after a crash.
"""

import contextlib
import importlib.metadata
import io
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# MLflow reads these when it is imported.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_CONFIGURE_LOGGING", "false")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")

import mlflow
import mlflow.pyfunc
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException as MlflowException  # for those who tell MLflow something

from registry.rollout import Rollout
from registry.versions import VersionRecord

EXPERIMENT = "ner-workbench"
MODEL = "ner"
ALIASES = ("stable", "canary", "previous")

_MODEL_CODE = Path(__file__).with_name("mlflow_model.py")
_BACKENDS = {
    "onnx": ("onnxruntime", "threadpoolctl"),
    "onnx_encoder": ("onnxruntime", "tokenizers"),
    "spacy": ("spacy",),
}
_EXAMPLE = ["John lives in New York", "Google acquired YouTube"]
_LONGEST_VALUE = 6000
_DIGEST_LENGTH = 36
_NOT_IN_A_NAME = re.compile(r"[^\w\-. /]")


@dataclass(frozen=True, slots=True)
class LoggedVersion:
    """Where MLflow keeps a version: its run, and the number it gave to the registered model."""

    mlflow_run_id: str
    mlflow_version: str


class MlflowStore:
    """Writes to one MLflow tracking store and registry.

    `tracking_uri`: a database URL, or the http address of an MLflow server. `artifacts`: the folder for files where
    MLflow runs on a database without a server between; a server chooses its own place.

    Methods raise MlflowException, or the database's errors, when MLflow cannot be reached.
    """

    def __init__(self, tracking_uri: str, artifacts: Path) -> None:
        self._uri = tracking_uri
        self._artifacts = artifacts
        mlflow.set_tracking_uri(tracking_uri)
        mlflow.set_registry_uri(tracking_uri)
        self.client = MlflowClient(tracking_uri, tracking_uri)

    def log_version(
        self,
        record: VersionRecord,
        package: Path,
        *,
        snapshot: Path,
        history: Sequence[Mapping[str, float]],
        pictures: Sequence[Path],
    ) -> LoggedVersion:
        """Log the training run of a version and register the version's package as a model that `mlflow.pyfunc` loads.

        `snapshot`: the file of the data that it learned from; `history`: an item per epoch, as in `registry.runs`.
        A version that was logged before is found again; one that was half logged when a process died is logged anew.
        """
        experiment_id = self._experiment()
        logged = self._find(experiment_id, record)
        if logged is not None:
            return logged
        run_id = self._start_run(experiment_id, record)
        self._log_figures(run_id, record, history)
        self._log_dataset(run_id, record, snapshot)
        for path in (*pictures, package / "metadata.json", package / "performance.json"):
            self.client.log_artifact(run_id, str(path))
        number = self._register(run_id, record, package)
        self.client.set_terminated(run_id, end_time=_milliseconds(record.training_completed_at.timestamp()))
        return LoggedVersion(run_id, number)

    def numbers(self) -> dict[str, str]:
        """The versions that MLflow knows, with the number that it gave to each."""
        return {
            found.tags["version"]: str(found.version)
            for found in self.client.search_model_versions(f"name = '{MODEL}'")
            if "version" in found.tags
        }

    def mirror_aliases(self, rollout: Rollout) -> None:
        """Let the aliases stable, canary and previous point where the rollout points. Repeating it changes nothing."""
        numbers = self.numbers()
        if not numbers:
            return
        present = self.client.get_registered_model(MODEL).aliases
        for alias in ALIASES:
            wanted = numbers.get(getattr(rollout, alias) or "")
            if wanted is not None and str(present.get(alias)) != str(wanted):
                self.client.set_registered_model_alias(MODEL, alias, wanted)
            elif wanted is None and alias in present:
                self.client.delete_registered_model_alias(MODEL, alias)

    def _experiment(self) -> str:
        found = self.client.get_experiment_by_name(EXPERIMENT)
        if found is not None:
            return str(found.experiment_id)
        try:
            return str(self.client.create_experiment(EXPERIMENT, artifact_location=self._artifact_location()))
        except MlflowException:
            # Another process made it in this moment.
            found = self.client.get_experiment_by_name(EXPERIMENT)
            if found is None:
                raise
            return str(found.experiment_id)

    def _artifact_location(self) -> str | None:
        if self._uri.startswith("http"):
            return None
        # A file address, which the server beside the same database can read as well.
        return (self._artifacts / EXPERIMENT).resolve().as_uri()

    def _find(self, experiment_id: str, record: VersionRecord) -> LoggedVersion | None:
        same = f"tags.package_hash = '{record.package_hash}' and tags.version = '{record.version}'"
        for run in self.client.search_runs([experiment_id], same, ViewType.ACTIVE_ONLY):
            run_id = run.info.run_id
            models = self.client.search_model_versions(f"run_id = '{run_id}'")
            if run.info.status == "FINISHED" and models:
                return LoggedVersion(run_id, str(models[0].version))
            for model in models:
                self.client.delete_model_version(MODEL, model.version)
            self.client.delete_run(run_id)
        return None

    def _start_run(self, experiment_id: str, record: VersionRecord) -> str:
        tags = {
            "version": record.version,
            "recipe": record.recipe,
            "dataset": record.dataset,
            "data_version": record.data_version,
            "trained_by": record.trained_by,
            "git_commit": record.git_commit,
            "mlflow.source.git.commit": record.git_commit.partition("+")[0],
            "mlflow.user": record.trained_by,
            "package_hash": record.package_hash,
            "workbench_run": record.run_id or "",
            "training_started_at": record.training_started_at.isoformat(),
            "training_completed_at": record.training_completed_at.isoformat(),
        }
        started = _milliseconds(record.training_started_at.timestamp())
        name = f"{record.recipe} {record.version}"
        run = self.client.create_run(experiment_id, start_time=started, tags=tags, run_name=name)
        return str(run.info.run_id)

    def _log_figures(self, run_id: str, record: VersionRecord, history: Sequence[Mapping[str, float]]) -> None:
        parameters = {"recipe": record.recipe, "dataset": record.dataset, **record.hyperparameters}
        self.client.log_batch(
            run_id,
            metrics=[*_epoch_metrics(record, history), *_final_metrics(record)],
            params=[Param(_name(key), _text(value)) for key, value in parameters.items()],
            tags=[RunTag("labels", _text(record.labels))],
        )

    def _log_dataset(self, run_id: str, record: VersionRecord, snapshot: Path) -> None:
        dataset = Dataset(
            name=record.dataset,
            digest=record.data_version[:_DIGEST_LENGTH],
            source_type="local",
            source=json.dumps({"uri": str(snapshot)}),
            profile=json.dumps(record.performance.get("splits", {})),
        )
        self.client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])

    def _register(self, run_id: str, record: VersionRecord, package: Path) -> str:
        backend = json.loads((package / "metadata.json").read_text(encoding="utf-8"))["backend"]
        floor = _MODEL_CODE.parents[1]
        packages = ("mlflow", "numpy", "pydantic", *_BACKENDS[backend])
        # MLflow prints to stderr that it registered a model, in the midst of log lines and progress bars.
        with mlflow.start_run(run_id=run_id), contextlib.redirect_stderr(io.StringIO()):
            model = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(_MODEL_CODE),
                artifacts={"package": str(package)},
                code_paths=[str(floor / "ner"), str(floor / "registry")],
                input_example=_EXAMPLE,
                pip_requirements=[f"{name}=={importlib.metadata.version(name)}" for name in packages],
                registered_model_name=MODEL,
                metadata={"version": record.version, "package_hash": record.package_hash},
            )
        number = str(model.registered_model_version)
        for key in ("version", "recipe", "dataset", "data_version", "git_commit", "trained_by"):
            self.client.set_model_version_tag(MODEL, number, key, getattr(record, key))
        return number


def _epoch_metrics(record: VersionRecord, history: Sequence[Mapping[str, float]]) -> Iterator[Metric]:
    names = {"loss": "train_loss", "dev_loss": "val_loss", "f1": "f1_score", "precision": "precision"}
    names |= {"recall": "recall", "seconds": "epoch_seconds"}
    moment = record.training_started_at.timestamp()
    for item in history:
        moment += item.get("seconds", 0.0)
        for key, name in names.items():
            if item.get(key) is not None:
                yield Metric(name, float(item[key]), _milliseconds(moment), int(item["epoch"]))


def _final_metrics(record: VersionRecord) -> Iterator[Metric]:
    facts: dict[str, Any] = dict(record.performance)
    figures = {f"test_{key}": facts.get(key) for key in ("precision", "recall", "entities", "documents")}
    figures["test_f1_score"] = facts.get("f1")
    figures["test_f1_low"], figures["test_f1_high"] = facts.get("f1_interval", (None, None))
    figures["test_calibration_error"] = facts.get("confidence", {}).get("ece")
    figures |= {f"test_f1_score/{label}": scores["f1"] for label, scores in facts.get("per_label", {}).items()}
    figures["f1_score_gain_over_stable"] = (facts.get("baseline") or {}).get("difference", {}).get("difference")
    moment = _milliseconds(record.training_completed_at.timestamp())
    for name, value in figures.items():
        if value is not None:
            yield Metric(_name(name), float(value), moment, 0)


def _name(name: str) -> str:
    return _NOT_IN_A_NAME.sub("_", name)[:250]


def _text(value: Any) -> str:
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))[:_LONGEST_VALUE]


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)
