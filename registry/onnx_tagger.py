"""A BiLSTM-CRF package as a tagger: ONNX Runtime for the network, NumPy for the CRF, no training framework."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ner.errors import BrokenPackage
from ner.predictions import ConfidenceKind, Tagged
from ner.tags import TokenSpan, decode_tags, split_tag
from registry.calibration import Calibration, load_calibration
from registry.crf import best_tags, load_crf, marginals
from registry.features import UNKNOWN, FeatureRows, Featuriser, load_vocabulary
from registry.reading import ScoredTokenSpan, placed, read_text
from registry.windows import Window

_Place: TypeAlias = tuple[int, Window]
"""A window, and which of the texts it belongs to."""

_BATCH_WINDOWS = 32
_BATCH_TOKENS = 2048


class OnnxTagger:
    """Tags with `model.onnx`, `crf.json` and `vocabulary.json` of a package folder. Safe to share between threads.

    Confidences are the CRF's span marginals, calibrated where the package holds a `calibration.json`.
    Raises BrokenPackage when a file is missing or does not fit the others.
    """

    def __init__(self, folder: Path) -> None:
        self._featuriser = Featuriser(load_vocabulary(folder / "vocabulary.json"))
        self._crf = load_crf(folder / "crf.json")
        self._session = open_session(folder / "model.onnx")
        calibration = load_calibration(folder)
        self.confidence_kind: ConfidenceKind = "crf_marginal" if calibration is None else "calibrated_crf_marginal"
        self._calibration = calibration or Calibration()
        if self._session.get_outputs()[0].shape[-1] != len(self._crf.tags):
            raise BrokenPackage(f"{folder}: model.onnx and crf.json do not have the same number of tags.")
        self._start_tags = [number for number, tag in enumerate(self._crf.tags) if split_tag(tag)[0] == "B"]
        self.labels = tuple(dict.fromkeys(label for _, label in map(split_tag, self._crf.tags) if label))

    def tag(self, texts: Sequence[str]) -> list[Tagged]:
        """One answer for each text, in order."""
        readings = [read_text(text) for text in texts]
        rows = [self._featuriser.rows(reading.surfaces) for reading in readings]
        places = [(number, window) for number, reading in enumerate(readings) for window in reading.windows]
        found: list[list[ScoredTokenSpan]] = [[] for _ in texts]
        expected = [0.0] * len(texts)
        for batch in _batches(places):
            for (number, _), (spans, entities) in zip(batch, self._tag_batch(rows, batch), strict=True):
                found[number].extend(spans)
                expected[number] += entities
        return [
            reading.answer(spans, ids[:, 0] != UNKNOWN, entities)
            for reading, spans, ids, entities in zip(readings, found, rows, expected, strict=True)
        ]

    def _tag_batch(
        self, rows: Sequence[FeatureRows], batch: Sequence[_Place]
    ) -> Iterator[tuple[list[ScoredTokenSpan], float]]:
        """For each window its spans, and how many entities are to be expected to start in its core."""
        lengths = np.array([window.length for _, window in batch], dtype=np.int32)
        padded = np.zeros((len(batch), int(lengths.max()), rows[0].shape[1]), dtype=np.int32)
        for place, (number, window) in enumerate(batch):
            padded[place, : window.length] = rows[number][window.first : window.end]
        emissions = emit(self._session, padded, lengths)
        paths = best_tags(self._crf, emissions, lengths)
        spans = [
            decode_tags([self._crf.tags[tag] for tag in path[:length]])
            for path, length in zip(paths, lengths, strict=True)
        ]
        shares = marginals(*self._calibration.tempered(self._crf, emissions), lengths, spans)
        starts = shares.tags[:, :, self._start_tags].sum(axis=2)
        for place, (_, window) in enumerate(batch):
            core = slice(window.core_first - window.first, window.core_end - window.first)
            confidences = self._confidences(spans[place], shares.spans[place])
            yield placed(window, spans[place], confidences), float(starts[place, core].sum())

    def _confidences(self, spans: Sequence[TokenSpan], shares: Sequence[float]) -> list[float]:
        return [self._calibration.confidence(label, share) for (_, _, label), share in zip(spans, shares, strict=True)]


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on one thread: requests, not operators, share the cores. Raises BrokenPackage."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # ONNX Runtime has no common type for its errors.
        raise BrokenPackage(f"{path} is not a model that ONNX Runtime can load: {error}.") from error


def emit(session: onnxruntime.InferenceSession, rows: FeatureRows, lengths: NDArray[np.int32]) -> NDArray[np.float32]:
    """Scores of tags: (sentences, tokens, tags) for rows of (sentences, tokens, columns)."""
    emissions: NDArray[np.float32] = session.run(None, {"rows": rows, "lengths": lengths})[0]
    return emissions


def _batches(places: Sequence[_Place]) -> list[list[_Place]]:
    """Windows of similar length together, up to a number of windows and of tokens with their padding."""
    batches: list[list[_Place]] = []
    for place in sorted(places, key=lambda place: place[1].length):
        full = not batches or len(batches[-1]) == _BATCH_WINDOWS
        if full or (len(batches[-1]) + 1) * place[1].length > _BATCH_TOKENS:
            batches.append([])
        batches[-1].append(place)
    return batches
