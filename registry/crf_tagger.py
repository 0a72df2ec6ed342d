"""From scores of tags to answers: what every tagger with a CRF on top of a network shares."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from ner.predictions import ConfidenceKind, Tagged
from ner.tags import split_tag
from registry.calibration import Calibration
from registry.crf import Crf
from registry.decoding import Decoded, SharedSpan, open_decoder
from registry.reading import Reading, ScoredTokenSpan, placed, read_text
from registry.windows import Window

PreparedT = TypeVar("PreparedT")
Place: TypeAlias = tuple[int, Window]
"""A window, and which of the texts it belongs to."""

_BATCH_WINDOWS = 32
_BATCH_TOKENS = 2048


class CrfTagger(ABC, Generic[PreparedT]):
    """Windows in batches through a network, then Viterbi, and marginals after the calibration."""

    confidence_kind: ConfidenceKind

    def __init__(self, crf: Crf, calibration: Calibration | None) -> None:
        self._crf = crf
        self._calibration = calibration or Calibration()
        self._decode = open_decoder(crf, self._calibration)
        self.labels = tuple(dict.fromkeys(label for _, label in map(split_tag, crf.tags) if label))

    @abstractmethod
    def _prepare(self, reading: Reading) -> PreparedT:
        """What the network reads of one text."""

    @abstractmethod
    def _known(self, prepared: PreparedT) -> list[bool]:
        """For each token of a text, whether the model knows the word."""

    @abstractmethod
    def _emit(self, prepared: Sequence[PreparedT], batch: Sequence[Place]) -> NDArray[np.float32]:
        """Scores of tags for the windows of a batch: (windows, tokens, tags)."""

    def _read(self, prepared: Sequence[PreparedT], batch: Sequence[Place]) -> Decoded:
        """What a batch holds, of which the longest window comes first."""
        lengths = np.array([window.length for _, window in batch], dtype=np.int32)
        return self._decode(self._emit(prepared, batch), lengths)

    def tag(self, texts: Sequence[str]) -> list[Tagged]:
        """One answer for each text, in order."""
        readings = [read_text(text) for text in texts]
        prepared = [self._prepare(reading) for reading in readings]
        places = [(number, window) for number, reading in enumerate(readings) for window in reading.windows]
        found: list[list[ScoredTokenSpan]] = [[] for _ in texts]
        expected = [0.0] * len(texts)
        for batch in _batches(places):
            for (number, _), (spans, entities) in zip(batch, self._tag_batch(prepared, batch), strict=True):
                found[number].extend(spans)
                expected[number] += entities
        return [
            reading.answer(spans, self._known(part), entities)
            for reading, spans, part, entities in zip(readings, found, prepared, expected, strict=True)
        ]

    def _tag_batch(
        self, prepared: Sequence[PreparedT], batch: Sequence[Place]
    ) -> Iterator[tuple[list[ScoredTokenSpan], float]]:
        """For each window its spans, and how many entities are to be expected to start in its core."""
        decoded = self._read(prepared, batch)
        for (_, window), spans, starts in zip(batch, decoded.spans, decoded.starts, strict=True):
            core = starts[window.core_first - window.first : window.core_end - window.first]
            yield placed(window, [self._calibrated(span) for span in spans]), float(core.sum())

    def _calibrated(self, span: SharedSpan) -> SharedSpan:
        first, end, label, share = span
        return first, end, label, self._calibration.confidence(label, share)


def _batches(places: Sequence[Place]) -> list[list[Place]]:
    """Windows of similar length together, the longest first, up to a number of windows and of tokens with padding."""
    batches: list[list[Place]] = []
    for place in sorted(places, key=lambda place: place[1].length, reverse=True):
        full = not batches or len(batches[-1]) == _BATCH_WINDOWS
        if full or (len(batches[-1]) + 1) * batches[-1][0][1].length > _BATCH_TOKENS:
            batches.append([])
        batches[-1].append(place)
    return batches
