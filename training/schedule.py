"""How long a run is, and how the learning rate moves over it."""

import math

_FEWEST_EPOCHS, _EPOCH_SCALE = 4, 1200


def epoch_count(sentences: int, most: int) -> int:
    """At most `most`; less on a large corpus, falling with the square root of its size: 10 for 14,000 sentences."""
    return min(most, max(_FEWEST_EPOCHS, round(_EPOCH_SCALE / math.sqrt(max(1, sentences)))))


def rate_at(done: float, warmup: float) -> float:
    """Share of the highest learning rate when a share `done` of all steps is behind: up to 1, then down to 0."""
    return done / warmup if done < warmup else (1 - done) / (1 - warmup)
