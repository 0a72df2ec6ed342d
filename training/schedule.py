"""How long a run is, and how the learning rate moves over it."""

import math

_FEWEST_EPOCHS, _EPOCH_SCALE = 4, 1200
_TWO_MEMBERS_UP_TO = 20_000
"""Sentences. Above it a second network would take a run over a quarter of an hour on two cores, and adds little."""


def epoch_count(sentences: int, most: int) -> int:
    """At most `most`; less on a large corpus, falling with the square root of its size: 10 for 14,000 sentences."""
    return min(most, max(_FEWEST_EPOCHS, round(_EPOCH_SCALE / math.sqrt(max(1, sentences)))))


def member_count(sentences: int, wished: int) -> int:
    """`wished`; where that is 0, two networks for up to 20,000 sentences and one for more."""
    return wished or (2 if sentences <= _TWO_MEMBERS_UP_TO else 1)


def rate_at(done: float, warmup: float) -> float:
    """Share of the highest learning rate when a share `done` of all steps is behind: up to 1, then down to 0."""
    return done / warmup if done < warmup else (1 - done) / (1 - warmup)
