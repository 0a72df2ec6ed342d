"""How far a training run is."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. `fraction` lies in [0, 1]; `history` has one item per epoch: epoch, loss, f1, seconds, ...;
    its first `epochs_before` were made by an earlier attempt, whose process died."""

    stage: str = ""
    fraction: float = 0.0
    epoch: int | None = None
    epochs: int | None = None
    loss: float | None = None
    f1: float | None = None
    seconds_left: float | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    epochs_before: int = 0
