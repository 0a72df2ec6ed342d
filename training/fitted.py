"""What fitting says while it goes on, and what it leaves behind besides files."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ner.predictions import ConfidenceKind


@dataclass(frozen=True, slots=True)
class Epoch:
    """One finished pass over the training part, counted from 1. `loss` is the mean per sentence, in nats; `f1` the
    strict score on the dev part; `seconds_left` holds if every epoch that is allowed is run."""

    epoch: int
    epochs: int
    loss: float
    f1: float
    seconds: float
    seconds_left: float


@dataclass(frozen=True, slots=True)
class Fitted:
    """`backend` and `confidence_kind` say how the files are served. `vocabulary` holds the training words that the
    model knows, normalised. `misaligned` counts the spans, by part, that no run of tokens covers exactly, or that a
    sentence border cuts: they were not learned, and on dev they count as missed. `parity` compares the served model
    with the trained one; it is empty where they are the same program. `calibration` says how confidences were fitted to
    the dev part, and is empty where they were not."""

    backend: str
    confidence_kind: ConfidenceKind
    history: list[dict[str, float]]
    vocabulary: set[str]
    misaligned: dict[str, int]
    parity: dict[str, Any] = field(default_factory=dict)
    calibration: dict[str, Any] = field(default_factory=dict)


Report: TypeAlias = Callable[[Epoch], None]
ShouldStop: TypeAlias = Callable[[], bool]
