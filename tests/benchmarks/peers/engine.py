"""What the peers call: the version's ONNX file as anybody could run it, or this project's compiled tagger."""

import os
from pathlib import Path

from ner.predictions import Tagger
from registry.calibration import load_calibration
from registry.crf import load_crf
from registry.decoding import NumpyDecoder
from registry.onnx_tagger import OnnxTagger, WholeNetwork
from registry.taggers import load_tagger


class OnnxFile(OnnxTagger):
    """`model.onnx` as a whole in ONNX Runtime, best tags and confidences in NumPy. The answers are the same."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._network = WholeNetwork(folder / "model.onnx")
        self._decode = NumpyDecoder(load_crf(folder / "crf.json"), load_calibration(folder) or self._calibration)


def load_engine() -> Tagger:
    """The tagger that `BENCH_ENGINE` ("onnx" or "compiled") names, of the package `BENCH_PACKAGE`."""
    package = Path(os.environ["BENCH_PACKAGE"])
    return OnnxFile(package) if os.environ["BENCH_ENGINE"] == "onnx" else load_tagger(package)
