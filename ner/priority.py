"""Which documents a person should look at first: a mixture of what a correction would teach, and a random share.

uncertainty   errors that the model expects of itself: spans that may be wrong, entities that it may have missed
disagreement  spans that another version marks differently (Seung et al. 1992, with two members)
novelty       words that the model has never seen

Each is turned into ranks, so that none drowns the others. A random share of the places goes to documents drawn evenly:
only those give an honest estimate of how good the model is, and they find what the model does not know it lacks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ner.outcomes import key_of
from ner.predictions import Tagged


@dataclass(frozen=True, slots=True)
class Mixture:
    """Weights of the three reasons, and the share of places that are drawn at random, in [0, 1]."""

    uncertainty: float = 0.6
    disagreement: float = 0.2
    novelty: float = 0.2
    random_share: float = 1 / 7


def expected_errors(answer: Tagged) -> float:
    """Spans that are wrong and entities that are missed, as far as the model's probabilities know."""
    right = sum(span.confidence for span in answer.spans)
    missed = 0.0 if answer.expected_entities is None else max(0.0, answer.expected_entities - right)
    return len(answer.spans) - right + missed


def order_by_priority(
    answers: Sequence[Tagged],
    *,
    others: Sequence[Tagged] | None = None,
    mixture: Mixture | None = None,
    seed: int = 0,
) -> list[int]:
    """Places of `answers`, the one to look at first in front. `others`: another version's answers to the same texts."""
    weights, random = mixture or Mixture(), np.random.default_rng(seed)
    score = weights.uncertainty * _ranks([expected_errors(answer) for answer in answers])
    score += weights.novelty * _ranks([answer.unknown_tokens for answer in answers])
    if others is not None:
        pairs = zip(answers, others, strict=True)
        score += weights.disagreement * _ranks([differences(left, right) for left, right in pairs])
    ranked = list(np.argsort(-score, kind="stable"))
    drawn = list(random.permutation(len(answers)))
    taken: set[int] = set()
    order: list[int] = []
    for is_random in random.random(len(answers)) < weights.random_share:
        source = drawn if is_random else ranked
        place = next(place for place in source if place not in taken)
        taken.add(place)
        order.append(int(place))
        # What stands in front is taken; dropping it keeps the search short.
        for queue in (drawn, ranked):
            while queue and queue[0] in taken:
                queue.pop(0)
    return order


def differences(left: Tagged, right: Tagged) -> int:
    """Spans that one of two answers to a text has and the other has not."""
    return len({key_of(span) for span in left.spans} ^ {key_of(span) for span in right.spans})


def _ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """Each value's rank in [0, 1]; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    means = ends - (counts + 1) / 2
    return np.asarray(means[inverse] / max(1, len(values) - 1))
