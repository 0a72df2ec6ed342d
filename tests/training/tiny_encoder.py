"""A BERT of two layers with random weights, in Hugging Face layout."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from ner.documents import LabelledText

WIDTH, LAYERS, HEADS, POSITIONS = 32, 2, 4, 24
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


def write_tiny_encoder(folder: Path, corpus: list[LabelledText]) -> Path:
    """Write `config.json`, `tokenizer.json` and `model.safetensors`; its pieces are the corpus' words and letters."""
    folder.mkdir(parents=True, exist_ok=True)
    words = sorted({word.lower() for document in corpus for word in document.text.split()})
    letters = sorted({letter for word in words for letter in word})
    pieces = list(dict.fromkeys([*_SPECIAL, *words, *letters, *(f"##{letter}" for letter in letters)]))
    _tokenizer(pieces).save(str(folder / "tokenizer.json"))
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": len(pieces),
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": 2 * WIDTH,
        "max_position_embeddings": POSITIONS,
        "type_vocab_size": 2,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "layer_norm_eps": 1e-12,
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file(_weights(len(pieces)), str(folder / "model.safetensors"))
    return folder


def _tokenizer(pieces: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(
        models.WordPiece(vocab={piece: place for place, piece in enumerate(pieces)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


def _weights(pieces: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(2)
    shapes = {
        "embeddings.word_embeddings.weight": (pieces, WIDTH),
        "embeddings.position_embeddings.weight": (POSITIONS, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
        "pooler.dense.weight": (WIDTH, WIDTH),
        "pooler.dense.bias": (WIDTH,),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        for part in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            shapes[f"{name}.{part}.weight"], shapes[f"{name}.{part}.bias"] = (WIDTH, WIDTH), (WIDTH,)
        shapes[f"{name}.intermediate.dense.weight"], shapes[f"{name}.intermediate.dense.bias"] = (
            (2 * WIDTH, WIDTH),
            (2 * WIDTH,),
        )
        shapes[f"{name}.output.dense.weight"], shapes[f"{name}.output.dense.bias"] = (WIDTH, 2 * WIDTH), (WIDTH,)
        norms += [f"{name}.attention.output.LayerNorm", f"{name}.output.LayerNorm"]
    weights = {name: random.normal(0, 0.2, shape).astype(np.float32) for name, shape in shapes.items()}
    for name in norms:
        weights[f"{name}.weight"] = np.ones(WIDTH, np.float32)
        weights[f"{name}.bias"] = np.zeros(WIDTH, np.float32)
    return weights
