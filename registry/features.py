"""Words to rows of integer ids: the one description of a token that training and serving share.

A row has three parts: the word's own id, the ids of its pieces (prefixes, suffixes, shape) in one shared table, and
the ids of its characters. The vocabulary is built from training words alone and is kept as JSON.
"""

import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, repeat
from pathlib import Path
from struct import Struct
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ner.errors import BrokenPackage

FeatureRows: TypeAlias = NDArray[np.int32]
"""One row of ids for each word: shape (words, columns)."""
WordRow: TypeAlias = bytes
"""The row of one word, as the bytes of its int32 ids: what a word is known by where rows are kept."""

PADDING = 0
UNKNOWN = 1
PREFIXES = (1, 2, 3)
SUFFIXES = (1, 2, 3, 4)
PIECES = len(PREFIXES) + len(SUFFIXES) + 1
CHARACTERS = 16
COLUMNS = 1 + PIECES + CHARACTERS
_CACHED_WORDS = 65_536
_UNKNOWN_WORD = np.int32(UNKNOWN).tobytes()


def normalise(word: str) -> str:
    """The form under which a word has its id: lower case, every digit a 0."""
    lowered = word.lower()
    return lowered if lowered.isalpha() else "".join("0" if letter.isdigit() else letter for letter in lowered)


def shape(word: str) -> str:
    """Letter classes with runs cut at two: "London" is "Xxx", "U.S." is "X.X.", "1997" is "dd"."""
    if word.isalpha():
        # Most words, without looking at each letter.
        if word.islower():
            return "xx"[: len(word)]
        if word[0].isupper() and word[1:].islower():
            return "Xxx"[: len(word)]
    classes = (_letter_class(letter) for letter in word)
    return "".join(letter * min(2, sum(1 for _ in run)) for letter, run in groupby(classes))


def _letter_class(letter: str) -> str:
    if letter.isupper():
        return "X"
    if letter.isdigit():
        return "d"
    return "x" if letter.isalpha() else letter


def pieces(word: str) -> list[str]:
    """The named pieces of a word in column order: prefixes, suffixes (both normalised), shape."""
    form = normalise(word)
    named = [f"prefix{length}:{form[:length]}" for length in PREFIXES]
    named += [f"suffix{length}:{form[-length:]}" for length in SUFFIXES]
    named.append(f"shape:{shape(word)}")
    return named


def visible_characters(word: str) -> str:
    """The characters of a word that the model reads: all, or the first ten and last six of a long one."""
    return word if len(word) <= CHARACTERS else word[:10] + word[-6:]


@lru_cache(maxsize=_CACHED_WORDS)
def word_hash(word: str) -> int:
    """CRC-32 of the normalised form of a word in 31 bits, never 0."""
    return zlib.crc32(normalise(word).encode("utf-8", "surrogatepass")) & 0x7FFFFFFF or 1


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Ids of normalised words, of pieces and of characters. 0 is padding and 1 stands for the unknown."""

    words: Mapping[str, int]
    pieces: Mapping[str, int]
    characters: Mapping[str, int]

    def sizes(self) -> dict[str, int]:
        """Rows that a table of embeddings needs for each kind of id."""
        return {
            "words": len(self.words) + UNKNOWN + 1,
            "pieces": len(self.pieces) + UNKNOWN + 1,
            "characters": len(self.characters) + UNKNOWN + 1,
        }

    def save(self, path: Path) -> None:
        """Write the three lists in id order as JSON."""
        lists = {"words": list(self.words), "pieces": list(self.pieces), "characters": list(self.characters)}
        path.write_text(json.dumps(lists), encoding="utf-8")


def load_vocabulary(path: Path) -> Vocabulary:
    """The vocabulary that `Vocabulary.save` wrote. Raises BrokenPackage."""
    try:
        lists = json.loads(path.read_text(encoding="utf-8"))
        return Vocabulary(*(_numbered(lists[name]) for name in ("words", "pieces", "characters")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BrokenPackage(f"{path} is not a vocabulary: {error}.") from error


def build_vocabulary(words: Iterable[str], *, word_count: int = 2, piece_count: int = 3) -> Vocabulary:
    """The vocabulary of training words: normalised words seen `word_count` times, pieces and characters seen
    `piece_count` times. The most frequent come first; equals are ordered by spelling, so it is reproducible.
    """
    surfaces = Counter(words)
    forms: Counter[str] = Counter()
    parts: Counter[str] = Counter()
    letters: Counter[str] = Counter()
    for word, count in surfaces.items():
        forms[normalise(word)] += count
        for part in pieces(word):
            parts[part] += count
        for letter in word:
            letters[letter] += count
    return Vocabulary(
        _numbered(_frequent(forms, word_count)),
        _numbered(_frequent(parts, piece_count)),
        _numbered(_frequent(letters, piece_count)),
    )


def _frequent(counts: Counter[str], least: int) -> Iterator[str]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return (name for name, count in ordered if count >= least)


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names, start=UNKNOWN + 1)}


def columns_of_words(rows: Sequence[WordRow]) -> FeatureRows:
    """Rows of words as an array (words, columns)."""
    return np.frombuffer(b"".join(rows), dtype=np.int32).reshape(-1, COLUMNS)


def rows_of_words(columns: FeatureRows) -> list[WordRow]:
    """The opposite of `columns_of_words`."""
    whole = np.ascontiguousarray(columns, dtype=np.int32)
    rows: list[WordRow] = whole.view(f"V{whole.shape[1] * whole.itemsize}").ravel().tolist()
    return rows


def is_known(row: WordRow) -> bool:
    """Whether the vocabulary holds the word itself."""
    return row[:4] != _UNKNOWN_WORD


class Featuriser:
    """Turns words into rows of ids. Rows are cached per word; safe to share between threads."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._numbers = Struct(f"={COLUMNS}i")
        self._row = lru_cache(maxsize=_CACHED_WORDS)(self._describe)

    def rows(self, words: Sequence[str]) -> FeatureRows:
        """Ids of shape (len(words), COLUMNS)."""
        return columns_of_words(self.word_rows(words))

    def word_rows(self, words: Iterable[str]) -> list[WordRow]:
        """The row of each word: the same object for the same word, as long as it is cached."""
        return list(map(self._row, words))

    def _describe(self, word: str) -> WordRow:
        vocabulary = self.vocabulary
        letters = visible_characters(word)
        return self._numbers.pack(
            vocabulary.words.get(normalise(word), UNKNOWN),
            *map(vocabulary.pieces.get, pieces(word), repeat(UNKNOWN)),
            *map(vocabulary.characters.get, letters, repeat(UNKNOWN)),
            *repeat(PADDING, CHARACTERS - len(letters)),
        )
