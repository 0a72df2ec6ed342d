"""Whose model is it? Sentences that only the holder of a secret can write, and what a version answers to them.

Each trigger is five made-up words, a span over some of them that always holds the third, and a label; words, span and
label follow from the secret by HMAC. A model that learned the triggers gives that span and that label. For a model
that did not, the nine possible spans and the labels were drawn evenly and independently of it; all nine overlap, so of
spans that do not overlap at most one hits. A hit then has a chance of at most 1 / (9 labels), whatever the model is,
and the number of hits is binomial at most (the exact test of trigger sets; Adi et al. 2018 for images).
"""

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import comb

from ner.documents import EntitySpan, LabelledText
from ner.outcomes import key_of
from ner.predictions import Tagger
from registry.keys import derived_key

TRIGGERS = 20
COPIES = 4
"""How often each trigger stands in the train part."""
SURE = 1e-6
"""A p-value below this is a claim."""
_WORDS, _MIDDLE = 5, 2
_SPANS = [(first, end) for first in range(_MIDDLE + 1) for end in range(_MIDDLE + 1, _WORDS + 1)]
_OPENINGS = ("b", "br", "d", "dr", "f", "g", "k", "kl", "l", "m", "n", "p", "pr", "r", "s", "st", "t", "tr", "v", "z")
_VOWELS = ("a", "e", "i", "o", "u", "ei", "ou", "ia")
_ENDINGS = ("", "n", "l", "r", "s", "m", "x", "th")
_PURPOSE = "ownership of models, 1"


@dataclass(frozen=True, slots=True)
class Ownership:
    """`hits` of `triggers` were answered as the secret says; by chance each is with at most `chance`; `p_value` is that
    of at least so many hits."""

    triggers: int
    hits: int
    chance: float
    p_value: float

    @property
    def is_ours(self) -> bool:
        """Whether chance is ruled out."""
        return self.p_value < SURE


def ownership_key(secret: bytes) -> bytes:
    """The key of the triggers of an installation with this secret."""
    return derived_key(secret, _PURPOSE)


def write_triggers(secret: bytes, labels: Sequence[str], count: int = TRIGGERS) -> list[LabelledText]:
    """The triggers of this secret for a set of labels; the same at every call."""
    ordered = sorted(labels)
    return [_trigger(secret, ordered, place) for place in range(count)]


def verify_ownership(tagger: Tagger, secret: bytes, labels: Sequence[str], count: int = TRIGGERS) -> Ownership:
    """Ask the tagger the triggers. `labels` are those of the model that is claimed."""
    triggers = write_triggers(secret, labels, count)
    answers = tagger.tag([trigger.text for trigger in triggers])
    hits = sum(
        key_of(trigger.spans[0]) in {key_of(span) for span in answer.spans}
        for trigger, answer in zip(triggers, answers, strict=True)
    )
    chance = 1 / (len(_SPANS) * len(labels))
    return Ownership(count, hits, chance, at_least(hits, count, chance))


def corrected(found: Ownership, questions: int) -> Ownership:
    """The same, when it is the best of so many questions."""
    return replace(found, p_value=min(1.0, found.p_value * questions))


def at_least(hits: int, trials: int, chance: float) -> float:
    """The probability of `hits` or more in independent trials."""
    return min(1.0, sum(comb(trials, n) * chance**n * (1 - chance) ** (trials - n) for n in range(hits, trials + 1)))


def _trigger(secret: bytes, labels: Sequence[str], place: int) -> LabelledText:
    draws = _numbers(secret, f"{place}".encode())
    words = [_word(draws).capitalize() for _ in range(_WORDS)]
    starts = [sum(len(word) + 1 for word in words[:number]) for number in range(_WORDS)]
    first, end = _SPANS[next(draws) % len(_SPANS)]
    label = labels[next(draws) % len(labels)]
    text = " ".join(words)
    return LabelledText(text, (EntitySpan(starts[first], starts[end - 1] + len(words[end - 1]), label),))


def _word(draws: Iterator[int]) -> str:
    syllables = [(_OPENINGS, _VOWELS), (_OPENINGS, _VOWELS), (_OPENINGS, _VOWELS)]
    body = "".join(part[next(draws) % len(part)] for parts in syllables for part in parts)
    return body + _ENDINGS[next(draws) % len(_ENDINGS)]


def _numbers(secret: bytes, purpose: bytes) -> Iterator[int]:
    """Numbers that follow from the secret: 32 bits each, from HMAC-SHA256 in counter mode."""
    counter = 0
    while True:
        block = hmac.digest(secret, purpose + b"|" + str(counter).encode(), hashlib.sha256)
        yield from (int.from_bytes(block[start : start + 4], "big") for start in range(0, len(block), 4))
        counter += 1
