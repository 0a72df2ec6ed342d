"""A fine-tuned BERT encoder as an ONNX graph, written node by node from the weights that KerasHub holds.

Inputs: `input_ids`, `attention_mask` and `word_case`, int64 (batch, pieces); output: `logits` float32 (batch, pieces,
tags). The architecture is that of Devlin et al. (2019) with the approximate GELU that KerasHub trains with.
"""

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from training.encoder_network import EncoderNetwork
from training.graph import Graph

Weights: TypeAlias = NDArray[np.float32]
_EPSILON = 1e-12
# Added to the score of a padded piece before the softmax.
_HIDDEN = -1e9


def export_encoder(network: EncoderNetwork, path: Path) -> None:
    """Write the network, which must have been called once, to `path`."""
    graph, backbone = Graph(), network.backbone
    weights = {weight.path: np.asarray(weight) for weight in backbone.weights}
    hidden = _embed(graph, weights, np.asarray(network.case_marks.embeddings))
    mask = _mask(graph)
    for layer in range(backbone.num_layers):
        hidden = _layer(graph, weights, f"transformer_layer_{layer}", hidden, mask, backbone.num_heads)
    cases = graph.add("Gather", [graph.constant("cases", np.asarray(network.cases.embeddings)), "word_case"])
    hidden = graph.add("Concat", [hidden, cases], axis=2)
    hidden = graph.add("Tanh", [_dense(graph, hidden, *_of(network.hidden))])
    kernel, bias = _of(network.scores)
    scores = graph.add("MatMul", [hidden, graph.constant("kernel", kernel)])
    graph.add("Add", [scores, graph.constant("bias", bias)], output="logits")
    inputs = dict.fromkeys(("input_ids", "attention_mask", "word_case"), (TensorProto.INT64, ("batch", "pieces")))
    model = graph.model("encoder", inputs, "logits", ("batch", "pieces", len(bias)))
    path.write_bytes(model.SerializeToString())


def _of(layer: Any) -> tuple[Weights, Weights]:
    return np.asarray(layer.kernel), np.asarray(layer.bias)


def _embed(graph: Graph, weights: dict[str, Weights], case_marks: Weights) -> str:
    tokens = graph.add("Gather", [graph.constant("tokens", weights["token_embedding/embeddings"]), "input_ids"])
    # Every piece is of the first segment, so its embedding joins those of the positions.
    positions = weights["position_embedding/embeddings"] + weights["segment_embedding/embeddings"][0]
    size = graph.add("Slice", [graph.add("Shape", ["input_ids"]), *_bounds(graph, 1, 2)])
    start = graph.constant("start", np.array([0]))
    placed = graph.add("Slice", [graph.constant("positions", positions), start, size])
    marks = graph.add("Gather", [graph.constant("case_marks", case_marks), "word_case"])
    together = graph.add("Add", [graph.add("Add", [tokens, placed]), marks])
    return _norm(graph, together, weights, "embeddings_layer_norm")


def _bounds(graph: Graph, start: int, end: int) -> list[str]:
    return [graph.constant("bound", np.array([place])) for place in (start, end)]


def _mask(graph: Graph) -> str:
    """0 for a piece and a very low score for padding: (batch, 1, 1, pieces)."""
    present = graph.add("Cast", ["attention_mask"], to=TensorProto.FLOAT)
    absent = graph.add("Sub", [graph.constant("one", np.array(1.0, np.float32)), present])
    lowered = graph.add("Mul", [absent, graph.constant("hidden", np.array(_HIDDEN, np.float32))])
    return graph.add("Unsqueeze", [lowered, graph.constant("axes", np.array([1, 2]))])


def _layer(graph: Graph, weights: dict[str, Weights], name: str, hidden: str, mask: str, heads: int) -> str:
    attended = _attention(graph, weights, f"{name}/self_attention_layer", hidden, mask, heads)
    hidden = _norm(graph, graph.add("Add", [hidden, attended]), weights, f"{name}/self_attention_layer_norm")
    inner = _dense(graph, hidden, *_pair(weights, f"{name}/feedforward_intermediate_dense"))
    outer = _dense(graph, _gelu(graph, inner), *_pair(weights, f"{name}/feedforward_output_dense"))
    return _norm(graph, graph.add("Add", [hidden, outer]), weights, f"{name}/feedforward_layer_norm")


def _attention(graph: Graph, weights: dict[str, Weights], name: str, hidden: str, mask: str, heads: int) -> str:
    width = weights[f"{name}/query/kernel"].shape[0]
    size = width // heads
    split = graph.constant("split", np.array([0, 0, heads, size]))
    parts = []
    for part, order in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])):
        kernel, bias = _pair(weights, f"{name}/{part}")
        if part == "query":
            kernel, bias = kernel / np.sqrt(size), bias / np.sqrt(size)
        flat = _dense(graph, hidden, kernel.reshape(width, width), bias.reshape(width))
        parts.append(graph.add("Transpose", [graph.add("Reshape", [flat, split])], perm=order))
    query, key, value = parts
    shares = graph.add("Softmax", [graph.add("Add", [graph.add("MatMul", [query, key]), mask])], axis=-1)
    mixed = graph.add("Transpose", [graph.add("MatMul", [shares, value])], perm=[0, 2, 1, 3])
    joined = graph.add("Reshape", [mixed, graph.constant("joined", np.array([0, 0, width]))])
    kernel, bias = _pair(weights, f"{name}/attention_output")
    return _dense(graph, joined, kernel.reshape(width, width), bias)


def _pair(weights: dict[str, Weights], name: str) -> tuple[Weights, Weights]:
    return weights[f"{name}/kernel"], weights[f"{name}/bias"]


def _dense(graph: Graph, tensor: str, kernel: Weights, bias: Weights) -> str:
    kernel, bias = kernel.astype(np.float32), bias.astype(np.float32)
    return graph.add(
        "Add", [graph.add("MatMul", [tensor, graph.constant("kernel", kernel)]), graph.constant("bias", bias)]
    )


def _norm(graph: Graph, tensor: str, weights: dict[str, Weights], name: str) -> str:
    scale, shift = weights[f"{name}/gamma"], weights[f"{name}/beta"]
    inputs = [tensor, graph.constant("gamma", scale), graph.constant("beta", shift)]
    return graph.add("LayerNormalization", inputs, axis=-1, epsilon=_EPSILON)


def _gelu(graph: Graph, tensor: str) -> str:
    """x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))."""

    def number(value: float) -> str:
        return graph.constant("number", np.array(value, np.float32))

    cube = graph.add("Mul", [graph.add("Mul", [tensor, tensor]), tensor])
    inner = graph.add("Add", [tensor, graph.add("Mul", [cube, number(0.044715)])])
    bent = graph.add("Tanh", [graph.add("Mul", [inner, number(float(np.sqrt(2 / np.pi)))])])
    half = graph.add("Mul", [tensor, number(0.5)])
    return graph.add("Mul", [half, graph.add("Add", [bent, number(1.0)])])
