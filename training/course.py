"""The course of a training: epochs until dev no longer gets better, with a checkpoint after each."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from training.checkpoints import Arrays
from training.fitted import Epoch, Lesson


class Learns(Protocol):
    """A network with its optimizer."""

    def state(self) -> Arrays:
        """Everything that decides how it goes on: weights, moments, averages, the random states of dropout."""

    def resume(self, state: Sequence[Any]) -> None:
        """Go on from a state."""

    def candidate(self) -> Arrays:
        """The weights that are kept if this epoch is the best."""

    def restore(self, weights: Sequence[Any]) -> None:
        """Put weights in place."""


@dataclass
class _Stand:
    """Where one network stands: epochs done, and the best so far."""

    random: np.random.Generator
    epoch: int = 0
    best_epoch: int = 0
    best_score: float = -1.0
    best: Arrays = field(default_factory=list)


class Course:
    """Networks that learn one after another, each from its own random state; `history` grows by one row an epoch.

    Killed at any moment and begun again with the same lesson, it goes on after the last epoch that ended, and ends
    with the same weights as if nothing had happened.
    """

    def __init__(self, lesson: Lesson, *, epochs: int, patience: int, seed: int, members: int = 1) -> None:
        self._lesson = lesson
        self._epochs, self._patience, self._seed, self._members = epochs, patience, seed, members
        self._done: list[Arrays] = []
        self.history: list[dict[str, float]] = []
        self._kept = lesson.checkpoints.load()
        if self._kept is not None:
            lesson.checkpoints.epochs_before = len(self._kept.state["history"])
            for row in self._kept.state["history"]:
                self._report(row)
            self._done = [self._kept.arrays[f"done{number}"] for number in range(self._kept.state["member"])]

    def run(
        self,
        member: int,
        network: Learns,
        learn: Callable[[int, np.random.Generator], float],
        score: Callable[[], float],
    ) -> None:
        """Epochs until the dev score has not risen for `patience` of them; the best weights are put in place.

        `learn` makes one pass, the epoch's number counted from 1, and returns the mean loss of a sentence; `score` is
        the strict F1 on dev. A later member goes on counting where the one before it would have ended.
        """
        if member < len(self._done):
            network.restore(self._done[member])
            return
        stand = self._stand_of(member, network)
        while stand.epoch < self._epochs and stand.epoch - stand.best_epoch < self._patience:
            started = time.monotonic()
            stand.epoch += 1
            loss = learn(stand.epoch, stand.random)
            f1 = score()
            if f1 > stand.best_score:
                stand.best_epoch, stand.best_score, stand.best = stand.epoch, f1, network.candidate()
            number = member * self._epochs + stand.epoch
            self._keep(member, network, stand, {"epoch": number, "loss": loss, "f1": f1}, started)
        network.restore(stand.best)
        self._done.append(stand.best)

    def _stand_of(self, member: int, network: Learns) -> _Stand:
        stand = _Stand(np.random.default_rng(self._seed + member))
        if self._kept is not None and self._kept.state["member"] == member:
            state = self._kept.state
            stand.random.bit_generator.state = state["random"]
            stand.epoch, stand.best_epoch, stand.best_score = state["epoch"], state["best_epoch"], state["best_score"]
            stand.best = self._kept.arrays["best"]
            network.resume(self._kept.arrays["network"])
            self._kept = None
        return stand

    def _keep(self, member: int, network: Learns, stand: _Stand, row: dict[str, float], started: float) -> None:
        row["seconds"] = time.monotonic() - started
        state = {
            "member": member,
            "epoch": stand.epoch,
            "best_epoch": stand.best_epoch,
            "best_score": stand.best_score,
            "random": stand.random.bit_generator.state,
            "history": [*self.history, row],
        }
        done = {f"done{number}": weights for number, weights in enumerate(self._done)}
        self._lesson.checkpoints.save(state, {"network": network.state(), "best": stand.best, **done})
        self._report(row)

    def _report(self, row: dict[str, float]) -> None:
        self.history.append(row)
        epochs = self._members * self._epochs
        pace = sum(item["seconds"] for item in self.history) / len(self.history)
        left = pace * (epochs - row["epoch"])
        self._lesson.report(Epoch(int(row["epoch"]), epochs, row["loss"], row["f1"], row["seconds"], left))
