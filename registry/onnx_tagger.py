"""A BiLSTM-CRF package as a tagger: compiled code, or NumPy and ONNX Runtime, and no training framework."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ner.errors import BrokenPackage
from registry.bilstm import RECURRENT, Bilstm
from registry.calibration import load_calibration
from registry.crf import load_crf
from registry.crf_tagger import CrfTagger, Place
from registry.decoding import CompiledDecoder, Decoded, Found
from registry.features import (
    COLUMNS,
    FeatureRows,
    Featuriser,
    WordRow,
    columns_of_words,
    is_known,
    load_vocabulary,
)
from registry.reading import Reading
from registry.recurrence import CompiledRecurrence, fused
from registry.word_network import WORDS, load_word_network

if TYPE_CHECKING:
    import onnxruntime


class OnnxTagger(CrfTagger[Sequence[WordRow]]):
    """Tags with the network, `crf.json` and `vocabulary.json` of a package folder. Safe to share between threads.

    Confidences are the CRF's span marginals, calibrated where the package holds a `calibration.json`.
    Raises BrokenPackage when a file is missing or does not fit the others.
    """

    def __init__(self, folder: Path) -> None:
        self._featuriser = Featuriser(load_vocabulary(folder / "vocabulary.json"))
        calibration = load_calibration(folder)
        super().__init__(load_crf(folder / "crf.json"), calibration)
        self.confidence_kind = "crf_marginal" if calibration is None else "calibrated_crf_marginal"
        self._network = open_network(folder)
        if self._network.tags != len(self._crf.tags):
            raise BrokenPackage(f"{folder}: the network and crf.json do not have the same number of tags.")

    def _prepare(self, reading: Reading) -> list[WordRow]:
        return self._featuriser.word_rows(reading.surfaces)

    def _known(self, prepared: Sequence[WordRow]) -> list[bool]:
        return [is_known(row) for row in prepared]

    def _emit(self, prepared: Sequence[Sequence[WordRow]], batch: Sequence[Place]) -> NDArray[np.float32]:
        return self._network.read([prepared[number][window.first : window.end] for number, window in batch])

    def _read(self, prepared: Sequence[Sequence[WordRow]], batch: Sequence[Place]) -> Decoded:
        """Network and CRF in one call where both are compiled."""
        network, decoder = self._network, self._decode
        recurrence = network.recurrence if isinstance(network, Bilstm) else None
        if not (isinstance(decoder, CompiledDecoder) and isinstance(recurrence, CompiledRecurrence)):
            return super()._read(prepared, batch)
        assert isinstance(network, Bilstm)
        sentences = [prepared[number][window.first : window.end] for number, window in batch]
        found = Found.room_for(len(sentences), len(sentences[0]))
        gates, places = network.gates_of([word for words in sentences for word in words])
        lengths = np.array([len(words) for words in sentences], dtype=np.int32)
        return decoder.read(found, fused(recurrence, decoder.crf, gates, places, lengths, found))


class Network(Protocol):
    """What gives each token a score for each tag."""

    tags: int

    def emit(self, rows: FeatureRows, lengths: NDArray[np.int32]) -> NDArray[np.float32]:
        """Scores of tags: (sentences, tokens, tags) for rows of (sentences, tokens, columns)."""

    def read(self, sentences: Sequence[Sequence[WordRow]]) -> NDArray[np.float32]:
        """The same for sentences that are not padded, the tokens those of the longest."""


def open_network(folder: Path) -> Network:
    """The network of a package: in two halves where it has them, else the whole. Raises BrokenPackage."""
    has_halves = any((folder / name).exists() for name in (WORDS, RECURRENT))
    # Packages of before hold one half in another form; their whole is what it always was.
    if has_halves and not (folder / "words.onnx").exists():
        return Bilstm(load_word_network(folder), folder)
    return WholeNetwork(folder / "model.onnx")


class WholeNetwork:
    """`model.onnx` in ONNX Runtime."""

    def __init__(self, path: Path) -> None:
        self._session = open_session(path)
        self.tags = int(self._session.get_outputs()[0].shape[-1])

    def emit(self, rows: FeatureRows, lengths: NDArray[np.int32]) -> NDArray[np.float32]:
        """See `Network`."""
        emissions: NDArray[np.float32] = self._session.run(None, {"rows": rows, "lengths": lengths})[0]
        return emissions

    def read(self, sentences: Sequence[Sequence[WordRow]]) -> NDArray[np.float32]:
        """See `Network`."""
        lengths = np.array([len(words) for words in sentences], dtype=np.int32)
        rows = np.zeros((len(sentences), int(lengths.max()), COLUMNS), dtype=np.int32)
        for padded, words in zip(rows, sentences, strict=True):
            padded[: len(words)] = columns_of_words(words)
        return self.emit(rows, lengths)


def open_session(path: Path) -> "onnxruntime.InferenceSession":
    """An ONNX Runtime session on one thread: requests, not operators, share the cores. Raises BrokenPackage."""
    # Most packages do without it, and it takes 20 MB.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # ONNX Runtime has no common type for its errors.
        raise BrokenPackage(f"{path} is not a model that ONNX Runtime can load: {error}.") from error
