"""How fast corrections teach: two queue orders against a random one, simulated on a corpus that has every answer.

    python -m tests.benchmarks.learning_curve CORPORA [--seeds 1 2 3]

A pool of 4,000 sentences of the Groningen Meaning Bank. Starting from the same 250 random ones, each round labels the
next 250: at random, those whose least sure entity is least sure, or the first of `ner.priority`, by the model of the
round before. Each point is a training run of a small `bilstm_crf.v1`, scored on the same 2,000 test sentences. Results
are kept point by point, so an interrupted run goes on where it stopped; the page and the plot are made from them.
"""

import argparse
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ner.documents import LabelledText
from ner.predictions import Tagged, Tagger
from ner.priority import order_by_priority
from ner.scoring import strict_score
from ner.tokens import tokenize
from registry.taggers import load_tagger
from tests.benchmarks.learning_page import draw, write_section
from tests.benchmarks.models import CORPORA, read_parts
from training.fitting import fit
from training.recipes import get_recipe

WORK = Path(".bench/learning")
POOL, DEV, TEST = 4000, 300, 2000
STEP, LAST = 250, 1000
SMALL = {
    "members": 1,
    "epochs": 14,
    "patience": 4,
    "learning_rate": 0.004,
    "lstm_units": 64,
    "word_dimension": 50,
    "character_filters": 30,
}


def _least_sure_first(answers: Sequence[Tagged], seed: int) -> list[int]:  # noqa: ARG001 - an order like the others
    lowest = [min((span.confidence for span in answer.spans), default=1.0) for answer in answers]
    return sorted(range(len(answers)), key=lowest.__getitem__)


def _by_priority(answers: Sequence[Tagged], seed: int) -> list[int]:
    return order_by_priority(answers, seed=seed)


ORDERS: dict[str, Callable[[Sequence[Tagged], int], list[int]] | None] = {
    "random": None,
    "least sure": _least_sure_first,
    "priority": _by_priority,
}


def main() -> None:
    """Run what is missing; write the page's section and the plot after each seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3])
    parser.add_argument("--orders", nargs="*", choices=list(ORDERS), default=list(ORDERS))
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    train, dev, test = read_parts(arguments.corpora, next(corpus for corpus in CORPORA if corpus.name == "gmb"))
    fixed = random.Random(0)
    pool, test = fixed.sample(train, POOL), fixed.sample(test, TEST)
    for seed in arguments.seeds:
        _Simulation(pool, dev[:DEV], test, seed, arguments.work).run(arguments.orders)
        write_section(arguments.work)
        draw(arguments.work, arguments.work / "learning_curve.png")


class _Simulation:
    """Every order with one seed; one JSON file and one package for each point."""

    def __init__(
        self,
        pool: Sequence[LabelledText],
        dev: Sequence[LabelledText],
        test: Sequence[LabelledText],
        seed: int,
        work: Path,
    ) -> None:
        self._pool, self._dev, self._test, self._seed, self._work = pool, dev, test, seed, work
        self._shuffled = list(range(len(pool)))
        random.Random(seed).shuffle(self._shuffled)

    def run(self, orders: Sequence[str]) -> None:
        start = self._point("start", self._shuffled[:STEP])
        for order in orders:
            chosen, package = self._shuffled[:STEP], start
            for count in range(2 * STEP, LAST + 1, STEP):
                chosen = self._following(order, chosen, package, count)
                package = self._point(order, chosen)

    def _point(self, order: str, chosen: Sequence[int]) -> Path:
        """Train, score and keep one point, unless it is there."""
        name = f"{order.replace(' ', '_')}.{self._seed}.{len(chosen)}"
        target, package = self._work / f"{name}.json", self._work / "packages" / name
        if target.exists():
            return package
        package.mkdir(parents=True, exist_ok=True)
        labelled = [self._pool[place] for place in chosen]
        answers = self._train(labelled, package).tag([document.text for document in self._test])
        found = [[span.span for span in answer.spans] for answer in answers]
        row: dict[str, Any] = {
            "order": order,
            "seed": self._seed,
            "sentences": len(chosen),
            "words": sum(len(tokenize(one.text)) for one in labelled),
            "entities": sum(len(one.spans) for one in labelled),
            "f1": strict_score([one.spans for one in self._test], found).f1,
        }
        print(row, flush=True)
        target.write_text(json.dumps(row | {"chosen": list(chosen)}), encoding="utf-8")
        return package

    def _following(self, order: str, chosen: Sequence[int], package: Path, count: int) -> list[int]:
        """What is labelled after the next round."""
        choose = ORDERS[order]
        if choose is None:
            return self._shuffled[:count]
        kept = self._work / f"{order.replace(' ', '_')}.{self._seed}.{count}.json"
        if kept.exists():
            return list(json.loads(kept.read_text(encoding="utf-8"))["chosen"])
        held = set(chosen)
        rest = [place for place in range(len(self._pool)) if place not in held]
        answers = load_tagger(package).tag([self._pool[place].text for place in rest])
        return [*chosen, *(rest[place] for place in choose(answers, self._seed)[: count - len(chosen)])]

    def _train(self, labelled: Sequence[LabelledText], package: Path) -> Tagger:
        labels = sorted({span.label for document in labelled for span in document.spans})
        recipe = get_recipe("bilstm_crf.v1", {**SMALL, "seed": self._seed})
        fit(recipe, labelled, self._dev, labels, package, lambda _: None, lambda: False)
        return load_tagger(package)


if __name__ == "__main__":
    main()
