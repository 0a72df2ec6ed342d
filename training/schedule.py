"""How the learning rate moves over a run."""


def rate_at(done: float, warmup: float) -> float:
    """Share of the highest learning rate when a share `done` of all steps is behind: up to 1, then down to 0."""
    return done / warmup if done < warmup else (1 - done) / (1 - warmup)
