"""A token-classification model in Hugging Face layout, small enough to be read: each piece has its own scores."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
_MEANING = {"ada": "B-PER", "byron": "I-PER", "oslo": "B-LOC", "new": "B-LOC", "delhi": "I-LOC"}
_PLAIN = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "in", "met", "lives", ".", "##s", "##ly"]
PIECES = [*_PLAIN, *_MEANING]


def write_encoder(folder: Path, *, tags: list[str] | None = None, positions: int = 32) -> Path:
    """Write `model.onnx`, `tokenizer.json` and `config.json` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    names = tags or TAGS
    _tokenizer().save(str(folder / "tokenizer.json"))
    config = {
        "model_type": "bert",
        "max_position_embeddings": positions,
        "id2label": {str(number): tag for number, tag in enumerate(names)},
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "model.onnx").write_bytes(_graph(len(names)).SerializeToString())
    return folder


def _tokenizer() -> Tokenizer:
    vocabulary = {piece: number for number, piece in enumerate(PIECES)}
    tokenizer = Tokenizer(models.WordPiece(vocab=vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


def _graph(tags: int) -> onnx.ModelProto:
    scores = np.zeros((len(PIECES), tags), dtype=np.float32)
    scores[:, 0] = 3.0
    for piece, tag in _MEANING.items():
        row = PIECES.index(piece)
        scores[row] = 0.0
        scores[row, TAGS.index(tag) % tags] = 4.0
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["scores"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
        helper.make_node("Mul", ["scores", "column"], ["logits"]),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "time"])
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "time", tags])]
    constants = [numpy_helper.from_array(scores, "table"), numpy_helper.from_array(np.array([2]), "last")]
    graph = helper.make_graph(nodes, "encoder", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
