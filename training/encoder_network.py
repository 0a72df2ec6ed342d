"""A pretrained encoder with a layer of tag scores on top, and how its inputs are made."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray
from tokenizers import Tokenizer

from ner.errors import InvalidInput
from registry.casing import CASES
from registry.encoder_tagger import load_tokenizer, piece_cases

Ids = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Encoder:
    """A backbone and the tokenizer that goes with it; `positions` is the most pieces that it reads at once."""

    backbone: Any
    tokenizer: Tokenizer
    tokenizer_file: Path
    positions: int


def load_encoder(place: str) -> Encoder:
    """The pretrained encoder in a folder in Hugging Face layout, or of a name on its hub, through KerasHub.

    Raises InvalidInput where the extra is not installed, or what is there is no such encoder.
    """
    if not place:
        raise InvalidInput("Name the pretrained encoder: set the parameter 'encoder' to a folder or a hub name.")
    try:
        import keras_hub
    except ImportError as error:
        raise InvalidInput("The recipe encoder_crf.v1 needs the extra 'encoder' (KerasHub).") from error
    try:
        backbone = keras_hub.models.BertBackbone.from_preset(place if Path(place).is_dir() else f"hf://{place}")
    except Exception as error:
        # KerasHub raises whatever its readers raise.
        raise InvalidInput(f"'{place}' is not an encoder of the BERT family that KerasHub can load: {error}") from error
    file = Path(place) / "tokenizer.json"
    if not file.is_file():
        raise InvalidInput(f"There is no tokenizer.json in '{place}'.")
    return Encoder(backbone, load_tokenizer(file), file, int(backbone.max_sequence_length))


class EncoderNetwork(keras.Model):
    """Pieces (batch, pieces) and how their words are written to scores of tags (batch, pieces, tags)."""

    def __init__(self, backbone: Any, tags: int, *, dropout: float, case_dimension: int) -> None:
        super().__init__(name="encoder_network")
        self.backbone = backbone
        # Nothing at first, so that the pretrained layers begin with what they know.
        self.case_marks = keras.layers.Embedding(
            CASES, backbone.hidden_dim, embeddings_initializer="zeros", name="case_marks"
        )
        self.cases = keras.layers.Embedding(CASES, case_dimension, name="cases")
        self.dropout = keras.layers.Dropout(dropout)
        self.hidden = keras.layers.Dense(backbone.hidden_dim, activation="tanh", name="hidden")
        self.scores = keras.layers.Dense(tags, name="scores")

    def call(self, ids: Any, mask: Any, cases: Any, training: bool = False) -> Any:
        encoded = self._encode(ids, mask, cases, training)
        together = ops.concatenate([encoded, self.cases(cases)], axis=-1)
        return self.scores(self.dropout(self.hidden(self.dropout(together, training=training)), training=training))

    def _encode(self, ids: Any, mask: Any, cases: Any, training: bool) -> Any:
        """The backbone's layers one by one: how a word is written is added where its layers can still use it."""
        backbone = self.backbone
        tokens = backbone.token_embedding(ids)
        segments = backbone.segment_embedding(ops.zeros_like(ids))
        hidden = backbone.embeddings_add((tokens, backbone.position_embedding(tokens), segments))
        hidden = backbone.embeddings_layer_norm(hidden + self.case_marks(cases))
        hidden = backbone.embeddings_dropout(hidden, training=training)
        for layer in backbone.transformer_layers:
            hidden = layer(hidden, padding_mask=mask, training=training)
        return hidden


@dataclass(frozen=True, slots=True)
class Pieces:
    """One sentence: piece ids, how their words are written, and each word's first piece (0 where it has none)."""

    ids: list[int]
    cases: list[int]
    firsts: list[int]


def cut_pieces(encoder: Encoder, words: Sequence[str]) -> Pieces:
    """A sentence in pieces. Words beyond what the encoder reads at once have no piece."""
    encoding = encoder.tokenizer.encode(list(words), is_pretokenized=True)
    cases = piece_cases(encoding, words)
    firsts = [0] * len(words)
    for position, word in reversed(list(enumerate(encoding.word_ids[: encoder.positions]))):
        if word is not None:
            firsts[word] = position
    return Pieces(encoding.ids[: encoder.positions], cases[: encoder.positions], firsts)


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """Padded with zeros: ids, mask and cases (batch, pieces), firsts and tags (batch, words), lengths in words."""

    ids: Ids
    mask: Ids
    cases: Ids
    firsts: Ids
    tags: Ids
    lengths: Ids
    places: list[int]


def pad_batch(pieces: Sequence[Pieces], tags: Sequence[Sequence[int]], places: Sequence[int]) -> EncodedBatch:
    """The sentences at `places` as one batch."""
    chosen = [pieces[place] for place in places]
    # Time loops need a second step to exist.
    words = max(2, *(len(one.firsts) for one in chosen))
    longest = max(len(one.ids) for one in chosen)
    return EncodedBatch(
        ids=_padded([one.ids for one in chosen], longest),
        mask=_padded([[1] * len(one.ids) for one in chosen], longest),
        cases=_padded([one.cases for one in chosen], longest),
        firsts=_padded([one.firsts for one in chosen], words),
        tags=_padded([tags[place] for place in places], words),
        lengths=np.array([len(one.firsts) for one in chosen], dtype=np.int32),
        places=list(places),
    )


def _padded(rows: Sequence[Sequence[int]], width: int) -> Ids:
    padded = np.zeros((len(rows), width), dtype=np.int32)
    for number, row in enumerate(rows):
        padded[number, : len(row)] = row
    return padded
