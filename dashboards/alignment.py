"""The best alignment of what several people marked in one text, exactly.

Source: Mathet, Widlöcher and Métivier 2015, "The Unified and Holistic Method Gamma (γ) for Inter-Annotator Agreement
Measure and Alignment", sections 4.2 to 4.4 and 5.1. A unitary alignment takes at most one unit of each person; the
best alignment puts every unit into exactly one of them, so that the sum of their disorders is least. That is an
integer program. Two units far apart never stand together in it, so it falls into small independent ones.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ner.errors import InvalidInput

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
PERSON, START, END, LABEL = range(4)
"""The columns of units: whose it is, its characters `[start, end)`, and the number of its label."""
_MOST_CANDIDATES = 200_000


@dataclass(frozen=True, slots=True)
class Alignment:
    """Unitary alignments [many, people]: the row of a unit, or -1 where a person has none; and the disorder of each."""

    units: IntArray
    disorders: FloatArray


def pairs_of(people: int) -> int:
    """How many pairs so many people are."""
    return people * (people - 1) // 2


def dissimilarity(left: IntArray, right: IntArray) -> FloatArray:
    """Of units [many, 4] row by row: how far apart they are for their length, squared, and 1 where labels differ."""
    apart = np.abs(left[:, START] - right[:, START]) + np.abs(left[:, END] - right[:, END])
    length = left[:, END] - left[:, START] + right[:, END] - right[:, START]
    different = (left[:, LABEL] != right[:, LABEL]).astype(np.float64)
    return np.asarray((apart / length) ** 2 + different, dtype=np.float64)


def best_alignment(units: IntArray, people: int) -> Alignment:
    """The alignment of least disorder of units [many, 4]. Raises InvalidInput where too many units lie together."""
    alone = np.full((len(units), people), -1, dtype=np.int64)
    alone[np.arange(len(units)), units[:, PERSON]] = np.arange(len(units))
    together, disorders = _candidates(units, people)
    chosen = _solve(together, disorders, len(units))
    is_left = np.ones(len(units), dtype=bool)
    is_left[together[chosen][together[chosen] >= 0]] = False
    # A unit alone is as far from everybody's nothing as can be: 1.
    return Alignment(
        np.concatenate([together[chosen], alone[is_left]]),
        np.concatenate([disorders[chosen], np.ones(int(is_left.sum()))]),
    )


def _candidates(units: IntArray, people: int) -> tuple[IntArray, FloatArray]:
    """Unitary alignments of two units or more that are better than leaving each of these units alone."""
    pairs = pairs_of(people)
    # A unit is better alone where the others together are as far from it as this.
    limit = float(pairs + people - 1)
    left, right, apart = _near(units, limit)
    if people == 2:
        is_better = apart < 2
        return np.stack([left, right], axis=1)[is_better], apart[is_better]
    near: dict[int, dict[int, float]] = defaultdict(dict)
    for one, other, far in zip(left.tolist(), right.tolist(), apart.tolist(), strict=True):
        near[one][other] = far
    rows: list[IntArray] = []
    disorders: list[float] = []
    for members, far in _cliques(near, limit):
        disorder = (far + pairs - pairs_of(len(members))) / pairs
        if disorder < len(members):
            row = np.full(people, -1, dtype=np.int64)
            row[units[members, PERSON]] = members
            rows.append(row)
            disorders.append(disorder)
        if len(rows) > _MOST_CANDIDATES:
            raise InvalidInput("Too many spans of too many people lie at the same places for an exact alignment.")
    return np.array(rows, dtype=np.int64).reshape(-1, people), np.array(disorders)


def _near(units: IntArray, limit: float) -> tuple[IntArray, IntArray, FloatArray]:
    """(row, row of somebody who comes later, dissimilarity) of units that are not further apart than the limit."""
    order = np.argsort(units[:, START], kind="stable")
    starts = units[order, START]
    longest = int((units[:, END] - units[:, START]).max(initial=0))
    reach = np.searchsorted(starts, starts + int(np.ceil(np.sqrt(limit) * 2 * longest)), side="right")
    counts = reach - np.arange(len(order)) - 1
    first = np.repeat(np.arange(len(order)), counts)
    second = first + 1 + np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
    one, other = order[first], order[second]
    is_pair = units[one, PERSON] != units[other, PERSON]
    one, other = one[is_pair], other[is_pair]
    is_later = units[one, PERSON] > units[other, PERSON]
    one, other = np.where(is_later, other, one), np.where(is_later, one, other)
    apart = dissimilarity(units[one], units[other])
    is_near = apart <= limit
    return one[is_near], other[is_near], apart[is_near]


def _cliques(near: dict[int, dict[int, float]], limit: float) -> Iterator[tuple[list[int], float]]:
    """Sets of two units or more of different people, each near each other, with the sum of their dissimilarities."""
    waiting = [([first], set(others), 0.0) for first, others in near.items()]
    while waiting:
        members, others, far = waiting.pop()
        for other in others:
            added = sum(near[member][other] for member in members)
            if added > limit:
                continue
            grown = far + added
            yield [*members, other], grown
            # Only people who come later, so that each set is met once.
            if further := others & near.get(other, {}).keys():
                waiting.append(([*members, other], further, grown))


def _solve(together: IntArray, disorders: FloatArray, size: int) -> IntArray:
    """Which candidates to take, so that no unit is taken twice and most disorder is saved over leaving units alone."""
    if not len(together):
        return np.zeros(0, dtype=np.int64)
    # 70 MB and half a second that only those pay who ask for an alignment.
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    saved = (together >= 0).sum(axis=1) - disorders
    rows, places = np.nonzero(together >= 0)
    taken = csr_matrix((np.ones(len(rows)), (together[rows, places], rows)), shape=(size, len(together)))
    _, piece = connected_components(taken.T @ taken, directed=False)
    is_alone = np.bincount(piece)[piece] == 1
    chosen, rest = np.nonzero(is_alone)[0], np.nonzero(~is_alone)[0]
    return np.concatenate([chosen, rest[_best(taken[:, rest], saved[rest])]]) if len(rest) else chosen


def _best(taken: Any, saved: FloatArray) -> IntArray:
    """Which columns of a sparse matrix [units, candidates] to take, as an integer program."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    used = taken[np.diff(taken.indptr) > 0]
    found = milp(
        -saved,
        constraints=LinearConstraint(used, ub=1),
        integrality=np.ones(len(saved)),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 0},
    )
    if not found.success:
        raise InvalidInput(f"The alignment was not found: {found.message}")
    return np.asarray(np.nonzero(found.x > 0.5)[0], dtype=np.int64)
