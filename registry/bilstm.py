"""The networks of a BiLSTM-CRF package, run word by word and step by step.

What a word brings to an LSTM (its features through the tables, the character convolution and the input kernels)
depends on no other word, and is most of the work. It is computed by `words.onnx` once, and kept for the words that
come often; per sentence only the recurrent half is left, in NumPy, for all directions of all networks at once.

LSTM: Hochreiter & Schmidhuber (1997) with forget gates (Gers et al. 2000), as Keras computes it. A sigmoid is written
as (1 + tanh(x / 2)) / 2, so that one call serves all four gates: the halves are in the stored weights already.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias
from zipfile import BadZipFile

import numpy as np
import onnxruntime
import threadpoolctl
from numpy.typing import NDArray

from ner.errors import BrokenPackage
from registry.crf import turned_places
from registry.features import FeatureRows

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
        """Scores of tags: (sentences, tokens, tags) for rows of (sentences, tokens, columns)."""
        sentences, tokens, _ = rows.shape
        places, gates = self._gates.of(rows.reshape(sentences * tokens, -1))
        at = places.reshape(sentences, tokens).T
        turned, every = turned_places(tokens, lengths), np.arange(sentences)
        orders = (at, at[turned, every])
        steps = np.empty((len(gates), tokens, sentences, gates.shape[2]), dtype=np.float32)
        for direction, of_direction in enumerate(gates):
            np.take(of_direction, orders[direction % 2], axis=0, out=steps[direction], mode="clip")
        hidden = self._run(steps)
        scores = np.matmul(hidden.reshape(len(hidden), tokens * sentences, -1), self._kernel)
        scores = scores.reshape(-1, 2, tokens, sentences, self.tags).sum(axis=0)
        return np.asarray((scores[0] + scores[1][turned, every] + self._bias).transpose(1, 0, 2))

    def _run(self, steps: Floats) -> Floats:
        """Hidden states (directions, tokens, sentences, units) from gates before their bends, which are overwritten.

        Gates stand in the order input, forget, output, candidate.
        """
        directions, tokens, sentences, width = steps.shape
        units = width // 4
        hidden = np.empty((directions, tokens, sentences, units), dtype=np.float32)
        cell = np.zeros((directions, sentences, units), dtype=np.float32)
        recurrent, fresh = np.empty((directions, sentences, width), dtype=np.float32), np.empty_like(cell)
        for token in range(tokens):
            gates = steps[:, token]
            if token:
                np.matmul(hidden[:, token - 1], self._recurrent, out=recurrent)
                gates += recurrent
            np.tanh(gates, out=gates)
            opened = gates[:, :, : 3 * units]
            opened *= 0.5
            opened += 0.5
            cell *= gates[:, :, units : 2 * units]
            np.multiply(gates[:, :, :units], gates[:, :, 3 * units :], out=fresh)
            cell += fresh
            np.tanh(cell, out=fresh)
            np.multiply(fresh, gates[:, :, 2 * units : 3 * units], out=hidden[:, token])
        return hidden


class _KeptGates:
    """What words bring to the LSTMs, the most recently used ones kept: up to 32 MB. Safe to share between threads."""

    def __init__(self, compute: Callable[[FeatureRows], Floats], directions: int, width: int) -> None:
        self._compute = compute
        self._most = max(1, _KEPT_BYTES // (4 * directions * width))
        self._kept = np.empty((directions, self._most, width), dtype=np.float32)
        self._slots: OrderedDict[bytes, int] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, rows: FeatureRows) -> tuple[NDArray[np.intp], Floats]:
        """`(places, gates)`: row n has the gates `gates[:, places[n]]`; equal rows share a place."""
        joined, size = rows.tobytes(), rows.shape[1] * rows.itemsize
        numbers: dict[bytes, int] = {}
        places = np.array(
            [numbers.setdefault(joined[at : at + size], len(numbers)) for at in range(0, len(joined), size)]
        )
        keys = list(numbers)
        with self._lock:
            slots = [self._slot(key) for key in keys]
            gates = self._kept[:, slots]
        missing = [number for number, slot in enumerate(slots) if slot < 0]
        if missing:
            new = [keys[number] for number in missing]
            computed = self._compute(np.frombuffer(b"".join(new), dtype=rows.dtype).reshape(len(new), -1))
            gates[:, missing] = computed
            self._keep(new, computed)
        return places, gates

    def _slot(self, key: bytes) -> int:
        slot = self._slots.get(key, -1)
        if slot >= 0:
            self._slots.move_to_end(key)
        return slot

    def _keep(self, keys: Sequence[bytes], gates: Floats) -> None:
        with self._lock:
            for number, key in enumerate(keys[: self._most]):
                # Another thread may have kept it meanwhile.
                if key not in self._slots:
                    full = len(self._slots) == self._most
                    slot = self._slots.popitem(last=False)[1] if full else len(self._slots)
                    self._kept[:, slot] = gates[:, number]
                    self._slots[key] = slot
