"""A tagger that knows single words and nothing else."""

from collections.abc import Mapping, Sequence

from ner.predictions import ConfidenceKind, ScoredSpan, Tagged
from ner.tokens import tokenize


class WordsTagger:
    """Finds each word of a table, with confidence 1."""

    confidence_kind: ConfidenceKind = "none"

    def __init__(self, words: Mapping[str, str]) -> None:
        self._words = words
        self.labels = tuple(sorted(set(words.values())))

    def tag(self, texts: Sequence[str]) -> list[Tagged]:
        """One answer for each text, in order."""
        return [self._answer(text) for text in texts]

    def _answer(self, text: str) -> Tagged:
        tokens = tokenize(text)
        found = [(start, end, self._words.get(text[start:end])) for start, end in tokens]
        spans = tuple(ScoredSpan(start, end, label, 1.0) for start, end, label in found if label is not None)
        return Tagged(spans, len(tokens), len(tokens) - len(spans))
