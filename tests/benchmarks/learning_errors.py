"""What a first model knows of its own errors, and what each queue order finds with that knowledge.

    python -m tests.benchmarks.learning_errors CORPORA [--work FOLDER]

The models are the first ones of `learning_curve`, each of 250 random sentences of CoNLL-2003; one that is not in the
folder is trained. Each tags the rest of the train part. An order takes its first 250 of those sentences, and is
measured by what a person would have to correct in them: spans that are wrong, and entities that are missed.
"""

import argparse
import json
import random
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from ner.documents import LabelledText
from ner.outcomes import key_of
from ner.predictions import Tagged
from ner.priority import Mixture, expected_errors, order_by_priority
from registry.taggers import load_tagger
from tests.benchmarks.learning_curve import SMALL, WORK
from tests.benchmarks.models import CORPORA, read_parts
from tests.benchmarks.models_page import PAGE
from training.fitting import fit
from training.recipes import get_recipe

BEGIN, END = "<!-- learning errors: begin -->", "<!-- learning errors: end -->"
FIRST, DEV, SEEDS = 250, 500, (1, 2, 3)
Row = dict[str, float]


def _best(score: Callable[[Tagged], float]) -> Callable[[Sequence[Tagged]], list[int]]:
    return lambda answers: sorted(range(len(answers)), key=lambda place: -score(answers[place]))


def _per_token(answer: Tagged) -> float:
    return expected_errors(answer) / max(1, answer.tokens)


def _doubt(answer: Tagged) -> float:
    return 1 - min((span.confidence for span in answer.spans), default=1.0)


ORDERS: dict[str, Callable[[Sequence[Tagged]], list[int]]] = {
    "at random": lambda answers: random.Random(0).sample(range(len(answers)), len(answers)),
    "longest first": _best(lambda answer: answer.tokens),
    "least sure span first": _best(_doubt),
    "most expected errors per token": _best(_per_token),
    "most expected errors": _best(expected_errors),
    "`ner.priority`, without its random share": lambda answers: order_by_priority(
        answers, mixture=Mixture(random_share=0.0)
    ),
}


def main() -> None:
    """Measure every order with every seed's model, and write the page's section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--work", type=Path, default=WORK)
    arguments = parser.parse_args()
    corpus = next(corpus for corpus in CORPORA if corpus.name == "conll2003")
    pool, dev, _ = read_parts(arguments.corpora, corpus)
    found: dict[str, list[Row]] = {name: [] for name in ORDERS}
    knowledge: list[Row] = []
    for seed in SEEDS:
        package, chosen = _first_model(pool, random.Random(0).sample(dev, DEV), seed, arguments.work)
        held = set(chosen)
        rest = [document for place, document in enumerate(pool) if place not in held]
        answers = load_tagger(package).tag([document.text for document in rest])
        errors = [_errors(one, answer) for one, answer in zip(rest, answers, strict=True)]
        knowledge.append(_knowledge(answers, errors))
        for name, order in ORDERS.items():
            found[name].append(_measured(order(answers)[:FIRST], rest, answers, errors))
    _write(knowledge, found)


def _first_model(
    pool: Sequence[LabelledText], dev: Sequence[LabelledText], seed: int, work: Path
) -> tuple[Path, list[int]]:
    """The package, and the places of the sentences that it learned from."""
    package = work / f"start.{seed}.{FIRST}"
    if (package / "chosen.json").exists():
        return package, list(json.loads((package / "chosen.json").read_text(encoding="utf-8")))
    shuffled = list(range(len(pool)))
    random.Random(seed).shuffle(shuffled)
    chosen = shuffled[:FIRST]
    labelled = [pool[place] for place in chosen]
    labels = sorted({span.label for document in labelled for span in document.spans})
    package.mkdir(parents=True, exist_ok=True)
    recipe = get_recipe("bilstm_crf.v1", {**SMALL, "seed": seed})
    fit(recipe, labelled, dev, labels, package, lambda _: None, lambda: False)
    (package / "chosen.json").write_text(json.dumps(chosen), encoding="utf-8")
    return package, chosen


def _errors(document: LabelledText, answer: Tagged) -> int:
    return len({*map(key_of, document.spans)} ^ {*map(key_of, answer.spans)})


def _knowledge(answers: Sequence[Tagged], errors: Sequence[int]) -> Row:
    foretold = [expected_errors(answer) for answer in answers]
    tokens = np.array([max(1, answer.tokens) for answer in answers])
    return {
        "foretold": sum(foretold),
        "errors": sum(errors),
        "whole": float(spearmanr(foretold, errors).statistic),
        "per token": float(spearmanr(foretold / tokens, errors / tokens).statistic),
        "length": float(spearmanr(tokens, errors).statistic),
    }


def _measured(
    taken: Sequence[int], rest: Sequence[LabelledText], answers: Sequence[Tagged], errors: Sequence[int]
) -> Row:
    tokens = sum(answers[place].tokens for place in taken)
    wrong = sum(errors[place] for place in taken)
    return {
        "errors": wrong,
        "with": sum(errors[place] > 0 for place in taken) / len(taken),
        "tokens": tokens,
        "entities": sum(len(rest[place].spans) for place in taken),
        "per 100": 100 * wrong / tokens,
    }


def _write(knowledge: Sequence[Row], found: dict[str, list[Row]]) -> None:
    """Replace what stands between the section's marks."""
    page = PAGE.read_text(encoding="utf-8")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    lines = [
        "| seed | errors foretold | errors | rank correlation | the same per token | of length and errors |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {seed} | {row['foretold']:,.0f} | {row['errors']:,} | "
        f"{row['whole']:.2f} | {row['per token']:.2f} | {row['length']:.2f} |"
        for seed, row in zip(SEEDS, knowledge, strict=True)
    ]
    lines += [
        "",
        f"| first {FIRST} sentences by | errors in them | sentences with any | tokens | entities | per 100 tokens |",
        "|---|---|---|---|---|---|",
    ]
    for name, rows in found.items():
        cells = [_spread(rows, "errors", ",.0f"), _spread(rows, "with", ".0%"), _spread(rows, "tokens", ",.0f")]
        cells += [_spread(rows, "entities", ",.0f"), _spread(rows, "per 100", ".1f")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    body = "\n".join(lines)
    PAGE.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}", encoding="utf-8")


def _spread(rows: Sequence[Row], key: str, form: str) -> str:
    """The mean over the seeds, and the least and the greatest of them."""
    values = [row[key] for row in rows]
    return f"{statistics.mean(values):{form}} ({min(values):{form}} to {max(values):{form}})"


if __name__ == "__main__":
    main()
