"""Sequences of different lengths side by side: which are there at each step, and how to read them from the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Places: TypeAlias = NDArray[np.intp]


def reaching(tokens: int, lengths: Sequence[int] | NDArray[np.integer]) -> list[int]:
    """For each step, how many of the first sequences hold every one that is that long: never more than the step before.

    Whatever runs step by step may leave out the rest. Nothing is left out in vain where the longest come first.
    """
    longest_from = np.maximum.accumulate(np.asarray(lengths)[::-1])[::-1]
    counts: list[int] = (longest_from > np.arange(tokens)[:, None]).sum(axis=1).tolist()
    return counts


def turned_places(tokens: int, lengths: Sequence[int] | NDArray[np.integer]) -> Places:
    """Where each token is when its sentence is read from the end, (tokens, sentences); past the end, where it was."""
    places = np.arange(tokens)[:, None]
    ends = np.asarray(lengths, dtype=np.intp)[None, :]
    return np.where(places < ends, ends - 1 - places, places)


@dataclass(frozen=True, slots=True)
class Packed:
    """Steps of sequences in rows without the padding: those of step t are the rows from `starts[t]` to `starts[t + 1]`.

    `steps` and `sequences` say of each row what it is, `words` where that is when the sequences follow one another
    (past a sequence's end, 0); `turned` is the row of the same step from the sequence's end.
    """

    starts: list[int]
    steps: Places
    sequences: Places
    words: Places
    turned: Places


def pack(tokens: int, lengths: Sequence[int] | NDArray[np.integer]) -> Packed:
    """The rows of sequences of these lengths, padded to `tokens`."""
    counts = reaching(tokens, lengths)
    starts = np.concatenate([[0], np.cumsum(counts)])
    steps = np.repeat(np.arange(tokens), counts)
    sequences = np.arange(len(steps)) - starts[steps]
    every = np.asarray(lengths, dtype=np.intp)
    ends = every[sequences]
    is_inside = steps < ends
    turned = np.where(is_inside, ends - 1 - steps, steps)
    words = np.where(is_inside, (np.cumsum(every) - every)[sequences] + steps, 0)
    return Packed(starts.tolist(), steps, sequences, words, starts[turned] + sequences)
