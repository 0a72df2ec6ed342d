"""Gamma: how far people agree about where spans are and what they are, in one figure, corrected for chance.

Source: Mathet, Widlöcher and Métivier 2015, "The Unified and Holistic Method Gamma (γ) for Inter-Annotator Agreement
Measure and Alignment": 1 - (disorder of the best alignment) / (disorder that chance gives), with borders and labels
counting alike. Chance is the paper's: everybody's spans as they are, turned by a random distance around all documents
laid end to end. It is drawn, so the figure has an interval; the seed is fixed, so the same answers give the same one.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from dashboards.alignment import END, PERSON, START, FloatArray, IntArray, best_alignment, pairs_of
from ner.documents import EntitySpan
from ner.errors import InvalidInput

_SEED = 1
_FEWEST_DRAWS, _MOST_DRAWS = 30, 300
_PRECISION = 0.02  # of the mean disorder of the draws, with 95 %
_MOST_SPANS = 4_000
_LEAST_AGREED = 10


@dataclass(frozen=True, slots=True)
class AnsweredText:
    """A document with what each person said about it."""

    document_id: str
    text: str
    answers: Mapping[str, Sequence[EntitySpan]]


@dataclass(frozen=True, slots=True)
class Gamma:
    """`gamma` is 1 where everybody says the same and 0 where they agree as chance does. `interval` holds the figure of
    endless draws with 95 %; it is not about other documents. Where gamma is None, `why_not` says why.
    """

    gamma: float | None
    interval: tuple[float, float] | None
    draws: int
    spans: int
    why_not: str | None = None


@dataclass(frozen=True, slots=True)
class PairGamma:
    """Two people on the documents that both corrected."""

    left: str
    right: str
    documents: int
    whole: Gamma


@dataclass(frozen=True, slots=True)
class GammaAgreement:
    """Of everybody, of each label's spans alone, of pairs, and the documents that are least agreed upon.
    `documents` were measured, of `shared` that two people or more corrected.
    """

    shared: int
    documents: int
    whole: Gamma
    per_label: dict[str, Gamma] = field(default_factory=dict)
    pairs: list[PairGamma] = field(default_factory=list)
    least_agreed: list[tuple[str, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Disorder:
    """Of documents with the same people: what was seen, document by document, and what chance gave, draw by draw, each
    for one span of one person.
    """

    spans: float  # of one person
    seen: float
    per_document: dict[str, float]
    drawn: FloatArray


def measure_gamma(documents: Iterable[AnsweredText]) -> GammaAgreement:
    """Gamma over documents; those with fewer than two answers say nothing. Of very many spans, documents drawn once and
    for all are measured.
    """
    shared = [one for one in documents if len(one.answers) > 1]
    chosen = _chosen(shared)
    labels = sorted({span.label for one in chosen for spans in one.answers.values() for span in spans})
    people = sorted({name for one in chosen for name in one.answers})
    whole, per_document = _measure(chosen)
    pairs = [
        PairGamma(left, right, len(both), whole if len(people) == 2 else _measure(both)[0])
        for left, right in combinations(people, 2)
        if (both := [_only(one, {left, right}) for one in chosen if {left, right} <= one.answers.keys()])
    ]
    per_label = {label: _measure([_labelled(one, label) for one in chosen])[0] for label in labels}
    least = sorted(per_document.items(), key=lambda item: item[1])[:_LEAST_AGREED]
    return GammaAgreement(len(shared), len(chosen), whole, per_label, pairs, [one for one in least if one[1] < 1])


def _chosen(shared: Sequence[AnsweredText]) -> list[AnsweredText]:
    """All of them, or as many as hold no more than some thousand spans."""
    sizes = [sum(len(spans) for spans in one.answers.values()) for one in shared]
    if sum(sizes) <= _MOST_SPANS:
        return list(shared)
    order = np.random.default_rng(_SEED).permutation(len(shared))
    count = int(np.searchsorted(np.cumsum([sizes[index] for index in order]), _MOST_SPANS, side="right"))
    return [shared[index] for index in sorted(order[: max(count, 1)])]


def _only(one: AnsweredText, people: set[str]) -> AnsweredText:
    return AnsweredText(one.document_id, one.text, {name: one.answers[name] for name in sorted(people)})


def _labelled(one: AnsweredText, label: str) -> AnsweredText:
    kept = {name: [span for span in spans if span.label == label] for name, spans in one.answers.items()}
    return AnsweredText(one.document_id, one.text, kept)


def _measure(documents: Sequence[AnsweredText]) -> tuple[Gamma, dict[str, float]]:
    """Gamma of all documents, and of each of them against the same chance. Those of the same people are measured
    together, and disorders added by their spans.
    """
    groups: dict[tuple[str, ...], list[AnsweredText]] = defaultdict(list)
    for one in documents:
        groups[tuple(sorted(one.answers))].append(one)
    spans = sum(len(said) for one in documents for said in one.answers.values())
    if not spans:
        return Gamma(None, None, 0, 0, "Nobody marked a span."), {}
    chance = np.random.default_rng(_SEED)
    try:
        found = [_disorder(group, chance) for group in groups.values() if any(map(_has_spans, group))]
    except InvalidInput as error:
        return Gamma(None, None, 0, spans, str(error)), {}
    weights = np.array([one.spans for one in found])
    expected = float(weights @ [one.drawn.mean() for one in found])
    if expected == 0:
        return Gamma(None, None, 0, spans, "Chance gives no disorder here; there is nothing to compare with."), {}
    seen = float(weights @ [one.seen for one in found])
    half = 1.96 * float(np.sqrt(weights**2 @ [one.drawn.var(ddof=1) / len(one.drawn) for one in found]))
    low, high = (1 - seen / max(expected + sign * half, 1e-12) for sign in (-1, 1))
    mean = expected / weights.sum()
    per_document = {name: 1 - value / mean for one in found for name, value in one.per_document.items()}
    return Gamma(1 - seen / expected, (low, high), sum(len(one.drawn) for one in found), spans), per_document


def _has_spans(one: AnsweredText) -> bool:
    return any(one.answers.values())


def _disorder(documents: Sequence[AnsweredText], chance: np.random.Generator) -> _Disorder:
    """Of documents with the same people. Draws go on until the mean is sure to two in a hundred, or there are many."""
    people = sorted(documents[0].answers)
    units, length, of_document = _laid_out(documents, people)
    mean = len(units) / len(people)
    per_document = _seen(units, of_document, [one.document_id for one in documents], len(people))
    drawn: list[float] = []
    wanted = _FEWEST_DRAWS
    while len(drawn) < wanted:
        turned = _turned(units, len(people), length, chance)
        disorder = best_alignment(turned, len(people)).disorders.sum() * len(people) / len(turned)
        drawn.append(float(disorder))
        if len(drawn) == _FEWEST_DRAWS and np.mean(drawn) > 0:
            spread = float(np.std(drawn, ddof=1) / np.mean(drawn))
            wanted = min(max(int(np.ceil((1.96 * spread / _PRECISION) ** 2)), _FEWEST_DRAWS), _MOST_DRAWS)
    sizes = np.bincount(of_document, minlength=len(documents)) / len(people)
    seen = sum(per_document[one.document_id] * size for one, size in zip(documents, sizes, strict=True) if size)
    return _Disorder(mean, float(seen / mean), per_document, np.array(drawn))


def _laid_out(documents: Sequence[AnsweredText], people: Sequence[str]) -> tuple[IntArray, int, IntArray]:
    """(units [many, 4] with all documents end to end, their length in characters, each unit's document)."""
    numbers: dict[str, int] = {}
    rows: list[tuple[int, int, int, int]] = []
    of_document: list[int] = []
    start = 0
    for place, one in enumerate(documents):
        for person, name in enumerate(people):
            for span in one.answers[name]:
                label = numbers.setdefault(span.label, len(numbers))
                rows.append((person, start + span.start, start + span.end, label))
                of_document.append(place)
        start += len(one.text)
    return np.array(rows, dtype=np.int64), start, np.array(of_document, dtype=np.int64)


def _seen(units: IntArray, of_document: IntArray, names: Sequence[str], people: int) -> dict[str, float]:
    """The disorder of each document with spans, for one span of one person."""
    # So far apart that no unit of one document can stand beside one of the next.
    longest = int((units[:, END] - units[:, START]).max())
    gap = int(np.ceil(np.sqrt(people * pairs_of(people)) * 2 * longest)) + 1
    apart = units.copy()
    apart[:, [START, END]] += gap * of_document[:, np.newaxis]
    best = best_alignment(apart, people)
    place = of_document[best.units.max(axis=1)]
    sizes = np.bincount(of_document, minlength=len(names)) / people
    sums = np.bincount(place, weights=best.disorders, minlength=len(names))
    return {name: float(sums[index] / sizes[index]) for index, name in enumerate(names) if sizes[index]}


def _turned(units: IntArray, people: int, length: int, chance: np.random.Generator) -> IntArray:
    """One draw: for each person the spans of somebody, turned around all documents by a distance of their own."""
    apart = float((units[:, END] - units[:, START]).mean()) / 2
    while True:
        drawn, pivots = [], np.empty(0)
        for person in range(people):
            pivots = np.append(pivots, _pivot(pivots, length, apart, chance))
            part = units[units[:, PERSON] == chance.integers(people)].copy()
            part[:, PERSON] = person
            turn = np.where(part[:, START] + pivots[-1] >= length, pivots[-1] - length, pivots[-1]).astype(np.int64)
            part[:, [START, END]] += turn[:, np.newaxis]
            drawn.append(part)
        turned = np.concatenate(drawn)
        if len(turned):
            return turned


def _pivot(taken: FloatArray, length: int, apart: float, chance: np.random.Generator) -> float:
    """A distance that is not near one that was taken, as far as there is room."""
    for _ in range(100):
        pivot = float(chance.integers(length))
        if (np.abs(taken - pivot) > apart).all():
            break
    return pivot
