"""Near-duplicates: texts so alike that one in the train part gives away the answer to the other in the test part.

Two texts are near-duplicates when the sets of their runs of four words overlap by at least 80 % (Jaccard), after the
normalisation by which texts are split. Texts of fewer than eight words are left to that normalisation alone.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from training.splits import DocumentT, Splits, normalise

RUN = 4
FEWEST_WORDS = 8
ALIKE = 0.8
# A run that stands in more texts than this tells none of them apart.
_COMMON = 200


def without_leaks(parts: Splits[DocumentT]) -> tuple[Splits[DocumentT], list[tuple[str, str]]]:
    """The parts without near-duplicates of what a later part holds: of a dev or test text in train, of a test text in
    dev. And the pairs: a text that was left out, and the one that it is nearly the same as.
    """
    train, from_train = _apart(parts.train, [*parts.dev, *parts.test])
    dev, from_dev = _apart(parts.dev, parts.test)
    return Splits(train, dev, parts.test), [*from_train, *from_dev]


def near_duplicates(texts: Sequence[str], references: Sequence[str]) -> list[tuple[int, int]]:
    """For each of `texts` that has a near-duplicate among `references`, its place and that of the most alike one."""
    runs = [_runs(text) for text in references]
    holders: dict[int, list[int]] = defaultdict(list)
    for place, found in enumerate(runs):
        for run in found:
            holders[run].append(place)
    pairs = []
    for place, text in enumerate(texts):
        best = _most_alike(_runs(text), runs, holders)
        if best is not None:
            pairs.append((place, best))
    return pairs


def _apart(documents: Sequence[DocumentT], held: Sequence[DocumentT]) -> tuple[list[DocumentT], list[tuple[str, str]]]:
    leaks = near_duplicates([one.text for one in documents], [one.text for one in held])
    left_out = {place for place, _ in leaks}
    kept = [document for place, document in enumerate(documents) if place not in left_out]
    return kept, [(documents[place].text, held[other].text) for place, other in leaks]


def _most_alike(found: frozenset[int], runs: Sequence[frozenset[int]], holders: dict[int, list[int]]) -> int | None:
    shared: Counter[int] = Counter()
    for run in found:
        places = holders.get(run, ())
        if len(places) <= _COMMON:
            shared.update(places)
    alike = [
        (len(found & runs[place]) / len(found | runs[place]), -place)
        for place, count in shared.items()
        if count >= ALIKE * len(found) / 2
    ]
    share, place = max(alike, default=(0.0, 0))
    return -place if share >= ALIKE else None


def _runs(text: str) -> frozenset[int]:
    words = normalise(text).split()
    return frozenset(hash(run) for run in _consecutive(words)) if len(words) >= FEWEST_WORDS else frozenset()


def _consecutive(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return (tuple(words[first : first + RUN]) for first in range(len(words) - RUN + 1))
