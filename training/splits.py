"""Which documents a model learns from, is tuned on, and is scored on.

A document's part follows from its own text alone, so it stays in its part when the dataset grows, in every dataset
that holds it, and whatever model learns: a test text of one version is never a training text of another.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

from ner.documents import text_digest

Part = Literal["train", "dev", "test"]
DEV_SHARE = 0.1
TEST_SHARE = 0.1

_NOT_A_WORD = re.compile(r"[\W_]+")
_DIGITS = re.compile(r"\d+")


class HasText(Protocol):
    """Anything with a text."""

    @property
    def text(self) -> str: ...


DocumentT = TypeVar("DocumentT", bound=HasText)


@dataclass(frozen=True, slots=True)
class Splits(Generic[DocumentT]):
    """The three parts, each in the order of the documents that were split."""

    train: list[DocumentT]
    dev: list[DocumentT]
    test: list[DocumentT]

    def sizes(self) -> dict[str, int]:
        """Documents per part."""
        return {"train": len(self.train), "dev": len(self.dev), "test": len(self.test)}


def split(documents: Sequence[DocumentT]) -> Splits[DocumentT]:
    """80 % train, 10 % dev, 10 % test by the hash of each document's normalised text.

    Texts that differ only in case, blanks, punctuation or the digits of their numbers are never in two parts.
    """
    parts: Splits[DocumentT] = Splits([], [], [])
    for document in documents:
        getattr(parts, part_of(document.text)).append(document)
    return parts


def part_of(text: str) -> Part:
    """The part that a text belongs to, now and in every dataset."""
    place = int(text_digest(normalise(text))[:16], 16) / 16**16
    if place < TEST_SHARE:
        return "test"
    return "dev" if place < TEST_SHARE + DEV_SHARE else "train"


def normalise(text: str) -> str:
    """The text as the split sees it: compatibility characters unified, case folded, words and numbers only, and each
    number 0. A text without words or numbers stays as it is."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _DIGITS.sub("0", _NOT_A_WORD.sub(" ", folded)).strip() or text
