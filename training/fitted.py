"""The door of every recipe: what it is given, what it says while it goes on, what it leaves behind besides files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from annotation.offers import PartialLabels
from ner.documents import LabelledText
from ner.predictions import ConfidenceKind
from training.checkpoints import Checkpoints


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
    the dev part, and is empty where they were not. `judged` counts the sentences and the accepted and rejected spans of
    documents of which only single spans are known, as far as they were learned from."""

    backend: str
    confidence_kind: ConfidenceKind
    history: list[dict[str, float]]
    vocabulary: set[str]
    misaligned: dict[str, int]
    parity: dict[str, Any] = field(default_factory=dict)
    calibration: dict[str, Any] = field(default_factory=dict)
    judged: dict[str, int] = field(default_factory=dict)


Report: TypeAlias = Callable[[Epoch], None]
ShouldStop: TypeAlias = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a recipe is given: its parameters, the two parts, the labels that it learns, the folder for its files, and
    whom to tell and to ask after each step. What it keeps in `checkpoints` it gets back when its process died. `judged`
    are documents of which only single spans are known."""

    parameters: Mapping[str, Any]
    train: Sequence[LabelledText]
    dev: Sequence[LabelledText]
    labels: Sequence[str]
    folder: Path
    report: Report
    should_stop: ShouldStop
    checkpoints: Checkpoints = field(default_factory=Checkpoints)
    judged: Sequence[PartialLabels] = ()


class Fitter(Protocol):
    """A recipe. It keeps the weights of the epoch that scored best on dev, and writes what its tagger reads.

    Raises RunCancelled soon after `should_stop` says so, InvalidInput where the parameters ask for what is not there,
    and NerError when the served model does not answer as the trained one.
    """

    def __call__(self, lesson: Lesson) -> Fitted: ...
