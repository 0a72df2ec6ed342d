"""Judged sentences, of which only single spans are known, among the others in a pass."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from training.sentences import Sentence

BatchT = TypeVar("BatchT")


def judged_counts(sentences: Sequence[Sentence]) -> dict[str, int]:
    """How many sentences were judged, and how many spans in them were accepted and rejected."""
    return {
        "sentences": len(sentences),
        "accepted": sum(len(one.spans) for one in sentences),
        "rejected": sum(len(one.rejected) for one in sentences),
    }


def spread(
    whole: Iterator[BatchT], judged: Iterator[BatchT], batches: int, judged_batches: int
) -> Iterator[tuple[BatchT, bool]]:
    """All batches of a pass, and of each whether it is judged: these stand evenly among the others."""
    total = batches + judged_batches
    for step in range(total):
        is_judged = (step + 1) * judged_batches // total > step * judged_batches // total
        yield next(judged if is_judged else whole), is_judged
