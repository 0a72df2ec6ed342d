"""What words bring to the gates of the LSTMs: compiled where this package was built with a compiler, else in NumPy.

A word is its own vector, those of its pieces, and of its characters the largest value of each filter of a convolution
over three of them (rectified; beyond the word's ends there is nothing); the input kernels of the LSTM make gates of
these. The convolution is a sum of three rows of a table, because what a character brings to a place depends on nothing
but the character.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from zipfile import BadZipFile

import numpy as np

from ner.errors import BrokenPackage
from registry.compiled import COMPILED, kernels
from registry.features import CHARACTERS, COLUMNS, PIECES, FeatureRows
from registry.recurrence import Floats, panels

WORDS = "words.npz"
PARTS = ("words", "pieces", "characters", "convolution", "lift", "kernel", "bias")
"""What `words.npz` holds of each network, with its number behind: tables of embeddings (ids, size), the convolution
(3, size, filters) and its bias (filters,), the input kernels of both directions (inputs, 8 units) and their bias."""


class WordNetwork(Protocol):
    """Rows of feature ids (words, columns) to gates (words, directions, 4 units)."""

    directions: int
    width: int

    def __call__(self, rows: FeatureRows, gates: Floats | None = None) -> Floats:
        """The gates of some words, at least one; in `gates` where it is given, which must be contiguous."""


@dataclass(frozen=True, slots=True)
class Entrance:
    """The weights of one network; `taps` (characters, 3, filters) is the convolution of each character."""

    words: Floats
    pieces: Floats
    taps: Floats
    lift: Floats
    kernel: Floats
    bias: Floats

    @classmethod
    def of(cls, parts: Mapping[str, Floats]) -> "Entrance":
        """From the arrays of PARTS. Raises ValueError where they do not fit one another."""
        characters, convolution = parts["characters"], parts["convolution"]
        taps = np.einsum("ci,tif->ctf", characters, convolution).astype(np.float32)
        found = cls(parts["words"], parts["pieces"], taps, parts["lift"], parts["kernel"], parts["bias"])
        inputs = found.words.shape[1] + PIECES * found.pieces.shape[1] + len(found.lift)
        if found.kernel.shape != (inputs, len(found.bias)) or taps.shape[1:] != (3, len(found.lift)):
            raise ValueError("the sizes of its tables are not those of its kernels")
        return found


def load_word_network(folder: Path) -> WordNetwork:
    """The fastest form there is of the networks in `words.npz`. Raises BrokenPackage."""
    try:
        with (folder / WORDS).open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            arrays = {name: np.ascontiguousarray(stored[name], dtype=np.float32) for name in stored.files}
        count = sum(name.startswith("kernel") for name in arrays)
        entrances = [
            Entrance.of({part: arrays[f"{part}_{number}"] for part in PARTS}) for number in range(max(1, count))
        ]
        widths = {len(one.bias) for one in entrances}
        if len(widths) > 1 or not entrances[0].bias.size or entrances[0].bias.size % 2:
            raise ValueError("its networks are not of one size")
    except (OSError, ValueError, KeyError, IndexError, EOFError, BadZipFile) as error:
        raise BrokenPackage(f"{folder / WORDS} does not hold the weights of words: {error}.") from error
    return open_word_network(entrances)


def open_word_network(entrances: Sequence[Entrance]) -> WordNetwork:
    """The fastest form there is."""
    fits = COMPILED and len(entrances[0].bias) % 32 == 0
    return CompiledWordNetwork(entrances) if fits else NumpyWordNetwork(entrances)


class CompiledWordNetwork:
    """See `registry/kernels/lstm.c`. Units must be a multiple of 4."""

    def __init__(self, entrances: Sequence[Entrance]) -> None:
        self.directions, self.width = 2 * len(entrances), len(entrances[0].bias) // 2
        self._networks = [
            (
                (*one.words.shape, *one.pieces.shape, len(one.taps), len(one.lift)),
                (one.words, one.pieces, one.taps, one.lift, panels(one.kernel[None]), one.bias),
            )
            for one in entrances
        ]

    def __call__(self, rows: FeatureRows, gates: Floats | None = None) -> Floats:
        """See `WordNetwork`. Raises ValueError for an id that a table does not have."""
        count, stride, width = len(rows), self.directions * self.width, 2 * self.width
        if gates is None:
            gates = np.empty((count, self.directions, self.width), dtype=np.float32)
        for number, (tables, weights) in enumerate(self._networks):
            kernels.enter((count, PIECES, CHARACTERS), tables, (width, stride, number * width), rows, *weights, gates)
        return gates


class NumpyWordNetwork:
    """All words at once, network by network."""

    def __init__(self, entrances: Sequence[Entrance]) -> None:
        self.directions, self.width = 2 * len(entrances), len(entrances[0].bias) // 2
        self._entrances = entrances

    def __call__(self, rows: FeatureRows, gates: Floats | None = None) -> Floats:
        """See `WordNetwork`."""
        assert rows.shape[1] == COLUMNS
        found = [self._inputs(one, rows) @ one.kernel + one.bias for one in self._entrances]
        whole = np.concatenate(found, axis=1).reshape(len(rows), self.directions, self.width)
        if gates is None:
            return whole
        gates[:] = whole
        return gates

    def _inputs(self, one: Entrance, rows: FeatureRows) -> Floats:
        taps = one.taps[rows[:, 1 + PIECES :]]
        places = taps[:, :, 1] + one.lift
        places[:, 1:] += taps[:, :-1, 0]
        places[:, :-1] += taps[:, 1:, 2]
        letters = np.maximum(places.max(axis=1), 0.0)
        pieces = one.pieces[rows[:, 1 : 1 + PIECES]].reshape(len(rows), -1)
        return np.concatenate([one.words[rows[:, 0]], pieces, letters], axis=1)
