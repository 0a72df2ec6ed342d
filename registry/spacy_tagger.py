"""A spaCy pipeline as a tagger, with the house's tokens and a probability for every entity.

spaCy's entity recogniser chooses one action per token (begin, inside, last, unit, out) and keeps no scores. Here its
own network is stepped through the same choices, and an entity's confidence is the product of the softmax
probabilities of the actions that made it, each among the actions that were possible then.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import spacy
from numpy.typing import NDArray
from spacy.language import Language
from spacy.tokens import Doc

from ner.errors import BrokenPackage
from ner.predictions import ConfidenceKind, Tagged
from ner.tags import TokenSpan
from registry.features import load_vocabulary, normalise
from registry.labels import renamed_labels
from registry.reading import Reading, ScoredTokenSpan, placed, read_text
from registry.windows import Window

_BATCH_WINDOWS = 128
_NEVER = np.float32(-1e9)


class SpacyTagger:
    """Tags with the pipeline in `spacy/` of a package folder; `vocabulary.json` says which words are known.

    Safe to share between threads, which take turns. Raises BrokenPackage when the folder holds no such pipeline.
    """

    confidence_kind: ConfidenceKind = "softmax"

    def __init__(self, folder: Path) -> None:
        self._words = load_vocabulary(folder / "vocabulary.json").words
        self._renamed = renamed_labels(folder)
        try:
            self._language = spacy.load(folder / "spacy")
            self._recogniser = self._language.get_pipe("ner")
        except (OSError, ValueError, KeyError) as error:
            raise BrokenPackage(
                f"{folder / 'spacy'} is not a spaCy pipeline with a component 'ner': {error}"
            ) from error
        moves = self._recogniser.moves
        self._actions = _Actions(moves.get_class_name(number) for number in range(moves.n_moves))
        self.labels = tuple(sorted({self._renamed.get(label, label) for label in self._recogniser.labels}))
        # Pipelines from elsewhere may share one component of vectors between several others.
        self._upstream = [
            pipe for name, pipe in self._language.pipeline if name != "ner" and hasattr(pipe, "listeners")
        ]
        self._turn = threading.Lock()

    def tag(self, texts: Sequence[str]) -> list[Tagged]:
        """One answer for each text, in order."""
        readings = [read_text(text) for text in texts]
        places = [(number, window) for number, reading in enumerate(readings) for window in reading.windows]
        found: list[list[ScoredTokenSpan]] = [[] for _ in texts]
        # The zone frees the strings that spaCy would otherwise keep for ever; it is one per pipeline.
        with self._turn, self._language.memory_zone():
            for begin in range(0, len(places), _BATCH_WINDOWS):
                batch = places[begin : begin + _BATCH_WINDOWS]
                docs = [make_doc(self._language, *_words(readings[number], window)) for number, window in batch]
                for (number, window), path in zip(batch, self._paths(docs), strict=True):
                    scored = zip(path.spans, path.confidences, strict=True)
                    spans = [(*span[:2], self._renamed.get(span[2], span[2]), share) for span, share in scored]
                    found[number].extend(placed(window, spans))
        return [reading.answer(spans, self._known(reading)) for reading, spans in zip(readings, found, strict=True)]

    def _known(self, reading: Reading) -> list[bool]:
        return [normalise(word) in self._words for word in reading.surfaces]

    def _paths(self, docs: Sequence[Doc]) -> list["_Path"]:
        """Step through all documents at once, one token each."""
        for pipe in self._upstream:
            docs = list(pipe.pipe(docs))
        states = self._recogniser.moves.init_batch(docs)
        paths = [_Path(len(doc)) for doc in docs]
        step = self._recogniser.model.predict(docs)
        going = [(state, path) for state, path in zip(states, paths, strict=True) if not state.is_final()]
        while going:
            batch = [state for state, _ in going]
            scores = np.asarray(step.predict(batch), dtype=np.float32)
            possible = np.stack([self._actions.possible(path) for _, path in going])
            chosen, probabilities = _softmax_choice(scores, possible)
            self._recogniser.transition_states(batch, np.ascontiguousarray(np.where(possible, scores, _NEVER)))
            for (_, path), action, probability in zip(going, chosen, probabilities, strict=True):
                letter, label = self._actions.names[action]
                path.take(letter, label, float(probability))
            going = [(state, path) for state, path in going if not state.is_final()]
        return paths


def make_doc(language: Language, surfaces: Sequence[str], blanks: Sequence[bool]) -> Doc:
    """A document of the house's tokens; `blanks` says after which a blank stands."""
    return Doc(language.vocab, words=list(surfaces), spaces=list(blanks))


def _words(reading: Reading, window: Window) -> tuple[list[str], list[bool]]:
    tokens = reading.tokens[window.first : window.end]
    ends = [end for _, end in tokens[:-1]]
    starts = [start for start, _ in tokens[1:]]
    blanks = [end < start for end, start in zip(ends, starts, strict=True)]
    return reading.surfaces[window.first : window.end], [*blanks, False]


@dataclass(slots=True)
class _Path:
    """The actions that were taken for one document of `length` tokens, as spans so far."""

    length: int
    token: int = 0
    open_label: str = ""
    spans: list[TokenSpan] = field(default_factory=list)
    confidences: list[float] = field(default_factory=list)
    _first: int = 0
    _product: float = 1.0

    def take(self, letter: str, label: str, probability: float) -> None:
        """One action for the next token."""
        if letter in "BU":
            self._first, self._product = self.token, 1.0
        self._product *= probability
        self.token += 1
        self.open_label = label if letter in "BI" else ""
        if letter in "LU":
            self.spans.append((self._first, self.token, label))
            self.confidences.append(self._product)


class _Actions:
    """Which of the recogniser's actions are possible: an open entity goes on or ends; it must end within the text."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names: list[tuple[str, str]] = [(name[0], name[2:]) for name in names]
        self._inside = {
            label: (self._where("IL", {label}), self._where("L", {label})) for letter, label in self.names if label
        }
        labels = set(self._inside)
        out = self._where("O", {""})
        self._outside = (self._where("BU", labels) | out, self._where("U", labels) | out)

    def _where(self, letters: str, labels: set[str]) -> NDArray[np.bool_]:
        return np.array([letter in letters and label in labels for letter, label in self.names])

    def possible(self, path: _Path) -> NDArray[np.bool_]:
        """For each action, whether it may come next on the path."""
        choices = self._inside[path.open_label] if path.open_label else self._outside
        return choices[path.token + 1 == path.length]


def _softmax_choice(
    scores: NDArray[np.float32], possible: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """For each row the best possible action, and its share among the possible ones."""
    allowed = np.where(possible, scores.astype(np.float64), -np.inf)
    weights = np.exp(allowed - allowed.max(axis=1, keepdims=True))
    chosen = weights.argmax(axis=1)
    return chosen, 1.0 / weights.sum(axis=1)
