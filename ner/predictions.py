"""What a model says about a text, and what may call itself a tagger."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from ner.documents import EntitySpan

ConfidenceKind = Literal["crf_marginal", "calibrated_crf_marginal", "softmax", "beam_share", "none"]
Variant = Literal["stable", "canary", "previous"]


@dataclass(frozen=True, slots=True, order=True)
class ScoredSpan:
    """A span that a model found, with its confidence in [0, 1] (meaning: the tagger's `confidence_kind`)."""

    start: int
    end: int
    label: str
    confidence: float

    @property
    def span(self) -> EntitySpan:
        """The span without its confidence."""
        return EntitySpan(self.start, self.end, self.label)


@dataclass(frozen=True, slots=True)
class Tagged:
    """A tagger's answer for one text: spans in text order, flat, and what drift is measured from.

    `word_sample` holds up to 16 words of the text as 32-bit hashes, negative where the model does not know
    the word; hashes rather than words, so that a log of them gives no text away. `expected_entities` is how many
    entities the model thinks there are, found or not: the sum of its probabilities; None where it has none.
    """

    spans: tuple[ScoredSpan, ...]
    tokens: int
    unknown_tokens: int
    word_sample: tuple[int, ...] = ()
    expected_entities: float | None = None


class Tagger(Protocol):
    """Something that turns texts into spans. `tag` is thread-safe and answers in the order of `texts`."""

    @property
    def labels(self) -> tuple[str, ...]: ...

    @property
    def confidence_kind(self) -> ConfidenceKind: ...

    def tag(self, texts: Sequence[str]) -> list[Tagged]: ...
