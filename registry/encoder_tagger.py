"""A transformer encoder in ONNX as a tagger: a token-classification model in Hugging Face layout.

The house's tokens are the words; each is cut into pieces by the model's own tokenizer and speaks through its first
piece, as such models are trained. Tags are decoded under the IOB2 constraints, or the CRF of `crf.json` where the
package has one.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from ner.errors import BrokenPackage
from ner.tags import split_tag
from registry.calibration import load_calibration
from registry.casing import word_case
from registry.crf import Crf, constrained, load_crf
from registry.crf_tagger import CrfTagger, Place
from registry.labels import renamed_labels
from registry.onnx_tagger import open_session
from registry.reading import Reading

_USUAL_POSITIONS = 512
_INPUTS = {"input_ids", "attention_mask", "token_type_ids", "word_case"}
"""`word_case` is ours: an uncased encoder is told how each piece's word is written (`registry.casing`)."""


@dataclass(frozen=True, slots=True)
class _Words:
    """The surfaces of a text, and which of them the tokenizer has pieces for."""

    surfaces: list[str]
    is_known: list[bool]


class EncoderTagger(CrfTagger[_Words]):
    """Tags with `model.onnx`, `tokenizer.json` and `config.json` (`id2label`) of a package folder. Thread-safe.

    Raises BrokenPackage when a file is missing, or the model has not the inputs and tags that it needs.
    """

    def __init__(self, folder: Path) -> None:
        config = _read(folder / "config.json")
        calibration = load_calibration(folder)
        learned = folder / "crf.json"
        crf = load_crf(learned) if learned.exists() else _crf_of(config, renamed_labels(folder))
        super().__init__(crf, calibration)
        self.confidence_kind = "softmax" if calibration is None else "calibrated_crf_marginal"
        longest = config.get("max_position_embeddings")
        self._longest = longest if isinstance(longest, int) and longest > 2 else _USUAL_POSITIONS
        self._tokenizer = load_tokenizer(folder / "tokenizer.json")
        unknown = json.loads(self._tokenizer.to_str())["model"].get("unk_token")
        self._unknown_id = self._tokenizer.token_to_id(unknown) if isinstance(unknown, str) else None
        self._session = open_session(folder / "model.onnx")
        self._inputs = [entry.name for entry in self._session.get_inputs()]
        if not {"input_ids"} <= set(self._inputs) <= _INPUTS:
            raise BrokenPackage(f"{folder}: model.onnx must read {', '.join(sorted(_INPUTS))}, not {self._inputs}.")
        tags = self._session.get_outputs()[0].shape[-1]
        if isinstance(tags, int) and tags != len(crf.tags):
            raise BrokenPackage(f"{folder}: model.onnx gives {tags} scores and there are {len(crf.tags)} tags.")

    def _prepare(self, reading: Reading) -> _Words:
        # A word's own pieces say whether it is known; the context is cut later.
        pieces = (
            self._tokenizer.encode_batch(
                [[word] for word in reading.surfaces], is_pretokenized=True, add_special_tokens=False
            )
            if reading.surfaces
            else []
        )
        known = [bool(piece.ids) and self._unknown_id not in piece.ids for piece in pieces]
        return _Words(reading.surfaces, known)

    def _known(self, prepared: _Words) -> list[bool]:
        return prepared.is_known

    def _emit(self, prepared: Sequence[_Words], batch: Sequence[Place]) -> NDArray[np.float32]:
        words = [prepared[number].surfaces[window.first : window.end] for number, window in batch]
        parts = [(place, *part) for place, surfaces in enumerate(words) for part in self._encode(surfaces)]
        cases = [piece_cases(encoding, words[place][first:]) for place, first, encoding in parts]
        logits = self._run([encoding for _, _, encoding in parts], cases)
        # A word of which the tokenizer leaves nothing is outside, whatever stands around it.
        emissions = np.zeros((len(batch), max(map(len, words)), len(self._crf.tags)), dtype=np.float32)
        emissions[:, :, self._crf.tags.index("O")] = 10.0
        for (place, first, encoding), rows in zip(parts, logits, strict=True):
            seen: set[int] = set()
            for position, word in enumerate(encoding.word_ids):
                if word is not None and word not in seen:
                    seen.add(word)
                    emissions[place, first + word] = rows[position]
        return emissions

    def _encode(self, words: Sequence[str], first: int = 0) -> list[tuple[int, Encoding]]:
        """Encodings that fit into the model, each with the word it begins at; a longer run of words is halved."""
        encoding = self._tokenizer.encode(list(words), is_pretokenized=True)
        if len(encoding.ids) <= self._longest:
            return [(first, encoding)]
        if len(words) == 1:
            encoding.truncate(self._longest)
            return [(first, encoding)]
        middle = len(words) // 2
        return [*self._encode(words[:middle], first), *self._encode(words[middle:], first + middle)]

    def _run(self, encodings: Sequence[Encoding], cases: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        longest = max(len(encoding.ids) for encoding in encodings)
        columns = {name: np.zeros((len(encodings), longest), dtype=np.int64) for name in _INPUTS}
        for row, encoding in enumerate(encodings):
            end = len(encoding.ids)
            columns["input_ids"][row, :end] = encoding.ids
            columns["attention_mask"][row, :end] = 1
            columns["token_type_ids"][row, :end] = encoding.type_ids
            columns["word_case"][row, :end] = cases[row]
        logits: NDArray[np.float32] = self._session.run(None, {name: columns[name] for name in self._inputs})[0]
        return logits


def piece_cases(encoding: Encoding, words: Sequence[str]) -> list[int]:
    """For each piece how its word is written; 0 where it belongs to none."""
    return [0 if word is None else word_case(words[word]) for word in encoding.word_ids]


def tags_of(config: Mapping[str, object]) -> list[str]:
    """The tags of a token-classification model in order of their ids.

    Raises BrokenPackage where they are not IOB2: O, and for each label both B and I.
    """
    names = config.get("id2label")
    if not isinstance(names, dict) or not names:
        raise BrokenPackage("config.json must name the tags in 'id2label'.")
    tags = [str(names.get(str(number), names.get(number, ""))) for number in range(len(names))]
    try:
        parts = [split_tag(tag) for tag in tags]
    except ValueError as error:
        raise BrokenPackage(f"config.json: {error}") from error
    letters = {(letter, label) for letter, label in parts}
    labels = {label for _, label in parts if label}
    if ("O", "") not in letters or any((letter, label) not in letters for label in labels for letter in "BI"):
        raise BrokenPackage(f"The tags must be O, and B and I of each label; they are {', '.join(tags)}.")
    return tags


def _crf_of(config: Mapping[str, object], renamed: Mapping[str, str]) -> Crf:
    """No learned transitions: the softmax over every allowed tag sequence."""
    parts = [split_tag(tag) for tag in tags_of(config)]
    tags = [f"{letter}-{renamed.get(label, label)}" if label else letter for letter, label in parts]
    if len(set(tags)) < len(tags):
        raise BrokenPackage("Two labels of the model cannot be renamed to the same one.")
    return constrained(tags, np.zeros((len(tags), len(tags))), np.zeros(len(tags)), np.zeros(len(tags)))


def _read(path: Path) -> dict[str, object]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BrokenPackage(f"{path} cannot be read: {error}.") from error
    if not isinstance(config, dict):
        raise BrokenPackage(f"{path} is not a model's configuration.")
    return config


def load_tokenizer(path: Path) -> Tokenizer:
    """A tokenizer that neither pads nor cuts. Raises BrokenPackage."""
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:
        # The library raises bare Exception.
        raise BrokenPackage(f"{path} is not a tokenizer: {error}.") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
