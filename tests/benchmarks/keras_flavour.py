"""The served network in Keras' own layers, as `mlflow models serve` keeps it by its Keras flavour.

    python -m tests.benchmarks.keras_flavour PACKAGE BODIES FOLDER

writes the model into FOLDER/model and what it is asked into FOLDER/rows.jsonl. It is asked kindlier than this API: rows
of feature ids come ready, and scores of tags go back; tokens, best tags and confidences are left to the caller.
"""

import json
import sys
from pathlib import Path
from typing import Any

import keras
import mlflow.keras
import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec
from numpy.typing import NDArray

from registry.features import CHARACTERS, COLUMNS, PIECES, Featuriser, load_vocabulary, rows_of_words
from registry.onnx_tagger import open_network
from registry.reading import read_text

_CLOSE = 1e-3
_MOST = 4096


def keras_model(package: Path) -> keras.Model:
    """Rows (batch, time, columns) to scores of tags (batch, time, tags), for sentences of one length.

    Raises ValueError for a package of several networks.
    """
    with np.load(package / "words.npz") as words, np.load(package / "recurrent.npz") as recurrent:
        if "kernel_1" in words.files:
            raise ValueError("Several networks are no single Keras model.")
        return _built({name.removesuffix("_0"): words[name] for name in words.files}, dict(recurrent))


def _built(words: dict[str, Any], recurrent: dict[str, Any]) -> keras.Model:
    rows = keras.Input((None, COLUMNS), dtype="int32", name="rows")

    def embedded(name: str, ids: Any) -> Any:
        table = words[name]
        return keras.layers.Embedding(*table.shape, weights=[table], name=name)(ids)

    size, filters = words["convolution"].shape[1:]
    pieces = embedded("pieces", rows[:, :, 1 : 1 + PIECES])
    pieces = keras.layers.Reshape((-1, PIECES * words["pieces"].shape[1]))(pieces)
    convolution = keras.layers.Conv2D(filters, (1, 3), padding="same", activation="relu")
    letters = embedded("characters", rows[:, :, 1 + PIECES :])
    letters = keras.layers.MaxPooling2D((1, CHARACTERS))(convolution(letters))
    letters = keras.layers.Reshape((-1, filters))(letters)
    convolution.set_weights([words["convolution"].reshape(1, 3, size, filters), words["lift"]])
    entering = keras.layers.Concatenate()([embedded("words", rows[:, :, 0]), pieces, letters])
    units = recurrent["recurrent"].shape[1]
    lstm = keras.layers.Bidirectional(keras.layers.LSTM(units, return_sequences=True))
    scores = keras.layers.Dense(len(recurrent["bias"]))
    model = keras.Model(rows, scores(lstm(entering)))
    halves = zip(np.split(words["kernel"], 2, axis=1), recurrent["recurrent"], np.split(words["bias"], 2), strict=True)
    lstm.set_weights([_in_order_of_keras(part) for half in halves for part in half])
    scores.set_weights([np.concatenate(recurrent["kernel"]), recurrent["bias"]])
    return model


def _in_order_of_keras(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gates input, forget, output, candidate, halved behind a sigmoid, to Keras' input, forget, candidate, output."""
    entry, forget, output, candidate = np.split(weights, 4, axis=-1)
    return np.concatenate([2 * entry, 2 * forget, candidate, 2 * output], axis=-1)


def main() -> None:
    """Write the model and its questions, and see that its scores are those that are served."""
    package, bodies, folder = map(Path, sys.argv[1:])
    featuriser, served = Featuriser(load_vocabulary(package / "vocabulary.json")), open_network(package)
    model = keras_model(package)
    texts = [json.loads(line)["text"] for line in bodies.read_text().splitlines()[:_MOST]]
    questions = [featuriser.rows(read_text(text).surfaces) for text in texts]
    for rows in questions[:20]:
        found = np.asarray(model(rows[None]))[0]
        assert np.abs(found - served.read([rows_of_words(rows)])[0]).max() < _CLOSE
    signature = ModelSignature(Schema([TensorSpec(np.dtype(np.int32), (-1, -1, COLUMNS), "rows")]))
    mlflow.keras.save_model(model, str(folder / "model"), signature=signature)
    lines = (json.dumps({"inputs": {"rows": [rows.tolist()]}}) for rows in questions)
    (folder / "rows.jsonl").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
