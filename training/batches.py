"""Sentences of different lengths to batches of similar lengths, in an order that a seed decides."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ner.tags import encode_tags
from registry.features import PADDING, UNKNOWN, FeatureRows, Featuriser
from training.sentences import Sentence

# Batches are cut from sorted pools of this many batches: little padding, and still another mixture every epoch.
_POOL = 32
# Time loops need a second step to exist.
_SHORTEST = 2


@dataclass(frozen=True, slots=True)
class Corpus:
    """Sentences end to end. `words` are indices into `rows` (one row of ids for each distinct word)."""

    words: NDArray[np.int32]
    tags: NDArray[np.int32]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int32]
    rows: FeatureRows
    word_counts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.lengths)

    def part(self, first: int, end: int) -> "Corpus":
        """The sentences from `first` to before `end`; words are counted in all of them still."""
        return replace(self, starts=self.starts[first:end], lengths=self.lengths[first:end])

    def sample(self, size: int) -> "Corpus":
        """At most `size` sentences, evenly spread."""
        chosen = np.unique(np.linspace(0, len(self) - 1, min(size, len(self))).round().astype(np.intp))
        return replace(self, starts=self.starts[chosen], lengths=self.lengths[chosen])


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded with zeros: rows (batch, time, columns), tags (batch, time), lengths (batch,), and which sentences."""

    rows: FeatureRows
    tags: NDArray[np.int32]
    lengths: NDArray[np.int32]
    places: NDArray[np.intp]


def number_sentences(sentences: Sequence[Sentence], tags: Sequence[str], featuriser: Featuriser) -> Corpus:
    """Sentences as arrays; word counts are those of these sentences."""
    numbers: dict[str, int] = {}
    tag_ids = {tag: number for number, tag in enumerate(tags)}
    words = np.array(
        [numbers.setdefault(word, len(numbers)) for sentence in sentences for word in sentence.words], dtype=np.int32
    )
    lengths = np.array([len(sentence.words) for sentence in sentences], dtype=np.int32)
    rows = featuriser.rows(list(numbers))
    # Spellings that share an id share their count.
    counts = np.bincount(rows[:, 0], weights=np.bincount(words, minlength=len(numbers)))
    return Corpus(
        words=words,
        tags=np.array(
            [tag_ids[tag] for sentence in sentences for tag in encode_tags(len(sentence.words), sentence.spans)],
            dtype=np.int32,
        ),
        starts=np.cumsum(lengths, dtype=np.int64) - lengths,
        lengths=lengths,
        rows=rows,
        word_counts=counts[rows[:, 0]].astype(np.int64),
    )


def epoch_batches(corpus: Corpus, size: int, random: np.random.Generator, *, word_dropout: float) -> Iterator[Batch]:
    """One pass in random order. A word seen n times is read as unknown with probability d / (d + n)."""
    order = random.permutation(len(corpus))
    pools = [order[first : first + _POOL * size] for first in range(0, len(order), _POOL * size)]
    cuts = [cut for pool in pools for cut in _cut(pool[np.argsort(corpus.lengths[pool], kind="stable")], size)]
    chances = word_dropout / (word_dropout + corpus.word_counts) if word_dropout else None
    for number in random.permutation(len(cuts)):
        batch, words = _pad(corpus, cuts[number])
        if chances is not None:
            is_word = batch.rows[:, :, 0] != PADDING
            batch.rows[:, :, 0][is_word & (random.random(words.shape) < chances[words])] = UNKNOWN
        yield batch


def even_batches(corpus: Corpus, size: int) -> Iterator[Batch]:
    """One pass from the shortest sentence to the longest."""
    for places in _cut(np.argsort(corpus.lengths, kind="stable"), size):
        yield _pad(corpus, places)[0]


def batch_count(corpus: Corpus, size: int) -> int:
    """Batches in one pass of `epoch_batches`."""
    full, rest = divmod(len(corpus), _POOL * size)
    return full * _POOL + -(-rest // size)


def _cut(places: NDArray[np.intp], size: int) -> Sequence[NDArray[np.intp]]:
    return [places[first : first + size] for first in range(0, len(places), size)]


def _pad(corpus: Corpus, places: NDArray[np.intp]) -> tuple[Batch, NDArray[np.int32]]:
    lengths = corpus.lengths[places]
    steps = np.arange(max(int(lengths.max()), _SHORTEST))
    inside = steps < lengths[:, None]
    positions = np.where(inside, corpus.starts[places][:, None] + steps, 0)
    words = corpus.words[positions]
    rows = np.where(inside[:, :, None], corpus.rows[words], 0)
    tags = np.where(inside, corpus.tags[positions], 0)
    return Batch(rows, tags, lengths, places), words
