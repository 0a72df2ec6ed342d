"""From scores of tags to spans with their exact probabilities: compiled where this package was built with a compiler,
else by the NumPy of `registry.crf`, which says what both compute."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ner.tags import decode_tags, split_tag
from registry.calibration import Calibration
from registry.compiled import COMPILED, kernels
from registry.crf import Crf, best_tags, marginals

Emissions: TypeAlias = NDArray[np.float32]
Lengths: TypeAlias = NDArray[np.int32]
SharedSpan: TypeAlias = tuple[int, int, str, float]
"""Half-open range of tokens, label, and the marginal probability after the temperature."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """`spans`: those of the best tags of each sentence, in order. `starts`: the probability that an entity starts at
    a token, (sentences, tokens), 0 past a sentence's end."""

    spans: list[list[SharedSpan]]
    starts: NDArray[np.float64]


class Decoder(Protocol):
    """The best tags are those of the CRF as it is; probabilities are those after the calibration's temperature."""

    def __call__(self, emissions: Emissions, lengths: Lengths) -> Decoded:
        """For scores (sentences, tokens, tags) and lengths from 1 to tokens."""


def open_decoder(crf: Crf, calibration: Calibration) -> Decoder:
    """The fastest form there is."""
    return CompiledDecoder(crf, calibration) if COMPILED else NumpyDecoder(crf, calibration)


Three: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
CompiledCrf: TypeAlias = tuple[Three, Three, NDArray[np.int32], float]
"""Scores of steps, starts and ends as logarithms, the same after the temperature and not as logarithms, of each B tag
its I tag (else -1), and one through the temperature: what compiled code wants to know of a CRF."""


@dataclass(frozen=True, slots=True)
class Found:
    """Room for what compiled code finds: `spans` (spans, 4) of sentence, first token, token after the last and B tag,
    `shares` (spans,) and `starts` (sentences, tokens)."""

    spans: NDArray[np.int32]
    shares: NDArray[np.float64]
    starts: NDArray[np.float64]

    @classmethod
    def room_for(cls, sentences: int, tokens: int) -> "Found":
        """For the most that sentences of so many tokens can hold."""
        most = sentences * tokens
        return cls(np.empty((most, 4), dtype=np.int32), np.empty(most), np.zeros((sentences, tokens)))


class CompiledDecoder:
    """See `registry/kernels/crf.c`. `crf` is what it tells compiled code."""

    def __init__(self, crf: Crf, calibration: Calibration) -> None:
        self._labels = [split_tag(tag)[1] for tag in crf.tags]
        ids = {tag: number for number, tag in enumerate(crf.tags)}
        opened = [label if tag == f"B-{label}" else None for tag, label in zip(crf.tags, self._labels, strict=True)]
        inside = [-1 if label is None else ids[f"I-{label}"] for label in opened]
        cooled, _ = calibration.tempered(crf, np.empty(0, dtype=np.float32))
        best = (np.ascontiguousarray(crf.transitions), crf.start, crf.end)
        probable = (np.exp(cooled.transitions), np.exp(cooled.start), np.exp(cooled.end))
        self.crf: CompiledCrf = (best, probable, np.array(inside, dtype=np.int32), 1.0 / calibration.temperature)

    def __call__(self, emissions: Emissions, lengths: Lengths) -> Decoded:
        """See `Decoder`."""
        found = Found.room_for(*emissions.shape[:2])
        whole, ints = np.ascontiguousarray(emissions), np.ascontiguousarray(lengths, dtype=np.int32)
        best, probable, inside, cooling = self.crf
        room = (found.spans, found.shares, found.starts)
        count = kernels.decode(emissions.shape, whole, ints, best, probable, inside, cooling, *room)
        return self.read(found, count)

    def read(self, found: Found, count: int) -> Decoded:
        """What compiled code wrote, of which the first `count` spans count."""
        spans: list[list[SharedSpan]] = [[] for _ in found.starts]
        rows, shares = found.spans[:count].tolist(), found.shares[:count].tolist()
        for (sentence, first, end, tag), share in zip(rows, shares, strict=True):
            spans[sentence].append((first, end, self._labels[tag], share))
        return Decoded(spans, found.starts)


class NumpyDecoder:
    """Viterbi, then marginals, for the whole batch at once."""

    def __init__(self, crf: Crf, calibration: Calibration) -> None:
        self._crf, self._calibration = crf, calibration
        self._start_tags = [number for number, tag in enumerate(crf.tags) if split_tag(tag)[0] == "B"]

    def __call__(self, emissions: Emissions, lengths: Lengths) -> Decoded:
        """See `Decoder`."""
        paths = best_tags(self._crf, emissions, lengths)
        spans = [self._spans(path[:length].tolist()) for path, length in zip(paths, lengths, strict=True)]
        found = marginals(*self._calibration.tempered(self._crf, emissions), lengths, spans)
        shared = [
            [(first, end, label, share) for (first, end, label), share in zip(some, shares, strict=True)]
            for some, shares in zip(spans, found.spans, strict=True)
        ]
        return Decoded(shared, found.tags[:, :, self._start_tags].sum(axis=2))

    def _spans(self, path: Sequence[int]) -> list[tuple[int, int, str]]:
        return decode_tags([self._crf.tags[tag] for tag in path])
