"""The networks of a BiLSTM-CRF package, run word by word and step by step.

What a word brings to an LSTM (its features through the tables, the character convolution and the input kernels)
depends on no other word, and is most of the work. It is computed once (`registry.word_network`), and kept for the words
that come often; per sentence only the recurrent half is left (`registry.recurrence`).
"""

import itertools
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress, repeat
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import threadpoolctl
from numpy.typing import NDArray

from ner.errors import BrokenPackage
from registry.features import FeatureRows, WordRow, columns_of_words, rows_of_words
from registry.recurrence import Floats, open_recurrence
from registry.sequences import Places, pack
from registry.word_network import WordNetwork

RECURRENT = "recurrent.npz"
_ROOM_BYTES = 24 * 2**20


class Bilstm:
    """One or more BiLSTMs whose scores are averaged. Safe to share between threads.

    Raises BrokenPackage when `recurrent.npz` cannot be read or does not fit `words`.
    """

    def __init__(self, words: WordNetwork, folder: Path) -> None:
        try:
            with (folder / RECURRENT).open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                recurrent, kernel, bias = (
                    np.ascontiguousarray(stored[name], dtype=np.float32) for name in ("recurrent", "kernel", "bias")
                )
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise BrokenPackage(f"{folder / RECURRENT} does not hold the weights of an LSTM: {error}.") from error
        directions, units, width = recurrent.shape
        self.tags = len(bias)
        fits = width == 4 * units and kernel.shape == (directions, units, self.tags)
        if not fits or (words.directions, words.width) != (directions, width):
            raise BrokenPackage(f"{folder}: what words bring and {RECURRENT} are not of the same network.")
        self.recurrence = open_recurrence(recurrent, kernel, bias)
        self._gates = _KeptGates(words, directions, width)
        # Requests, not matrices, share the cores: on matrices as small as these, threads of BLAS only get in the way.
        threadpoolctl.threadpool_limits(limits=1, user_api="blas")

    def emit(self, rows: FeatureRows, lengths: NDArray[np.int32]) -> Floats:
        """Scores of tags: (sentences, tokens, tags) for rows of (sentences, tokens, columns)."""
        emissions = np.zeros((*rows.shape[:2], self.tags), dtype=np.float32)
        found = self.read([rows_of_words(some[:length]) for some, length in zip(rows, lengths, strict=True)])
        emissions[:, : found.shape[1]] = found
        return emissions

    def read(self, sentences: Sequence[Sequence[WordRow]]) -> Floats:
        """Scores of tags: (sentences, tokens of the longest, tags). Least is computed where the longest come first."""
        lengths = [len(words) for words in sentences]
        packed = pack(max(lengths), lengths)
        gates, places = self.gates_of([word for words in sentences for word in words])
        emissions = np.zeros((len(sentences), max(lengths), self.tags), dtype=np.float32)
        emissions[packed.sequences, packed.steps] = self.recurrence(gates, places[packed.words], packed)
        return emissions

    def gates_of(self, words: Sequence[WordRow]) -> tuple[Floats, Places]:
        """What words bring to the gates: `(gates, places)`, (words, directions, 4 units) and which of them each has."""
        return self._gates.of(words)


@dataclass(slots=True)
class _Kept:
    """Gates (words, directions, 4 units) and where each word has its own; the first `taken` places are written or
    being written, and then never again."""

    gates: Floats
    places: dict[WordRow, int]
    taken: int = 0

    def has_room_for(self, words: int) -> bool:
        """Whether so many words more fit in."""
        return self.taken + words <= len(self.gates)


class _KeptGates:
    """What words bring to the LSTMs, kept for the words that came last, in two rooms of 24 MB each. Safe to share
    between threads.

    When a room is full it is left as it is, so that answers under way may read it, and another one is begun. Words that
    come again move over from the room before, so that those which come often are never computed again.
    """

    def __init__(self, compute: WordNetwork, directions: int, width: int) -> None:
        self._compute = compute
        self._shape = (max(1, _ROOM_BYTES // (4 * directions * width)), directions, width)
        self._lock = threading.Lock()
        self._kept, self._before = self._empty(), self._empty()

    def of(self, words: Sequence[WordRow]) -> tuple[Floats, Places]:
        """`(gates, places)`: word n has the gates `gates[places[n]]`; equal words share a place."""
        # Where a room is begun anew, a second turn brings over what the one before has, and a third finds all.
        for _ in range(3):
            kept = self._kept
            places = np.fromiter(map(kept.places.get, words, repeat(-1)), np.intp, len(words))
            if places.min() >= 0:
                return kept.gates, places
            missing = list(dict.fromkeys(compress(words, (places < 0).tolist())))
            if len(missing) > len(kept.gates):
                break
            self._keep(missing)
        every = {word: number for number, word in enumerate(dict.fromkeys(words))}
        return self._compute(columns_of_words(list(every))), np.array([every[word] for word in words], dtype=np.intp)

    def _keep(self, words: Sequence[WordRow]) -> None:
        """Write the gates of words where they stay. Two threads may do so for the same word; either place is right."""
        with self._lock:
            if not self._kept.has_room_for(len(words)):
                self._before, self._kept = self._kept, self._empty()
            kept, before, first = self._kept, self._before, self._kept.taken
            kept.taken += len(words)
        self._write(words, before, kept.gates[first : first + len(words)])
        kept.places.update(zip(words, itertools.count(first)))

    def _write(self, words: Sequence[WordRow], before: _Kept, gates: Floats) -> None:
        """The gates of words: from the room before where it has them, else computed."""
        places = np.fromiter(map(before.places.get, words, repeat(-1)), np.intp, len(words))
        is_new = places < 0
        if is_new.all():
            self._compute(columns_of_words(words), gates)
            return
        # What is new is overwritten.
        np.take(before.gates, places, axis=0, out=gates, mode="clip")
        if is_new.any():
            gates[is_new] = self._compute(columns_of_words(list(compress(words, is_new.tolist()))))

    def _empty(self) -> _Kept:
        return _Kept(np.empty(self._shape, dtype=np.float32), {})
