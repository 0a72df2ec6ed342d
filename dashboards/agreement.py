"""How far people agree about the same documents: pairwise F1 over spans, kappa and alpha over tokens.

Sources: Hripcsak and Rothschild 2005 (F1 between annotators, which equals kappa where true negatives are countless),
Cohen 1960 (kappa), Krippendorff 2004 (alpha for nominal values). Tokens get the label of the innermost span on them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from ner.documents import EntitySpan
from ner.tokens import tokenize

Answers = Mapping[str, Sequence[EntitySpan]]
NONE = "O"
_RESAMPLES, _SEED = 1000, 1


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Two people on the `documents` that both corrected. F1 and kappa lie in [.., 1]; None where it is undefined."""

    left: str
    right: str
    documents: int
    exact_f1: float | None
    exact_f1_interval: tuple[float, float] | None
    partial_f1: float | None
    kappa: float | None
    per_label: dict[str, float]


@dataclass(frozen=True, slots=True)
class Agreement:
    """`alpha` is None where it is undefined, and `why_not` then says why."""

    documents: int
    people: list[str]
    alpha: float | None
    why_not: str | None
    pairs: list[PairAgreement] = field(default_factory=list)


def measure_agreement(documents: Iterable[tuple[str, Answers]]) -> Agreement:
    """Agreement on (text, answers by person); documents with fewer than two answers say nothing and are left out."""
    shared = [(text, answers) for text, answers in documents if len(answers) > 1]
    people = sorted({name for _, answers in shared for name in answers})
    pairs = [
        _pair(
            left,
            right,
            [(text, answers[left], answers[right]) for text, answers in shared if {left, right} <= answers.keys()],
        )
        for left, right in combinations(people, 2)
    ]
    labelled = [
        list(zip(*(token_labels(text, spans) for spans in answers.values()), strict=True)) for text, answers in shared
    ]
    alpha, why_not = nominal_alpha([values for document in labelled for values in document])
    return Agreement(len(shared), people, alpha, why_not, [pair for pair in pairs if pair.documents])


def token_labels(text: str, spans: Sequence[EntitySpan]) -> list[str]:
    """The label of each token of `ner.tokens.tokenize`; "O" where no span touches it."""
    tokens = tokenize(text)
    labels = [NONE] * len(tokens)
    for span in sorted(spans, key=lambda span: (span.start - span.end, span.label)):
        for index, (start, end) in enumerate(tokens):
            if start < span.end and span.start < end:
                labels[index] = span.label
    return labels


def cohen_kappa(left: Sequence[str], right: Sequence[str]) -> float | None:
    """Cohen's kappa of two equally long sequences; None where chance alone agrees always, or nothing is there."""
    total = len(left)
    if not total:
        return None
    observed = sum(one == other for one, other in zip(left, right, strict=True)) / total
    ours, theirs = Counter(left), Counter(right)
    expected = sum(ours[label] * theirs[label] for label in ours) / total**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def nominal_alpha(units: Sequence[Sequence[str]]) -> tuple[float | None, str | None]:
    """Krippendorff's alpha for nominal values: (alpha, None), or (None, why it is undefined)."""
    coincidences: Counter[tuple[str, str]] = Counter()
    for values in units:
        if len(values) < 2:
            continue
        counts = Counter(values)
        for one, first in counts.items():
            for other, second in counts.items():
                pairs = first * (second - (one == other))
                coincidences[one, other] += pairs / (len(values) - 1)  # type: ignore[assignment]
    if not coincidences:
        return None, "No token was labelled by two people."
    totals: Counter[str] = Counter()
    for (one, _), count in coincidences.items():
        totals[one] += count
    whole = sum(totals.values())
    expected = sum(totals[one] * totals[other] for one in totals for other in totals if one != other)
    if expected == 0:
        return None, "Everybody gave every token the same label; there is no disagreement to compare with."
    observed = sum(count for (one, other), count in coincidences.items() if one != other)
    return 1 - (whole - 1) * observed / expected, None


def _pair(
    left: str, right: str, shared: Sequence[tuple[str, Sequence[EntitySpan], Sequence[EntitySpan]]]
) -> PairAgreement:
    exact = np.array([_counts(ours, theirs) for _, ours, theirs in shared], dtype=float).reshape(-1, 3)
    partial = np.array([_partial_counts(ours, theirs) for _, ours, theirs in shared], dtype=float).reshape(-1, 3)
    labels = sorted({span.label for _, ours, theirs in shared for span in (*ours, *theirs)})
    tokens = [(token_labels(text, ours), token_labels(text, theirs)) for text, ours, theirs in shared]
    return PairAgreement(
        left,
        right,
        len(shared),
        _f1(exact.sum(axis=0)),
        _interval(exact),
        _f1(partial.sum(axis=0)),
        cohen_kappa([one for ours, _ in tokens for one in ours], [one for _, theirs in tokens for one in theirs]),
        {label: score for label in labels if (score := _label_f1(label, shared)) is not None},
    )


def _label_f1(label: str, shared: Sequence[tuple[str, Sequence[EntitySpan], Sequence[EntitySpan]]]) -> float | None:
    counts = [
        _counts([one for one in ours if one.label == label], [one for one in theirs if one.label == label])
        for _, ours, theirs in shared
    ]
    return _f1(np.array(counts, dtype=float).sum(axis=0))


def _counts(ours: Sequence[EntitySpan], theirs: Sequence[EntitySpan]) -> tuple[int, int, int]:
    """(spans alike, ours, theirs)."""
    return len(set(ours) & set(theirs)), len(set(ours)), len(set(theirs))


def _partial_counts(ours: Sequence[EntitySpan], theirs: Sequence[EntitySpan]) -> tuple[int, int, int]:
    """As `_counts`, where a span counts as alike when it overlaps an unused one of the same label."""
    free, alike = sorted(set(theirs)), 0
    for span in sorted(set(ours)):
        met = next(
            (one for one in free if one.label == span.label and one.start < span.end and span.start < one.end), None
        )
        if met is not None:
            free.remove(met)
            alike += 1
    return alike, len(set(ours)), len(set(theirs))


def _f1(counts: np.ndarray) -> float | None:
    alike, ours, theirs = counts
    return None if ours + theirs == 0 else float(2 * alike / (ours + theirs))


def _interval(counts: np.ndarray) -> tuple[float, float] | None:
    """95 % of the F1 of documents drawn again and again with replacement."""
    if not len(counts) or counts[:, 1:].sum() == 0:
        return None
    chance = np.random.default_rng(_SEED)
    drawn = counts[chance.integers(0, len(counts), size=(_RESAMPLES, len(counts)))].sum(axis=1)
    sizes = drawn[:, 1] + drawn[:, 2]
    scores = 2 * drawn[sizes > 0, 0] / sizes[sizes > 0]
    low, high = np.quantile(scores, [0.025, 0.975])
    return float(low), float(high)
