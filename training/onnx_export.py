"""The trained networks as ONNX graphs, written node by node.

Keras' own export is either slow (masks become a loop) or wrong on padded batches (no masks); a dozen operators with
the true sentence lengths are both fast and exact. The whole network is `model.onnx`, for any runtime: inputs `rows`
int32 (batch, time, columns) and `lengths` int32 (batch,); output `emissions` float32 (batch, time, tags). This project
serves it in two halves, of which one depends on single words alone (see `registry.bilstm`). The CRF's scores are kept
beside both.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from registry.bilstm import RECURRENT
from registry.features import CHARACTERS, COLUMNS, PIECES
from registry.word_network import WORDS
from training.graph import Graph, Shape
from training.network import BidirectionalLstm, Network

Weights: TypeAlias = NDArray[np.float32]


def export_networks(networks: Sequence[Network], folder: Path) -> None:
    """Write the networks, each of which must have been called once, as one that gives their mean scores: `model.onnx`,
    `words.npz` and `recurrent.npz`."""
    _export_whole(networks, folder / "model.onnx")
    _export_words(networks, folder / WORDS)
    _export_recurrent(networks, folder / RECURRENT)


def _export_whole(networks: Sequence[Network], path: Path) -> None:
    graph = Graph()
    columns = graph.split("rows", [1, PIECES, CHARACTERS], axis=2)
    scores = [_scores(graph, columns, network) for network in networks]
    graph.add("Mean", scores, output="emissions")
    inputs: dict[str, tuple[int, Shape]] = {
        "rows": (TensorProto.INT32, ("batch", "time", COLUMNS)),
        "lengths": (TensorProto.INT32, ("batch",)),
    }
    model = graph.model("bilstm", inputs, "emissions", ("batch", "time", networks[0].scores.units))
    path.write_bytes(model.SerializeToString())


def _export_words(networks: Sequence[Network], path: Path) -> None:
    """The parts that `registry.word_network` names, for each network."""
    arrays: dict[str, Weights] = {}
    for number, network in enumerate(networks):
        kernels, _, biases = zip(*network.lstm.directions, strict=True)
        arrays |= {
            f"{part}_{number}": np.asarray(value, dtype=np.float32)
            for part, value in (
                ("words", network.words.embeddings),
                ("pieces", network.pieces.embeddings),
                ("characters", network.characters.embeddings),
                ("convolution", network.convolution.kernel),
                ("lift", network.convolution.bias),
                ("kernel", np.concatenate([_halved(np.asarray(kernel)) for kernel in kernels], axis=1)),
                ("bias", np.concatenate([_halved(np.asarray(bias)) for bias in biases])),
            )
        }
    np.savez(path, **arrays)  # type: ignore[arg-type]


def _export_recurrent(networks: Sequence[Network], path: Path) -> None:
    """`recurrent` (directions, units, 4 units), `kernel` (directions, units, tags) and `bias` (tags,); the forward and
    the backward direction of each network in turn."""
    directions = [direction for network in networks for direction in network.lstm.directions]
    kernels = [np.split(np.asarray(network.scores.kernel) / len(networks), 2) for network in networks]
    np.savez(
        path,
        recurrent=np.stack([_halved(np.asarray(recurrent)) for _, recurrent, _ in directions]),
        kernel=np.stack([half for halves in kernels for half in halves]),
        bias=np.mean([np.asarray(network.scores.bias) for network in networks], axis=0),
    )


def _halved(weights: Weights) -> Weights:
    """Keras' gates input, forget, cell, output along the last axis to input, forget, output, candidate; those behind a
    sigmoid are halved."""
    entry, forget, cell, output = np.split(weights, 4, axis=-1)
    return np.concatenate([entry / 2, forget / 2, output / 2, cell], axis=-1)


def _scores(graph: Graph, columns: Sequence[str], network: Network) -> str:
    hidden = _bilstm(graph, _embed(graph, columns, network), network.lstm)
    kernel, bias = (np.asarray(part) for part in (network.scores.kernel, network.scores.bias))
    scores = graph.add("MatMul", [hidden, graph.constant("scores_kernel", kernel)])
    return graph.add("Add", [scores, graph.constant("scores_bias", bias)])


def _embed(graph: Graph, columns: Sequence[str], network: Network) -> str:
    words, pieces, letters = columns
    words = graph.add("Squeeze", [words, graph.constant("columns", np.array([2]))])
    shape = graph.add("Shape", [words])
    pieces = _gather(graph, network.pieces, pieces)
    filters = network.convolution.filters
    return graph.add(
        "Concat",
        [
            _gather(graph, network.words, words),
            _reshape(graph, pieces, shape, PIECES * network.pieces.output_dim),
            _reshape(graph, _convolve(graph, network, letters), shape, filters),
        ],
        axis=2,
    )


def _gather(graph: Graph, layer: "object", ids: str) -> str:
    table = np.asarray(layer.embeddings)  # type: ignore[attr-defined]
    return graph.add("Gather", [graph.constant(layer.name, table), ids])  # type: ignore[attr-defined]


def _reshape(graph: Graph, tensor: str, batch_and_time: str, width: int) -> str:
    target = graph.add("Concat", [batch_and_time, graph.constant("width", np.array([width]))], axis=0)
    return graph.add("Reshape", [tensor, target])


def _convolve(graph: Graph, network: Network, letters: str) -> str:
    """Character embeddings (words, characters, size) through the convolution to maxima (words, filters)."""
    flat = graph.add("Reshape", [letters, graph.constant("flat", np.array([-1, CHARACTERS]))])
    embedded = graph.add("Transpose", [_gather(graph, network.characters, flat)], perm=[0, 2, 1])
    # Keras keeps a convolution as (width, inputs, filters), ONNX as (filters, inputs, width).
    kernel = np.asarray(network.convolution.kernel).transpose(2, 1, 0)
    bias = np.asarray(network.convolution.bias)
    weights = [graph.constant("convolution_kernel", kernel), graph.constant("convolution_bias", bias)]
    convolved = graph.add("Relu", [graph.add("Conv", [embedded, *weights], pads=[1, 1])])
    return graph.add("ReduceMax", [convolved], axes=[2], keepdims=0)


def _bilstm(graph: Graph, inputs: str, layer: BidirectionalLstm) -> str:
    steps = graph.add("Transpose", [inputs], perm=[1, 0, 2])
    weights = [
        graph.constant(f"lstm_{name}", np.stack(parts))
        for name, parts in zip(("kernel", "recurrent", "bias"), _lstm_weights(layer), strict=True)
    ]
    # (time, directions, batch, units) to (batch, time, directions x units)
    hidden = graph.add("LSTM", [steps, *weights, "lengths"], hidden_size=layer.units, direction="bidirectional")
    hidden = graph.add("Transpose", [hidden], perm=[2, 0, 1, 3])
    return graph.add("Reshape", [hidden, graph.constant("joined", np.array([0, 0, 2 * layer.units]))])


def _lstm_weights(layer: BidirectionalLstm) -> tuple[list[Weights], list[Weights], list[Weights]]:
    """Kernels (4 units, inputs), recurrent kernels (4 units, units) and biases (8 units) of both directions."""
    kernels, recurrents, biases = [], [], []
    for direction in layer.directions:
        kernel, recurrent, bias = (np.asarray(part) for part in direction)
        kernels.append(_reordered(kernel.T))
        recurrents.append(_reordered(recurrent.T))
        # ONNX has a second bias for the recurrent part.
        biases.append(np.concatenate([_reordered(bias), np.zeros_like(bias)]))
    return kernels, recurrents, biases


def _reordered(weights: Weights) -> Weights:
    """Keras' gates input, forget, cell, output along the first axis to ONNX's input, output, forget, cell."""
    entry, forget, cell, output = np.split(weights, 4)
    return np.concatenate([entry, output, forget, cell])
