"""The limit of the model: ONNX Runtime alone, and the whole tagger, on the same sentences in one thread.

python -m tests.benchmarks.model_limit PACKAGE BODIES SECONDS
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from registry.onnx_tagger import OnnxTagger, WholeNetwork
from registry.reading import read_text


def sentences_per_second(run: Callable[[int], int], seconds: float) -> tuple[float, float]:
    """Sentences per second of wall time and of processor time; `run(turn)` says how many it did."""
    run(0)
    began, used, done, turn = time.perf_counter(), time.process_time(), 0, 0
    while time.perf_counter() - began < seconds:
        turn += 1
        done += run(turn)
    return done / (time.perf_counter() - began), done / (time.process_time() - used)


def main() -> None:
    """Print one JSON object."""
    package, bodies, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
    texts = [json.loads(line)["text"] for line in bodies.read_text().splitlines()[:4096]]
    tagger, whole = OnnxTagger(package), WholeNetwork(package / "model.onnx")
    rows = [tagger._featuriser.rows(read_text(text).surfaces) for text in texts]
    results = {}
    for size in (1, 8, 32):

        def emit(turn: int, size: int = size) -> int:
            some = [rows[(turn * size + place) % len(rows)] for place in range(size)]
            lengths = np.array([len(one) for one in some], dtype=np.int32)
            padded = np.zeros((size, int(lengths.max()), rows[0].shape[1]), dtype=np.int32)
            for place, one in enumerate(some):
                padded[place, : len(one)] = one
            whole.emit(padded, lengths)
            return size

        def tag(turn: int, size: int = size) -> int:
            return len(tagger.tag([texts[(turn * size + place) % len(texts)] for place in range(size)]))

        results[str(size)] = {
            "onnx": sentences_per_second(emit, seconds),
            "tagger": sentences_per_second(tag, seconds),
        }
    print(json.dumps(results))


if __name__ == "__main__":
    main()
