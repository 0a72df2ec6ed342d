"""How often the paired verdict on F1 is right, and what labelling disagreements first saves.

    make bench-paired GMB=file
    python -m tests.benchmarks.paired GMB [--work .bench/paired] [--rounds 1000]

Two real versions, trained on 10,000 and 4,000 sentences of GMB, answer 24,000 others. Canaries of a known F1 are made
of them: on each sentence the canary is the weaker version with some probability, and the stable one is the other, so
both the size of the drop and the way in which real versions differ are true. Each round draws 5,000 sentences as the
shadowed traffic, and labels some of them.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.quality_verdicts import Judged, PairedCounts, f1_difference, judge_quality
from tests.benchmarks.paired_answers import SENTENCES, Population, population
from tests.benchmarks.paired_page import write_page

TRAFFIC, LABELS, LESS, AGREEING_SHARE = 5_000, 500, 0.4, 0.2
DROPS = (0.0, 0.025)
LOOKS = range(100, LABELS + 1, 50)


@dataclass
class Round:
    """One draw of shadowed traffic: counts with roles assigned, and which sentences the versions differ on."""

    counts: NDArray[np.float64]
    expected: NDArray[np.float64]
    differs: NDArray[np.bool_]

    def at_random(self, count: int) -> list[Judged]:
        """The first sentences, whatever is said about them: traffic comes in an order that is drawn."""
        return [Judged(PairedCounts(*row)) for row in self.counts[:count].tolist()]

    def disagreements_first(self, count: int) -> list[Judged]:
        """Four of five labels on sentences on which the versions differ."""
        agreeing = int(AGREEING_SHARE * count)
        disagree = np.flatnonzero(self.differs)[: count - agreeing]
        agree = np.flatnonzero(~self.differs)[: count - len(disagree)]
        return [
            *(Judged(PairedCounts(*row), "disagree") for row in self.counts[disagree].tolist()),
            *(Judged(PairedCounts(*row), "agree") for row in self.counts[agree].tolist()),
        ]

    @property
    def strata(self) -> dict[str, int]:
        """How much traffic each stratum holds."""
        return {"disagree": int(self.differs.sum()), "agree": int((~self.differs).sum())}


def main() -> None:
    """Measure, and write docs/benchmarks-paired.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gmb", type=Path)
    parser.add_argument("--work", type=Path, default=Path(".bench/paired"))
    parser.add_argument("--rounds", type=int, default=1000)
    arguments = parser.parse_args()
    people = population(arguments.gmb, arguments.work)
    figures: dict[str, Any] = {
        "rounds": arguments.rounds,
        "sentences": dict(SENTENCES),
        "held_out": len(people.differs),
        "f1": people.f1(),
        "differs": float(people.differs.mean()),
        "worlds": [_world(people, drop, arguments.rounds) for drop in DROPS],
    }
    write_page(Path("docs/benchmarks-paired.md"), figures)


def _world(people: Population, drop: float, rounds: int) -> dict[str, Any]:
    share = _share_of_weaker(people, drop)
    random = np.random.default_rng(int(1000 * drop) + 1)
    truth = _truth(people, share)
    drawn = [_draw(people, share, random) for _ in range(rounds)]
    plans: dict[str, Callable[[Round], tuple[Sequence[Judged], dict[str, int] | None]]] = {
        f"{LABELS} at random": lambda one: (one.at_random(LABELS), None),
        f"{LABELS}, disagreements first": lambda one: (one.disagreements_first(LABELS), one.strata),
        f"{int(LESS * LABELS)}, disagreements first": lambda one: (
            one.disagreements_first(int(LESS * LABELS)),
            one.strata,
        ),
    }
    results = {name: _plan([plan(one) for one in drawn], truth) for name, plan in plans.items()}
    some = drawn[: max(1, rounds // 4)]
    print(f"drop {drop:.3f}: truth {truth:+.4f}, {results}", flush=True)
    return {
        "drop": drop,
        "truth": truth,
        "plans": results,
        "ever_passed": float(np.mean([_passes_at_some_look(one) for one in some])),
        "estimated": _estimated(some, truth),
    }


def _plan(samples: Sequence[tuple[Sequence[Judged], dict[str, int] | None]], truth: float) -> dict[str, float]:
    covered, errors, widths, verdicts = [], [], [], []
    for judged, strata in samples:
        found = f1_difference(judged, strata)
        assert found is not None
        covered.append(found.low <= truth <= found.high)
        errors.append(found.difference - truth)
        widths.append(found.width)
        verdicts.append(judge_quality(judged, strata).verdict)
    return {
        "passed": verdicts.count("pass") / len(verdicts),
        "failed": verdicts.count("fail") / len(verdicts),
        "coverage": float(np.mean(covered)),
        "width": float(np.median(widths)),
        "bias": float(np.mean(errors)),
        "error": float(np.std(errors)),
    }


def _passes_at_some_look(one: Round) -> bool:
    return any(judge_quality(one.disagreements_first(count), one.strata).verdict == "pass" for count in LOOKS)


def _estimated(drawn: Sequence[Round], truth: float) -> dict[str, float]:
    """What stands in without labels, on 2,000 texts."""
    judged = [
        judge_quality([], estimates=[PairedCounts(*row) for row in one.expected[:2000].tolist()]) for one in drawn
    ]
    errors = [one.difference.difference - truth for one in judged if one.difference is not None]
    return {
        "passed": float(np.mean([one.verdict == "pass" for one in judged])),
        "failed": float(np.mean([one.verdict == "fail" for one in judged])),
        "bias": float(np.mean(errors)),
    }


def _draw(people: Population, share: float, random: np.random.Generator) -> Round:
    """Traffic, with the canary's part given to the weaker version by chance."""
    places = random.integers(len(people.differs), size=TRAFFIC)
    counts, expected = people.counts[places], people.expected[places]
    is_weaker = random.random(TRAFFIC) < share
    order = np.where(is_weaker[:, None], [0, 1], [1, 0])
    rows = np.arange(TRAFFIC)[:, None]
    return Round(
        counts[rows, order].reshape(TRAFFIC, 6), expected[rows, order].reshape(TRAFFIC, 6), people.differs[places]
    )


def _truth(people: Population, share: float) -> float:
    """F1 of a canary that is the weaker version on `share` of the sentences, minus that of the stable one."""
    stronger, weaker = people.counts.sum(axis=0)
    canary, stable = share * weaker + (1 - share) * stronger, share * stronger + (1 - share) * weaker
    return float(2 * canary[0] / (canary[1] + canary[2]) - 2 * stable[0] / (stable[1] + stable[2]))


def _share_of_weaker(people: Population, drop: float) -> float:
    low, high = 0.5, 1.0
    if _truth(people, high) > -drop:
        raise SystemExit(f"The versions differ by {-_truth(people, high):.3f} only; a drop of {drop} cannot be made.")
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _truth(people, middle) > -drop else (low, middle)
    return (low + high) / 2


if __name__ == "__main__":
    main()
