"""Which span answers which: one-to-one matching of two sets of spans, and what became of each pair.

Spans that agree in borders and label are paired first. What remains is paired so that the shared characters are as
many as possible (an assignment problem, solved exactly inside each cluster of overlapping spans); among equals, pairs
of one label are preferred. Every span is in exactly one pair.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, Protocol, TypeVar

Outcome = Literal["correct", "wrong_label", "wrong_border", "both", "missed", "spurious"]
OUTCOMES: tuple[Outcome, ...] = ("correct", "wrong_label", "wrong_border", "both", "missed", "spurious")


class Marked(Protocol):
    """Anything with borders and a label: an EntitySpan or a ScoredSpan."""

    @property
    def start(self) -> int: ...

    @property
    def end(self) -> int: ...

    @property
    def label(self) -> str: ...


Wanted = TypeVar("Wanted", bound=Marked)
Found = TypeVar("Found", bound=Marked)
Key = tuple[int, int, str]


def key_of(span: Marked) -> Key:
    """What makes two spans the same: borders and label, whatever else they carry."""
    return span.start, span.end, span.label


def match_spans(wanted: Iterable[Wanted], found: Iterable[Found]) -> list[tuple[Outcome, Wanted | None, Found | None]]:
    """Pair every span of `wanted` (gold) with at most one of `found`, in text order. A repeated span counts once."""
    left = {key_of(span): span for span in wanted}
    right = {key_of(span): span for span in found}
    pairs: list[tuple[Outcome, Wanted | None, Found | None]] = [
        ("correct", left[key], right[key]) for key in left.keys() & right.keys()
    ]
    for cluster_left, cluster_right in _clusters(
        sorted(left.keys() - right.keys()), sorted(right.keys() - left.keys())
    ):
        for first, second in _assign(cluster_left, cluster_right):
            pairs.append((_outcome(first, second), left[first] if first else None, right[second] if second else None))
    return sorted(pairs, key=lambda pair: key_of(pair[1] or pair[2]))  # type: ignore[arg-type]


def _outcome(wanted: Key | None, found: Key | None) -> Outcome:
    if wanted is None:
        return "spurious"
    if found is None:
        return "missed"
    if wanted[:2] == found[:2]:
        return "wrong_label"
    return "wrong_border" if wanted[2] == found[2] else "both"


def _clusters(left: Sequence[Key], right: Sequence[Key]) -> list[tuple[list[Key], list[Key]]]:
    """Groups of spans such that spans of different groups share no character."""
    clusters: list[tuple[list[Key], list[Key]]] = []
    reach = 0
    for key, side in sorted([(key, 0) for key in left] + [(key, 1) for key in right]):
        if not clusters or key[0] >= reach:
            clusters.append(([], []))
        clusters[-1][side].append(key)
        reach = max(reach, key[1])
    return clusters


def _assign(left: Sequence[Key], right: Sequence[Key]) -> list[tuple[Key | None, Key | None]]:
    if not left or not right:
        return [(key, None) for key in left] + [(None, key) for key in right]
    size = max(len(left), len(right))
    gain = [[0] * size for _ in range(size)]
    for row, wanted in enumerate(left):
        for column, found in enumerate(right):
            shared = min(wanted[1], found[1]) - max(wanted[0], found[0])
            if shared > 0:
                gain[row][column] = shared * (size + 1) + (wanted[2] == found[2])
    pairs: list[tuple[Key | None, Key | None]] = []
    for row, column in enumerate(_best_columns(gain)):
        if gain[row][column] > 0:
            pairs.append((left[row], right[column]))
            continue
        if row < len(left):
            pairs.append((left[row], None))
        if column < len(right):
            pairs.append((None, right[column]))
    return pairs


def _best_columns(gain: Sequence[Sequence[int]]) -> list[int]:
    """For each row of a square matrix its column in the assignment of greatest total gain.

    The Hungarian algorithm with potentials (Jonker and Volgenant 1987), O(n^3).
    """
    size = len(gain)
    row_potential, column_potential = [0] * (size + 1), [0] * (size + 1)
    row_of = [0] * (size + 1)  # 1-based; column 0 is where each search starts
    for row in range(1, size + 1):
        row_of[0], column = row, 0
        slack = [float("inf")] * (size + 1)
        came_from, visited = [0] * (size + 1), [False] * (size + 1)
        while row_of[column] != 0:
            visited[column] = True
            current, step, following = row_of[column], float("inf"), 0
            for other in range(1, size + 1):
                if not visited[other]:
                    cost = -gain[current - 1][other - 1] - row_potential[current] - column_potential[other]
                    if cost < slack[other]:
                        slack[other], came_from[other] = cost, column
                    if slack[other] < step:
                        step, following = slack[other], other
            for other in range(size + 1):
                if visited[other]:
                    row_potential[row_of[other]] += int(step)
                    column_potential[other] -= int(step)
                else:
                    slack[other] -= step
            column = following
        while column != 0:
            row_of[column] = row_of[came_from[column]]
            column = came_from[column]
    columns = [0] * size
    for column in range(1, size + 1):
        columns[row_of[column] - 1] = column - 1
    return columns
