"""Is the canary's F1 worse than the stable version's? Judged on the same documents, few of which are labelled.

Where both versions say the same about a document, labelling it cannot tell them apart. So documents are sampled in
strata (the versions disagree, they agree), the disagreeing ones far more often, and each counts as many times as it
stands for: stratum size / labelled in it (Horvitz and Thompson 1952). Sums of counts are unbiased whatever the shares.

The interval is by linearisation of the two ratios 2 right / (found + gold), with the variance of two-phase sampling for
stratification (Cochran 1977, chapter 12): the traffic that was seen is a sample of the traffic to come, the labelled
documents are a sample of it. `tests/registry/test_quality_verdicts.py` checks it against the paired bootstrap.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from registry.verdicts import Verdict, judge_f1

Reals = NDArray[np.float64]
Stratum = Literal["disagree", "agree", "all"]
Basis = Literal["labels", "test part", "estimate", "nothing"]

MARGIN = 0.02
"""The drop of F1 that a canary must not have."""
FEWEST_DOCUMENTS = 100
FEWEST_IN_STRATUM = 10
_VERDICT_LEVEL = 0.90


class PairedCounts(NamedTuple):
    """What two versions did on one document. Counts of spans; expected counts, where nobody has labelled it.

    `right`: predicted and in gold; `found`: predicted; `gold`: to be found (the same for both where it is labelled).
    """

    stable_right: float
    stable_found: float
    stable_gold: float
    canary_right: float
    canary_found: float
    canary_gold: float


@dataclass(frozen=True, slots=True)
class Judged:
    """A labelled document and the stratum that it was drawn from; "all" is a sample in which strata play no part."""

    counts: PairedCounts
    stratum: Stratum = "all"


@dataclass(frozen=True, slots=True)
class F1Difference:
    """F1 of the canary minus that of the stable version, with its interval at `level`. `weights`: how many documents
    one labelled document stands for, by stratum. `documents` are labelled, `entities` are the gold spans in them.
    """

    difference: float
    low: float
    high: float
    level: float
    stable_f1: float
    canary_f1: float
    documents: int
    entities: float
    weights: Mapping[str, float] = field(default_factory=dict)

    @property
    def width(self) -> float:
        """From the interval's low end to its high one."""
        return self.high - self.low


@dataclass(frozen=True, slots=True)
class QualityVerdict:
    """The answer, one sentence that says why, and all that is needed to compute it again.

    `difference` holds the 90 % interval that was judged: each side is wrong in at most 5 % of the cases. It is None
    where nothing could be computed. `basis` "estimate": no labels yet, the versions' own probabilities stand in.
    """

    verdict: Verdict
    reason: str
    basis: Basis
    margin: float
    difference: F1Difference | None
    population: Mapping[str, int] = field(default_factory=dict)
    labelled: Mapping[str, int] = field(default_factory=dict)
    labels_to_go: int | None = None


def f1_difference(
    judged: Sequence[Judged], population: Mapping[str, int] | None = None, *, level: float = 0.95
) -> F1Difference | None:
    """The paired difference and its interval; None where no document or no span was judged.

    `population`: documents in each stratum, labelled or not; without it every document counts once. A stratum with
    nothing labelled in it is left out.
    """
    names = np.array([one.stratum for one in judged], dtype=str)
    counts = np.array([one.counts for one in judged], dtype=np.float64).reshape(len(judged), 2, 3)
    strata = sorted(set(names.tolist()))
    sizes = {name: int((names == name).sum()) for name in strata}
    stands_for = {name: max((population or sizes).get(name, 0), sizes[name]) for name in strata}
    weights = {name: stands_for[name] / sizes[name] for name in strata}
    total = np.zeros((2, 3))
    for name in strata:
        total += weights[name] * counts[names == name].sum(axis=0)
    whole = total[:, 1] + total[:, 2]
    if not (whole > 0).all():
        return None
    stable_f1, canary_f1 = (2 * total[:, 0] / whole).tolist()
    influence = _influence(counts, total)
    parts = {name: influence[names == name] for name in strata}
    error = math.sqrt(_variance(parts, stands_for, 2 / float(whole.mean())))
    fewest = min((sizes[name] for name in strata if name != "agree"), default=len(judged))
    reach = _t_quantile((1 + level) / 2, max(1, fewest - 1)) * error
    difference = canary_f1 - stable_f1
    return F1Difference(
        difference,
        max(-1.0, difference - reach),
        min(1.0, difference + reach),
        level,
        stable_f1,
        canary_f1,
        len(judged),
        float(counts[:, 1, 2].sum()),
        weights,
    )


