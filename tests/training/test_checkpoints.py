"""A training that is killed goes on after its last epoch, and ends as if nothing had happened."""

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from registry.taggers import load_tagger
from tests.training.small_corpus import TINY, small_corpus
from training.checkpoints import Checkpoints, identity_of, remove_ended_checkpoints
from training.fitting import Epoch, fit
from training.recipes import get_recipe

LABELS = ["geo", "per", "tim"]
CORPUS = small_corpus()
TRAIN, DEV = CORPUS[:180], CORPUS[180:]
TWO_MEMBERS = TINY | {"members": 2, "epochs": 3, "recurrent_dropout": 0.2}
_KILLED_AFTER = 4
_SCRIPT = """
import pathlib, sys
from tests.training.test_checkpoints import train
train(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
"""
_STATE: dict[str, Any] = {"epoch": 2, "random": {"state": 2**127 - 1}}
_ARRAYS = {"network": [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7, dtype=np.int64)], "best": []}


def train(package: Path, kept: Path, checkpoints: Checkpoints | None = None) -> list[Epoch]:
    """Two small networks, one after the other."""
    package.mkdir(parents=True, exist_ok=True)
    reported: list[Epoch] = []
    recipe = get_recipe("bilstm_crf.v1", TWO_MEMBERS)
    checkpoints = checkpoints or Checkpoints(kept, "the same")
    fit(recipe, TRAIN, DEV, LABELS, package, reported.append, lambda: False, checkpoints)
    return reported


@pytest.mark.slow
def test_a_training_that_was_killed_ends_with_the_same_bytes_as_one_that_was_not(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    process = subprocess.Popen([sys.executable, "-c", _SCRIPT, str(tmp_path / "killed"), str(kept)])
    _wait_for_epoch(kept, process)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not list((tmp_path / "killed").iterdir())
    resumed = Checkpoints(kept, "the same")
    again = train(tmp_path / "killed", kept, resumed)
    whole = train(tmp_path / "whole", tmp_path / "other")
    assert resumed.epochs_before >= _KILLED_AFTER
    assert [dataclasses.replace(one, seconds=0, seconds_left=0) for one in again] == [
        dataclasses.replace(one, seconds=0, seconds_left=0) for one in whole
    ]
    for name in ("model.onnx", "words.npz", "recurrent.npz", "crf.json", "vocabulary.json", "calibration.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert load_tagger(tmp_path / "killed").tag([DEV[0].text])[0].spans


def _wait_for_epoch(kept: Path, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 600
    pause = threading.Event()
    while process.poll() is None and time.monotonic() < deadline:
        found = Checkpoints(kept, "the same").load()
        if found is not None and len(found.state["history"]) >= _KILLED_AFTER:
            return
        pause.wait(0.02)
    pytest.fail("The training ended, or no checkpoint came.")


def test_a_checkpoint_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    Checkpoints(tmp_path / "run", "a").save(_STATE, _ARRAYS)
    found = Checkpoints(tmp_path / "run", "a").load()
    assert found is not None
    assert found.state == _STATE
    assert found.arrays.keys() == _ARRAYS.keys()
    for back, kept in zip(found.arrays["network"], _ARRAYS["network"], strict=True):
        assert back.dtype == kept.dtype
        assert np.array_equal(back, kept)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["checkpoint.npz"]


def test_a_checkpoint_of_another_training_is_not_used(tmp_path: Path) -> None:
    Checkpoints(tmp_path, identity_of(seed=1, data="x")).save(_STATE, _ARRAYS)
    assert Checkpoints(tmp_path, identity_of(data="x", seed=1)).load() is not None
    assert Checkpoints(tmp_path, identity_of(seed=2, data="x")).load() is None


@pytest.mark.parametrize("size", [0, 10, 300, -1])
def test_a_checkpoint_that_is_cut_short_is_not_used(tmp_path: Path, size: int) -> None:
    Checkpoints(tmp_path, "a").save(_STATE, _ARRAYS)
    file = tmp_path / "checkpoint.npz"
    file.write_bytes(file.read_bytes()[:size])
    assert Checkpoints(tmp_path, "a").load() is None


def test_nothing_is_unpickled_when_a_checkpoint_holds_a_pickle(tmp_path: Path) -> None:
    with (tmp_path / "checkpoint.npz").open("wb") as stream:
        np.savez(stream, head=np.array([print], dtype=object))
    assert Checkpoints(tmp_path, "a").load() is None


def test_the_training_goes_on_when_no_checkpoint_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file where a folder should be")
    Checkpoints(tmp_path / "run", "a").save(_STATE, _ARRAYS)
    assert Checkpoints(tmp_path / "run", "a").load() is None


def test_nothing_is_kept_without_a_folder() -> None:
    Checkpoints().save(_STATE, _ARRAYS)
    assert Checkpoints().load() is None
    Checkpoints().remove()


def test_only_checkpoints_of_runs_that_have_ended_are_removed(settings: Any) -> None:
    for name in ("ended", "waits"):
        Checkpoints(settings.artifacts / "checkpoints" / name, "a").save(_STATE, _ARRAYS)
    remove_ended_checkpoints(settings, {"waits"})
    assert [path.name for path in (settings.artifacts / "checkpoints").iterdir()] == ["waits"]
