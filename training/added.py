"""A model that was trained elsewhere becomes a version: checked, scored on a dataset, profiled, signed, registered."""

import dataclasses
import json
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotation.snapshots import freeze, read_snapshot
from ner.database import Database, utc_now
from ner.documents import LabelledText, outermost
from ner.errors import InvalidInput
from ner.predictions import Tagger
from ner.settings import Settings
from ner.tokens import tokenize, words
from registry.bucket import open_bucket
from registry.features import build_vocabulary
from registry.packages import open_store, package_digest
from registry.taggers import load_tagger
from registry.versions import VersionRecord, next_version, register
from training.drafts import new_draft
from training.evaluation import evaluate
from training.lineage import git_commit, software
from training.splits import Splits, split

RECIPE = "added"
_EXECUTABLE = {".py", ".pyc", ".so", ".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib", ".npy", ".npz", ".h5"}
_ENCODER_FILES = ("tokenizer.json", "config.json")
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Source:
    backend: str
    copy: Callable[[Path, Path], None]


def add_version(
    database: Database,
    settings: Settings,
    folder: Path,
    *,
    dataset: str,
    actor: str,
    labels: Mapping[str, str] | None = None,
    report: Report = lambda _: None,
) -> VersionRecord:
    """Register the model in `folder`: a spaCy pipeline, or a Hugging Face token-classification model as ONNX.

    It is scored on the test part of `dataset`, which it may have learned from: nobody can tell. `labels` renames the
    model's labels to those of the dataset.

    Raises InvalidInput where the folder is neither, holds what could run code, or shares no label with the dataset,
    and BrokenPackage where it cannot be loaded.
    """
    started = utc_now()
    source = _recognise(folder)
    report("reading the dataset")
    bucket = open_bucket(settings)
    with database.transaction() as connection:
        snapshot = freeze(connection, dataset, actor=actor, folder=settings.artifacts, bucket=bucket)
    stored = read_snapshot(settings.artifacts, snapshot.hash, bucket)
    parts = split([LabelledText(document.text, outermost(document.spans)) for document in stored])
    vocabulary = build_vocabulary(word for one in parts.train for word in words(one.text, tokenize(one.text)))
    with new_draft(settings, f"added-{uuid.uuid4().hex}") as draft:
        source.copy(folder, draft)
        vocabulary.save(draft / "vocabulary.json")
        _write(draft / "metadata.json", {"format": 1, "backend": source.backend, "renamed": dict(labels or {})})
        report("loading the model")
        tagger = load_tagger(draft)
        _check_labels(tagger, parts, dataset)
        report("scoring")
        evaluation = evaluate(database, settings, tagger, parts, set(vocabulary.words), lambda: False)
        _write(draft / "labels.json", list(tagger.labels))
        _write(draft / "performance.json", evaluation.performance)
        _write(draft / "profile.json", evaluation.profile)
        _write(draft / "cells.json", evaluation.cells)
        record = VersionRecord(
            version="",
            recipe=RECIPE,
            trained_by=actor,
            training_started_at=started,
            training_completed_at=utc_now(),
            data_version=snapshot.hash,
            dataset=dataset,
            git_commit=git_commit(),
            hyperparameters={
                "source": folder.resolve().name,
                "source_digest": package_digest(folder),
                "renamed": dict(labels or {}),
            },
            performance=evaluation.performance,
            labels=list(tagger.labels),
            package_hash="",
        )
        report("registering")
        return _register(database, settings, draft, record, tagger)


def _recognise(folder: Path) -> _Source:
    strange = sorted(path.name for path in folder.rglob("*") if path.suffix.lower() in _EXECUTABLE and _is_code(path))
    if strange:
        raise InvalidInput(
            f"{folder} holds files that could run code when they are read, and such a model is not taken in: "
            f"{', '.join(strange[:5])}."
        )
    if (folder / "config.cfg").is_file() and (folder / "meta.json").is_file():
        return _Source("spacy", _copy_spacy)
    if all((folder / name).is_file() for name in _ENCODER_FILES) and _graph_of(folder) is not None:
        return _Source("onnx_encoder", _copy_encoder)
    raise InvalidInput(
        f"{folder} is neither a spaCy pipeline (config.cfg and meta.json) nor a Hugging Face token-classification "
        "model as ONNX (tokenizer.json, config.json, and model.onnx or onnx/model.onnx)."
    )


def _is_code(path: Path) -> bool:
    """A pickle opens with its protocol number or is a zip archive of pickles; modules are code by name."""
    if path.suffix.lower() in {".py", ".pyc", ".so"}:
        return True
    with path.open("rb") as stream:
        head = stream.read(2)
    return head in {b"PK", *(bytes([0x80, protocol]) for protocol in range(2, 6))}


def _copy_spacy(folder: Path, draft: Path) -> None:
    shutil.copytree(folder, draft / "spacy")


def _copy_encoder(folder: Path, draft: Path) -> None:
    graph = _graph_of(folder)
    assert graph is not None
    shutil.copyfile(graph, draft / "model.onnx")
    for name in _ENCODER_FILES:
        shutil.copyfile(folder / name, draft / name)


def _graph_of(folder: Path) -> Path | None:
    places = (folder / "model.onnx", folder / "onnx" / "model.onnx")
    return next((place for place in places if place.is_file()), None)


def _check_labels(tagger: Tagger, parts: Splits[LabelledText], dataset: str) -> None:
    used = {span.label for part in (parts.train, parts.dev, parts.test) for one in part for span in one.spans}
    if not parts.test:
        raise InvalidInput(f"No document of dataset '{dataset}' falls into the test part; import more.")
    if not used & set(tagger.labels):
        raise InvalidInput(
            f"The model finds {', '.join(tagger.labels)} and dataset '{dataset}' has {', '.join(sorted(used))}: no "
            "label in common. Rename the model's with --label FROM=TO."
        )


def _register(
    database: Database, settings: Settings, draft: Path, record: VersionRecord, tagger: Tagger
) -> VersionRecord:
    with database.transaction() as connection:
        record = dataclasses.replace(record, version=next_version(connection))
        metadata: dict[str, Any] = json.loads((draft / "metadata.json").read_text(encoding="utf-8"))
        facts = {
            "version": record.version,
            "recipe": RECIPE,
            "labels": list(tagger.labels),
            "confidence_kind": tagger.confidence_kind,
            "parameters": record.hyperparameters,
            "history": [],
            "dataset": record.dataset,
            "data_version": record.data_version,
            "splits": record.performance["splits"],
            "git_commit": record.git_commit,
            "trained_by": record.trained_by,
            "created_at": record.created_at.isoformat(),
            "software": software(),
        }
        _write(draft / "metadata.json", metadata | facts)
        digest = open_store(settings).add(record.version, draft)
        record = dataclasses.replace(record, package_hash=digest)
        register(connection, record)
    return record


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