def judge_quality(
    judged: Sequence[Judged],
    population: Mapping[str, int] | None = None,
    *,
    margin: float = MARGIN,
    estimates: Sequence[PairedCounts] = (),
) -> QualityVerdict:
    """Does the canary's F1 drop by `margin` or more? "pass": surely not; "fail": surely; else not enough evidence.

    `judged`: labelled documents; with too few of them, `estimates` of unlabelled ones (expected counts from calibrated
    probabilities) stand in, and the reason says so. The error rates are those of one look at a number of labels that
    was not chosen by what they say; docs/benchmarks-paired.md has those of repeated looks.
    """
    labelled = {name: sum(one.stratum == name for one in judged) for name in ("disagree", "agree", "all")}
    labelled = {name: count for name, count in labelled.items() if count}
    sizes = dict(population or {})
    lacking = _lacking(labelled, sizes)
    found = f1_difference(judged, population, level=_VERDICT_LEVEL) if not lacking else None
    if found is not None:
        verdict, reason = judge_f1(found.difference, found.low, found.high, margin=margin)
        seen = f"On {found.documents:,} labelled documents {reason}"
        to_go = _labels_to_go(found, margin) if verdict == "not enough evidence" else None
        return QualityVerdict(verdict, seen, "labels", margin, found, sizes, labelled, to_go)
    standing_in = f1_difference([Judged(counts) for counts in estimates], level=_VERDICT_LEVEL)
    lacking = lacking or "No entity is labelled yet"
    if standing_in is None or len(estimates) < FEWEST_DOCUMENTS:
        return QualityVerdict("not enough evidence", f"{lacking}.", "nothing", margin, None, sizes, labelled)
    verdict, reason = judge_f1(standing_in.difference, standing_in.low, standing_in.high, margin=margin)
    said = f"{lacking}; estimated from the versions' own probabilities on {len(estimates):,} texts, {reason}"
    return QualityVerdict(verdict, said, "estimate", margin, standing_in, sizes, labelled)


def neyman_shares(population: Mapping[str, int], spread: Mapping[str, float]) -> dict[str, float]:
    """The share of labels for each stratum that makes the interval narrowest: size times spread (Neyman 1934)."""
    products = {name: size * spread.get(name, 0.0) for name, size in population.items()}
    total = sum(products.values())
    return {name: product / total if total else 1 / len(products) for name, product in products.items()}


def _lacking(labelled: Mapping[str, int], population: Mapping[str, int]) -> str:
    """What is missing before labels can be judged, as the beginning of a sentence; "" where nothing is."""
    total = sum(labelled.values())
    if total < FEWEST_DOCUMENTS:
        return f"{total} of at least {FEWEST_DOCUMENTS} documents are labelled"
    for name, size in population.items():
        fewest = min(FEWEST_IN_STRATUM, size)
        if labelled.get(name, 0) < fewest:
            where = {"disagree": "the versions disagree", "agree": "the versions agree"}.get(name, "they were drawn")
            return f"{labelled.get(name, 0)} of at least {fewest} documents on which {where} are labelled"
    return ""


def _influence(counts: Reals, total: Reals) -> Reals:
    """How much each document moves the difference, when it counts once more (the linearised ratios)."""
    whole = total[:, 1] + total[:, 2]
    f1 = 2 * total[:, 0] / whole
    moved = (2 * counts[:, :, 0] - f1 * (counts[:, :, 1] + counts[:, :, 2])) / whole
    return np.asarray(moved[:, 1] - moved[:, 0])


def _variance(parts: Mapping[str, Reals], stands_for: Mapping[str, int], one_entity: float) -> float:
    """Of the sum of influences over all documents, both phases.

    Two imagined documents, one span gained and one lost, join every stratum in which versions can differ: a handful of
    differences that happen to point one way must not look certain.
    """
    within, between = 0.0, 0.0
    for name, part in parts.items():
        squares = float(((part - part.mean()) ** 2).sum()) + (0.0 if name == "agree" else 2 * one_entity**2)
        within += stands_for[name] ** 2 * squares / (max(1, len(part) - 1) * len(part))
        between += stands_for[name] * float(part.mean()) ** 2
    return within + (between if len(parts) > 1 else 0.0)


def _t_quantile(probability: float, degrees: float) -> float:
    """Student's quantile by the expansion of Cornish and Fisher; within 1 % from 5 degrees of freedom on."""
    z = NormalDist().inv_cdf(probability)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    return z + first / degrees + second / degrees**2


def _labels_to_go(found: F1Difference, margin: float) -> int | None:
    """About how many more labels settle it, if the difference stays: the interval narrows with the square root."""
    distance = abs(found.difference + margin)
    reach = found.width / 2
    if distance < 1e-4 or reach <= distance:
        return None
    return math.ceil(found.documents * ((reach / distance) ** 2 - 1))
