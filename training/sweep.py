"""Hyper-parameter sweeps: every combination tried on the same frozen train and dev parts, here or on a cluster.

A trial is one training with a fixed seed and a score on dev; it registers nothing and never sees the test part. What a
trial found is kept as soon as it ends, so a sweep that was stopped goes on with the combinations that are missing.
"""

import itertools
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from annotation.snapshots import freeze, read_snapshot
from ner.database import Database
from ner.documents import LabelledText, outermost
from ner.errors import InvalidInput
from ner.settings import Settings
from registry.bucket import open_bucket
from registry.cluster import Cluster
from registry.recipes import get_recipe
from training.checkpoints import identity_of
from training.fitted import Epoch
from training.fitting import fit
from training.frozen import cut

FOLDER = "sweeps"
_MOST_TRIALS = 1000

Changes: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Material:
    """What every trial of a sweep shares."""

    recipe: str
    data_version: str
    train: Sequence[LabelledText]
    dev: Sequence[LabelledText]
    labels: Sequence[str]


@dataclass(frozen=True, slots=True)
class Trial:
    """The changes of the recipe, the best strict F1 on dev, and after how many epochs training ended."""

    changes: Changes
    f1: float
    best_epoch: int
    epochs: int


Engine: TypeAlias = Callable[[Material, Iterable[Changes]], Iterator[tuple[Changes, Trial]]]
"""Tries combinations and gives each back with what it found, in order."""


def freeze_material(database: Database, settings: Settings, dataset: str, recipe: str, actor: str) -> Material:
    """The dataset's gold as it is now, cut as a run cuts it. Raises NotFound for the dataset, Conflict without gold."""
    bucket = open_bucket(settings)
    with database.transaction() as connection:
        snapshot = freeze(connection, dataset, actor=actor, folder=settings.artifacts, bucket=bucket)
    stored = read_snapshot(settings.artifacts, snapshot.hash, bucket)
    flat = {document.document_id: LabelledText(document.text, outermost(document.spans)) for document in stored}
    parts, _ = cut(stored, flat)
    labels = sorted({span.label for document in parts.train for span in document.spans})
    return Material(recipe, snapshot.hash, parts.train, parts.dev, labels)


def read_sweep(file: Path, recipe: str) -> list[Changes]:
    """The combinations that a YAML or JSON file asks for: `parameter: [values]`, all with all.

    Raises InvalidInput where the file is not of that shape, or the recipe does not take a value.
    """
    try:
        asked = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} is neither YAML nor JSON: {error}") from error
    if not isinstance(asked, dict) or not all(isinstance(values, list) and values for values in asked.values()):
        raise InvalidInput(f"{file} must hold lines such as 'learning_rate: [0.001, 0.002]'.")
    grid = [dict(zip(asked, values, strict=True)) for values in itertools.product(*asked.values())]
    if len(grid) > _MOST_TRIALS:
        raise InvalidInput(f"{file} asks for {len(grid):,} trainings; at most {_MOST_TRIALS:,} make a sweep.")
    for changes in grid:
        get_recipe(recipe, changes)
    return grid


def run_sweep(
    material: Material,
    grid: Sequence[Changes],
    engine: Engine,
    folder: Path,
    report: Callable[[Trial], object] = lambda _: None,
) -> list[Trial]:
    """Every combination's trial, the best first. `folder` keeps what was found; `report` hears of each trial."""
    kept = folder / f"{_identity(material)}.jsonl"
    found = {_key(trial.changes): trial for trial in _kept(kept)}
    missing = [changes for changes in grid if _key(changes) not in found]
    for trial in found.values():
        report(trial)
    folder.mkdir(parents=True, exist_ok=True)
    for changes, trial in engine(material, missing):
        with kept.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(trial)) + "\n")
        found[_key(changes)] = trial
        report(trial)
    return sorted((found[_key(changes)] for changes in grid), key=lambda trial: -trial.f1)


def try_out(material: Material, changes: Changes) -> Trial:
    """One trial, in this process."""
    epochs: list[Epoch] = []
    recipe = get_recipe(material.recipe, changes)
    with tempfile.TemporaryDirectory() as folder:
        fit(recipe, material.train, material.dev, material.labels, Path(folder), epochs.append, lambda: False)
    best = max(epochs, key=lambda epoch: epoch.f1)
    return Trial(changes, best.f1, best.epoch, len(epochs))


def local_engine(workers: int) -> Engine:
    """Processes of this machine."""

    def engine(material: Material, grid: Iterable[Changes]) -> Iterator[tuple[Changes, Trial]]:
        chosen = list(grid)
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            futures = [pool.submit(try_out, material, changes) for changes in chosen]
            yield from ((changes, future.result()) for changes, future in zip(chosen, futures, strict=True))

    return engine


def ray_engine(address: str) -> Engine:
    """A Ray cluster."""

    def engine(material: Material, grid: Iterable[Changes]) -> Iterator[tuple[Changes, Trial]]:
        with Cluster(address) as cluster:
            yield from cluster.map_in_order(try_out, material, grid)

    return engine


def _identity(material: Material) -> str:
    return identity_of(recipe=material.recipe, data=material.data_version, labels=list(material.labels))


def _key(changes: Mapping[str, Any]) -> str:
    return json.dumps(changes, sort_keys=True)


def _kept(file: Path) -> Iterator[Trial]:
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        try:
            yield Trial(**json.loads(line))
        except (ValueError, TypeError):
            # The last line of a sweep that was killed while writing.
            continue
