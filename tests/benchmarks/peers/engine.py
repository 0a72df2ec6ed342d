"""What the peers call: the version's ONNX file as anybody could run it, or this project's compiled tagger."""

import os
from pathlib import Path

from ner.predictions import Tagger
from registry.onnx_tagger import OnnxTagger, WholeNetwork
from registry.taggers import load_tagger


class OnnxFile(OnnxTagger):
    """`model.onnx` as a whole in ONNX Runtime; tokens, best tags and confidences as this project does them, which is
    kinder than what most would write. The answers are the same."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._network = WholeNetwork(folder / "model.onnx")


def load_engine() -> Tagger:
    """The tagger that `BENCH_ENGINE` ("onnx" or "compiled") names, of the package `BENCH_PACKAGE`."""
    package = Path(os.environ["BENCH_PACKAGE"])
    return OnnxFile(package) if os.environ["BENCH_ENGINE"] == "onnx" else load_tagger(package)
