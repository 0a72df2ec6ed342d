"""CRFs small enough that every tag sequence can be written down, and what follows from doing so."""

import itertools
from collections.abc import Iterator

import numpy as np
from hypothesis import strategies as st

from ner.tags import TokenSpan, decode_tags, tag_names
from registry.crf import Crf, Emissions, Lengths, constrained

Case = tuple[Crf, Emissions, Lengths]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A ragged batch with scores from near to far."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    tags = tag_names(["a", "b"][: draw(st.integers(1, 2))])
    spread = draw(st.sampled_from([0.0, 1.0, 5.0, 40.0]))
    lengths = np.array(draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)))
    size = len(tags)
    crf = constrained(tags, *(spread * random.normal(size=shape) for shape in [(size, size), size, size]))
    return crf, spread * random.normal(size=(len(lengths), lengths.max(), size)), lengths


def sequences(crf: Crf, scores: Emissions) -> Iterator[tuple[tuple[int, ...], float]]:
    """Every allowed tag sequence with its score."""
    for path in itertools.product(range(len(crf.tags)), repeat=len(scores)):
        score = crf.start[path[0]] + crf.end[path[-1]] + sum(row[tag] for row, tag in zip(scores, path, strict=True))
        score += sum(crf.transitions[pair] for pair in itertools.pairwise(path))
        if np.isfinite(score):
            yield path, float(score)


def enumerated(crf: Crf, scores: Emissions) -> dict[TokenSpan, float]:
    """The probability of every span that occurs in any allowed sequence."""
    every = list(sequences(crf, scores))
    best = max(score for _, score in every)
    total = sum(np.exp(score - best) for _, score in every)
    shares: dict[TokenSpan, float] = {}
    for path, score in every:
        for span in decode_tags([crf.tags[tag] for tag in path]):
            shares[span] = shares.get(span, 0.0) + float(np.exp(score - best) / total)
    return shares
