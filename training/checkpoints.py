"""How far a training is, on disk after every epoch, so that one that was killed goes on instead of starting again.

A checkpoint is one file of plain arrays (NumPy's `.npz`, read without unpickling): weights, the optimizer's moments,
every random state, and as JSON which epoch that was and what the epochs before gave. It appears whole or not at all.
"""

import contextlib
import hashlib
import json
import logging
import os
import shutil
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ner.settings import Settings

FOLDER = "checkpoints"
_FILE, _DRAFT = "checkpoint.npz", ".checkpoint.part"
_HEAD = "head"
_FORMAT = 1

Arrays: TypeAlias = list[NDArray[Any]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`state` is plain JSON, `arrays` are lists of arrays by name."""

    state: Mapping[str, Any]
    arrays: Mapping[str, Arrays]


class Checkpoints:
    """The newest checkpoint of one run; without a folder nothing is kept.

    `identity` names what is learned, from what and with which software: a checkpoint of another identity is not used.
    `epochs_before` counts the epochs that were taken from a checkpoint.
    """

    def __init__(self, folder: Path | None = None, identity: str = "") -> None:
        self._folder = folder
        self._identity = identity
        self.epochs_before = 0

    def load(self) -> Checkpoint | None:
        """The newest checkpoint; None where there is none, or not one of this training, or it cannot be read."""
        if self._folder is None or not (self._folder / _FILE).exists():
            return None
        try:
            with (self._folder / _FILE).open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                found = {name: stored[name] for name in stored.files}
            head = json.loads(found.pop(_HEAD).tobytes())
            if head["format"] != _FORMAT or head["identity"] != self._identity:
                _log.warning("The checkpoint in %s is of another training; this one starts anew.", self._folder)
                return None
            arrays = {
                name: [found[f"{name}.{place}"] for place in range(count)] for name, count in head["counts"].items()
            }
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            _log.warning("The checkpoint in %s cannot be read, so the training starts anew: %s", self._folder, error)
            return None
        return Checkpoint(head["state"], arrays)

    def remove(self) -> None:
        """Remove what was kept."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def save(self, state: Mapping[str, Any], arrays: Mapping[str, Sequence[NDArray[Any]]]) -> None:
        """Replace the checkpoint. A disk that is full costs the checkpoint, not the training."""
        if self._folder is None:
            return
        counts = {name: len(group) for name, group in arrays.items()}
        head = {"format": _FORMAT, "identity": self._identity, "counts": counts, "state": dict(state)}
        flat = {f"{name}.{place}": array for name, group in arrays.items() for place, array in enumerate(group)}
        flat[_HEAD] = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
        draft = self._folder / _DRAFT
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with draft.open("wb") as stream:
                np.savez(stream, allow_pickle=False, **flat)
                stream.flush()
                os.fsync(stream.fileno())
            draft.replace(self._folder / _FILE)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink()
            _log.warning("No checkpoint could be written to %s: %s", self._folder, error)


def identity_of(**facts: Any) -> str:
    """SHA-256 over what makes two trainings the same one."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def checkpoint_folder(settings: Settings, run_id: str) -> Path:
    """The run's folder of checkpoints, whether it is there or not."""
    return settings.artifacts / FOLDER / run_id


def remove_ended_checkpoints(settings: Settings, unfinished: Collection[str]) -> None:
    """Remove what runs kept that are not among the unfinished ones."""
    root = settings.artifacts / FOLDER
    for folder in root.iterdir() if root.is_dir() else ():
        if folder.name not in unfinished:
            shutil.rmtree(folder, ignore_errors=True)
