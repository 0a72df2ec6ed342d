"""The recurrent half of bidirectional LSTMs: compiled where this package was built with a compiler, else in NumPy.

Both compute the same: hidden states of every direction step by step, then the scores of tags from them. The compiled
form does it in one call, outside the interpreter's lock, so that requests are read and answered meanwhile.

LSTM: Hochreiter & Schmidhuber (1997) with forget gates (Gers et al. 2000), as Keras computes it. A sigmoid is written
as (1 + tanh(x / 2)) / 2, so that one function serves all four gates: the halves are in the stored weights already.
Gates stand in the order input, forget, output, candidate.
"""

import logging
from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from registry.compiled import COMPILED, kernels
from registry.decoding import CompiledCrf, Found
from registry.sequences import Packed, Places

Floats: TypeAlias = NDArray[np.float32]
_LANES = 16
_LOG = logging.getLogger(__name__)


class Recurrence(Protocol):
    """Scores of tags from what words bring to the gates."""

    def __call__(self, gates: Floats, places: Places, packed: Packed) -> Floats:
        """(rows, tags), for gates (words, directions, 4 units) of which row n has those of word `places[n]`."""


def open_recurrence(recurrent: Floats, kernel: Floats, bias: Floats) -> Recurrence:
    """The fastest form there is of weights (directions, units, 4 units), (directions, units, tags) and (tags,)."""
    # Panels of a gate end where those of the next begin only if the units fill them.
    if COMPILED and 4 * recurrent.shape[1] % _LANES == 0:
        return CompiledRecurrence(recurrent, kernel, bias)
    if not COMPILED:
        _LOG.warning("Without compiled code tagging takes three times as long: install a C compiler, then this anew.")
    return NumpyRecurrence(recurrent, kernel, bias)


class CompiledRecurrence:
    """See `registry/kernels/lstm.c`. Units must be a multiple of 4."""

    def __init__(self, recurrent: Floats, kernel: Floats, bias: Floats) -> None:
        self.units, self.tags = kernel.shape[1:]
        self.weights = (panels(recurrent), panels(kernel), bias)

    def __call__(self, gates: Floats, places: Places, packed: Packed) -> Floats:
        """See `Recurrence`."""
        words, directions, _ = gates.shape
        scores = np.empty((len(places), self.tags), dtype=np.float32)
        sizes = (directions, words, len(places), len(packed.starts) - 1, self.units, self.tags)
        starts = np.array(packed.starts, dtype=np.intp)
        kernels.emit(sizes, gates, places, packed.turned, starts, *self.weights, scores)
        return scores


def fused(
    recurrence: CompiledRecurrence,
    crf: CompiledCrf,
    gates: Floats,
    places: Places,
    lengths: NDArray[np.int32],
    found: Found,
) -> int:
    """Scores and what a CRF makes of them in one call; returns how many spans it found.

    `places` are those of the words of all sentences, one sentence after another, the longest first.
    """
    words, directions, _ = gates.shape
    sentences, tokens = found.starts.shape
    sizes = (words, directions, recurrence.units, recurrence.tags, sentences, tokens, len(places))
    best, probable, inside, cooling = crf
    room = (found.spans, found.shares, found.starts)
    return kernels.tag(sizes, gates, places, lengths, recurrence.weights, best, probable, inside, cooling, *room)


def panels(matrices: Floats) -> Floats:
    """Columns of (matrices, rows, columns) in panels that lie together: (matrices, panels, rows, lanes)."""
    count, rows, columns = matrices.shape
    padded = np.pad(matrices, ((0, 0), (0, 0), (0, -columns % _LANES)))
    return np.ascontiguousarray(padded.reshape(count, rows, -1, _LANES).transpose(0, 2, 1, 3))


class NumpyRecurrence:
    """All directions of all networks at once."""

    def __init__(self, recurrent: Floats, kernel: Floats, bias: Floats) -> None:
        self._recurrent, self._kernel, self._bias = recurrent, kernel, bias

    def __call__(self, gates: Floats, places: Places, packed: Packed) -> Floats:
        """See `Recurrence`."""
        steps = np.empty((gates.shape[1], len(places), gates.shape[2]), dtype=np.float32)
        orders = (places, places[packed.turned])
        for direction, of_direction in enumerate(steps):
            np.take(gates[:, direction], orders[direction % 2], axis=0, out=of_direction, mode="clip")
        scores = np.matmul(self._run(steps, packed.starts), self._kernel).reshape(-1, 2, len(places), len(self._bias))
        onward, backward = scores[0] if len(scores) == 1 else scores.sum(axis=0)
        return np.asarray(onward + backward[packed.turned] + self._bias)

    def _run(self, steps: Floats, starts: Sequence[int]) -> Floats:
        """Hidden states (directions, rows, units) from gates before their bends, which are overwritten."""
        directions, rows, width = steps.shape
        units = width // 4
        hidden = np.empty((directions, rows, units), dtype=np.float32)
        most = starts[1]
        cell = np.zeros((directions, most, units), dtype=np.float32)
        recurrent, fresh = np.empty((directions, most, width), dtype=np.float32), np.empty_like(cell)
        before = 0
        for first, end in pairwise(starts):
            count = end - first
            gates, cell, fresh = steps[:, first:end], cell[:, :count], fresh[:, :count]
            if first:
                added = recurrent[:, :count]
                np.matmul(hidden[:, before : before + count], self._recurrent, out=added)
                gates += added
            np.tanh(gates, out=gates)
            opened = gates[:, :, : 3 * units]
            opened *= 0.5
            opened += 0.5
            cell *= gates[:, :, units : 2 * units]
            np.multiply(gates[:, :, :units], gates[:, :, 3 * units :], out=fresh)
            cell += fresh
            np.tanh(cell, out=fresh)
            np.multiply(fresh, gates[:, :, 2 * units : 3 * units], out=hidden[:, first:end])
            before = first
        return hidden
