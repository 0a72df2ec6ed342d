"""A text before and after a model: tokens and windows on the way in, character spans on the way out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ner.predictions import ScoredSpan, Tagged
from ner.tokens import Token, tokenize, words
from registry.features import word_hash
from registry.windows import Window, windows

ScoredTokenSpan: TypeAlias = tuple[int, int, str, float]
"""Half-open range of token indices, label, confidence."""

SAMPLED_WORDS = 16


@dataclass(frozen=True, slots=True)
class Reading:
    """One text, its tokens with their surfaces, and the windows that a model reads one at a time."""

    tokens: list[Token]
    surfaces: list[str]
    windows: list[Window]

    def answer(self, found: Iterable[ScoredTokenSpan], known: Sequence[bool], expected: float | None = None) -> Tagged:
        """Spans of all windows, in token indices of the text, to the answer. `known`: for each token."""
        spans: list[ScoredSpan] = []
        covered = 0
        for first, end, label, confidence in sorted(found):
            # The window before this one may have found an entity that reaches over the cut.
            if first >= covered:
                start, stop = self.tokens[first][0], self.tokens[end - 1][1]
                spans.append(ScoredSpan(start, stop, label, confidence))
                covered = end
        unknown = len(known) - sum(known)
        return Tagged(tuple(spans), len(self.tokens), unknown, _word_sample(self.surfaces, known), expected)


def read_text(text: str) -> Reading:
    """Cut a text into tokens and windows."""
    tokens = tokenize(text)
    return Reading(tokens, words(text, tokens), windows(text, tokens))


def placed(window: Window, spans: Iterable[ScoredTokenSpan]) -> list[ScoredTokenSpan]:
    """Spans of a window that are its to answer, in token indices of the text."""
    return [
        (window.first + start, window.first + end, label, confidence)
        for start, end, label, confidence in spans
        if window.core_first <= window.first + start < window.core_end
    ]


def _word_sample(surfaces: Sequence[str], known: Sequence[bool]) -> tuple[int, ...]:
    """Up to `SAMPLED_WORDS` words, evenly spread over the text, as hashes that say whether the model knows them."""
    words, are_known = surfaces, known
    if len(surfaces) > SAMPLED_WORDS:
        places = [index * len(surfaces) // SAMPLED_WORDS for index in range(SAMPLED_WORDS)]
        words, are_known = [surfaces[place] for place in places], [are_known[place] for place in places]
    return tuple(
        [hashed if is_known else -hashed for hashed, is_known in zip(map(word_hash, words), are_known, strict=True)]
    )
