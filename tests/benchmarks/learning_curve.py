"""How fast corrections teach: the queue's order against a random one, simulated on a corpus that has every answer.

    python -m tests.benchmarks.learning_curve CORPORA [--seeds 1 2 3] [--orders ...]

The pool is the train part of CoNLL-2003. Starting from the same 250 random sentences, each round labels 250 more, by
the model of the round before, just as the queue hands them out: each place goes to the first of 48 sentences that are
drawn at random, and one in seven to a sentence drawn evenly. A second version, from the round before that, stands for
the canary. Each point is a training run of a small `bilstm_crf.v1`, scored on the whole test part. Points are kept one
by one, so an interrupted run goes on where it stopped; the page and the plot are made from them.
"""

import argparse
import json
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ner.documents import LabelledText
from ner.predictions import Tagged, Tagger
from ner.priority import Mixture, expected_errors, order_by_priority
from ner.scoring import strict_score
from ner.tokens import tokenize
from registry.taggers import load_tagger
from tests.benchmarks.learning_page import write_section
from tests.benchmarks.models import CORPORA, read_parts
from training.fitting import fit
from training.recipes import get_recipe

WORK = Path(".bench/learning")
RESULTS = Path("tests/benchmarks/results/learning")
DEV = 500
STEP, LAST = 250, 1000
RANDOM = (500, 1000, 1500, 2000)
SHOWN = 48
RANDOM_SHARE = 1 / 7
SMALL = {
    "members": 1,
    "epochs": 14,
    "patience": 4,
    "learning_rate": 0.004,
    "lstm_units": 64,
    "word_dimension": 50,
    "character_filters": 30,
}


Chooser = Callable[[Sequence[Tagged], Sequence[Tagged] | None], int]


def _by_priority(answers: Sequence[Tagged], others: Sequence[Tagged] | None) -> int:
    return order_by_priority(answers, others=others, mixture=Mixture(random_share=0.0))[0]


def _by_errors(answers: Sequence[Tagged], others: Sequence[Tagged] | None) -> int:  # noqa: ARG001 - like the others
    return int(np.argmax([expected_errors(answer) for answer in answers]))


def _by_errors_per_word(answers: Sequence[Tagged], others: Sequence[Tagged] | None) -> int:  # noqa: ARG001
    return int(np.argmax([expected_errors(answer) / max(1, answer.tokens) for answer in answers]))


ORDERS: dict[str, Chooser | None] = {
    "queue": _by_priority,
    "random": None,
    "errors alone": _by_errors,
    "errors per word": _by_errors_per_word,
}


def main() -> None:
    """Run what is missing; write the page's section and the plot after each seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3])
    parser.add_argument("--orders", nargs="*", choices=list(ORDERS), default=["queue", "random"])
    arguments = parser.parse_args()
    arguments.results.mkdir(parents=True, exist_ok=True)
    parts = read_parts(arguments.corpora, next(corpus for corpus in CORPORA if corpus.name == "conll2003"))
    for seed in arguments.seeds:
        _Simulation(*parts, seed, arguments.work, arguments.results).run(arguments.orders)
        write_section(arguments.results)


class _Simulation:
    """Every order with one seed; one JSON file and one package for each point."""

    def __init__(
        self,
        pool: Sequence[LabelledText],
        dev: Sequence[LabelledText],
        test: Sequence[LabelledText],
        seed: int,
        work: Path,
        results: Path,
    ) -> None:
        self._pool, self._test, self._seed, self._work, self._results = pool, test, seed, work, results
        self._dev = random.Random(0).sample(list(dev), DEV)
        self._shuffled = list(range(len(pool)))
        random.Random(seed).shuffle(self._shuffled)

    def run(self, orders: Sequence[str]) -> None:
        start = self._point("start", self._shuffled[:STEP])
        for order in orders:
            choose = ORDERS[order]
            if choose is None:
                for count in RANDOM:
                    self._point(order, self._shuffled[:count])
                continue
            chosen, packages = self._shuffled[:STEP], [start]
            for count in range(2 * STEP, LAST + 1, STEP):
                chosen = self._following(order, choose, chosen, packages[-2:], count)
                packages.append(self._point(order, chosen))

    def _point(self, order: str, chosen: Sequence[int]) -> Path:
        """Train, score and keep one point, unless it is there."""
        name = f"{order.replace(' ', '_')}.{self._seed}.{len(chosen)}"
        target, package = self._results / f"{name}.json", self._work / name
        # The figures are kept with the code, the packages are not; the next round of an order asks its package.
        if target.exists() and (order == "random" or (package / "chosen.json").exists()):
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
        print(row, os.times().user, flush=True)
        (package / "chosen.json").write_text(json.dumps(list(chosen)), encoding="utf-8")
        target.write_text(json.dumps(row) + "\n", encoding="utf-8")
        return package

    def _following(
        self, order: str, choose: Chooser, chosen: Sequence[int], packages: Sequence[Path], count: int
    ) -> list[int]:
        """What is labelled after the next round: answers of the last package, and of the one before as the canary's."""
        kept = self._work / f"{order.replace(' ', '_')}.{self._seed}.{count}" / "chosen.json"
        if kept.exists():
            return list(json.loads(kept.read_text(encoding="utf-8")))
        drawn, waiting = random.Random(f"{self._seed} {count}"), sorted(set(range(len(self._pool))) - set(chosen))
        ours, *theirs = (_Answers(package, self._pool) for package in reversed(packages))
        labelled = list(chosen)
        while len(labelled) < count:
            shown = drawn.sample(waiting, 1 if drawn.random() < RANDOM_SHARE else SHOWN)
            others = [theirs[0].of(place) for place in shown] if theirs else None
            place = shown[choose([ours.of(place) for place in shown], others)]
            labelled.append(place)
            waiting.remove(place)
        return labelled

    def _train(self, labelled: Sequence[LabelledText], package: Path) -> Tagger:
        labels = sorted({span.label for document in labelled for span in document.spans})
        recipe = get_recipe("bilstm_crf.v1", {**SMALL, "seed": self._seed})
        fit(recipe, labelled, self._dev, labels, package, lambda _: None, lambda: False)
        return load_tagger(package)


class _Answers:
    """A package's answers to the sentences of the pool, all asked at once."""

    def __init__(self, package: Path, pool: Sequence[LabelledText]) -> None:
        self._answers = load_tagger(package).tag([document.text for document in pool])

    def of(self, place: int) -> Tagged:
        return self._answers[place]


if __name__ == "__main__":
    main()
