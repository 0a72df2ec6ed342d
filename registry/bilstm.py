"""The networks of a BiLSTM-CRF package, run word by word and step by step.

What a word brings to an LSTM (its features through the tables, the character convolution and the input kernels)
depends on no other word, and is most of the work. It is computed by `words.onnx` once, and kept for the words that
come often; per sentence only the recurrent half is left, in NumPy, for all directions of all networks at once.

LSTM: Hochreiter & Schmidhuber (1997) with forget gates (Gers et al. 2000), as Keras computes it. A sigmoid is written
as (1 + tanh(x / 2)) / 2, so that one call serves all four gates: the halves are in the stored weights already.
"""

import threading
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias
from zipfile import BadZipFile

import numpy as np
import onnxruntime
import threadpoolctl
from numpy.typing import NDArray

from ner.errors import BrokenPackage
from registry.features import FeatureRows
from registry.sequences import pack

WORDS, RECURRENT = "words.onnx", "recurrent.npz"
_KEPT_BYTES = 32 * 2**20

Floats: TypeAlias = NDArray[np.float32]


class Bilstm:
    """One or more BiLSTMs whose scores are averaged. Safe to share between threads.

    Raises BrokenPackage when `recurrent.npz` cannot be read or does not fit `words`.
    """

    def __init__(self, words: onnxruntime.InferenceSession, folder: Path) -> None:
        try:
            with (folder / RECURRENT).open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                self._recurrent, self._kernel, self._bias = (
                    np.ascontiguousarray(stored[name], dtype=np.float32) for name in ("recurrent", "kernel", "bias")
                )
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise BrokenPackage(f"{folder / RECURRENT} does not hold the weights of an LSTM: {error}.") from error
        directions, units, width = self._recurrent.shape
        self.tags = len(self._bias)
        if words.get_outputs()[0].shape[-1] != directions * width or self._kernel.shape != (
            directions,
            units,
            self.tags,
        ):
            raise BrokenPackage(f"{folder}: {WORDS} and {RECURRENT} are not of the same network.")

        def compute(rows: FeatureRows) -> Floats:
            gates: Floats = words.run(None, {"rows": rows})[0]
            return gates.reshape(-1, directions, width).transpose(1, 0, 2)

        self._gates = _KeptGates(compute, directions, width)
        # Requests, not matrices, share the cores: on matrices as small as these, threads of BLAS only get in the way.
        threadpoolctl.threadpool_limits(limits=1, user_api="blas")

    def emit(self, rows: FeatureRows, lengths: NDArray[np.int32]) -> Floats:
        """Scores of tags: (sentences, tokens, tags) for rows of (sentences, tokens, columns); 0 past a sentence's end.

        Least is computed where the longest sentences come first.
        """
        sentences, tokens, _ = rows.shape
        packed = pack(tokens, lengths)
        places, gates = self._gates.of(rows[packed.sequences, packed.steps])
        steps = np.empty((len(gates), len(places), gates.shape[2]), dtype=np.float32)
        orders = (places, places[packed.turned])
        for direction, of_direction in enumerate(gates):
            np.take(of_direction, orders[direction % 2], axis=0, out=steps[direction], mode="clip")
        scores = np.matmul(self._run(steps, packed.starts), self._kernel).reshape(-1, 2, len(places), self.tags)
        onward, backward = scores[0] if len(scores) == 1 else scores.sum(axis=0)
        emissions = np.zeros((sentences, tokens, self.tags), dtype=np.float32)
        emissions[packed.sequences, packed.steps] = onward + backward[packed.turned] + self._bias
        return emissions

    def _run(self, steps: Floats, starts: Sequence[int]) -> Floats:
        """Hidden states (directions, rows, units) from gates before their bends, which are overwritten.

        Gates stand in the order input, forget, output, candidate.
        """
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


class _KeptGates:
    """What words bring to the LSTMs, kept for the words computed last: up to 32 MB. Safe to share between threads."""

    def __init__(self, compute: Callable[[FeatureRows], Floats], directions: int, width: int) -> None:
        self._compute = compute
        self._most = max(1, _KEPT_BYTES // (4 * directions * width))
        self._kept = np.empty((directions, self._most, width), dtype=np.float32)
        self._slots: dict[bytes, int] = {}
        self._lock = threading.Lock()

    def of(self, rows: FeatureRows) -> tuple[NDArray[np.intp], Floats]:
        """`(places, gates)`: row n has the gates `gates[:, places[n]]`; equal rows share a place."""
        words: list[bytes] = np.ascontiguousarray(rows).view(f"V{rows.shape[1] * rows.itemsize}").ravel().tolist()
        numbers = dict.fromkeys(words, 0)
        keys = list(numbers)
        numbers.update(zip(keys, range(len(keys)), strict=True))
        places = np.fromiter(map(numbers.__getitem__, words), np.intp, len(words))
        with self._lock:
            slots = [self._slots.get(key, -1) for key in keys]
            gates = self._kept[:, slots]
        missing = [number for number, slot in enumerate(slots) if slot < 0]
        if missing:
            new = [keys[number] for number in missing]
            computed = self._compute(np.frombuffer(b"".join(new), dtype=rows.dtype).reshape(len(new), -1))
            gates[:, missing] = computed
            self._keep(new, computed)
        return places, gates

    def _keep(self, keys: Sequence[bytes], gates: Floats) -> None:
        with self._lock:
            for number, key in enumerate(keys[: self._most]):
                # Another thread may have kept it meanwhile.
                if key not in self._slots:
                    full = len(self._slots) == self._most
                    slot = self._slots.pop(next(iter(self._slots))) if full else len(self._slots)
                    self._kept[:, slot] = gates[:, number]
                    self._slots[key] = slot
