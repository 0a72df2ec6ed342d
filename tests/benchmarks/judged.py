"""What single judgements are worth: the same model with and without them, on a corpus that has every answer.

    python -m tests.benchmarks.judged CORPORA [--seeds 1 2 3] [--judged 400]

A small `bilstm_crf.v1` learns from 250 random sentences of the Groningen Meaning Bank and suggests spans in 3,000
others. The suggestions it is least sure of are judged by what the corpus says, and it learns again from the same 250
sentences and the judgements. For comparison it also learns taking all that was not accepted in those sentences for no
entity, as if each had been answered whole. Scored on the same 1,000 test sentences. Results are kept seed by seed.
"""

import argparse
import json
import random
from collections.abc import Sequence
from pathlib import Path

from annotation.offers import PartialLabels
from ner.documents import EntitySpan, LabelledText
from ner.predictions import Tagger
from ner.scoring import strict_score
from registry.taggers import load_tagger
from tests.benchmarks.learning_curve import SMALL
from tests.benchmarks.models import CORPORA, read_parts
from training.fitting import fit
from training.recipes import get_recipe

WORK = Path(".bench/judged")
GOLD, POOL, DEV, TEST = 250, 3000, 200, 1000


def main() -> None:
    """Run the seeds that are missing, and print each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3])
    parser.add_argument("--judged", type=int, default=400)
    arguments = parser.parse_args()
    train, dev, test = read_parts(arguments.corpora, next(corpus for corpus in CORPORA if corpus.name == "gmb"))
    test = random.Random(0).sample(test, TEST)
    for seed in arguments.seeds:
        target = arguments.work / f"{seed}.{arguments.judged}.json"
        if not target.exists():
            chosen = random.Random(seed).sample(train, GOLD + POOL)
            row = _compare(chosen[:GOLD], chosen[GOLD:], dev[:DEV], test, seed, arguments.judged, arguments.work)
            target.write_text(json.dumps(row), encoding="utf-8")
        print(target.read_text(encoding="utf-8"), flush=True)


def _compare(
    gold: Sequence[LabelledText],
    pool: Sequence[LabelledText],
    dev: Sequence[LabelledText],
    test: Sequence[LabelledText],
    seed: int,
    count: int,
    work: Path,
) -> dict[str, float]:
    labels = sorted({span.label for document in gold for span in document.spans})

    def trained(name: str, train: Sequence[LabelledText], judged: Sequence[PartialLabels] = ()) -> Tagger:
        package = work / f"{seed}.{name}"
        package.mkdir(parents=True, exist_ok=True)
        recipe = get_recipe("bilstm_crf.v1", {**SMALL, "seed": seed})
        fit(recipe, train, dev, labels, package, lambda _: None, lambda: False, None, judged)
        return load_tagger(package)

    def f1(tagger: Tagger) -> float:
        answers = tagger.tag([document.text for document in test])
        found = [[span.span for span in answer.spans] for answer in answers]
        return strict_score([document.spans for document in test], found).f1

    without = trained("without", gold)
    judged = _judge(without, pool, count)
    as_whole = [LabelledText(one.text, tuple(one.accepted)) for one in judged]
    return {
        "seed": seed,
        "sentences": len(judged),
        "accepted": sum(len(one.accepted) for one in judged),
        "rejected": sum(len(one.rejected) for one in judged),
        "without": f1(without),
        "with": f1(trained("with", gold, judged)),
        "as_whole": f1(trained("as_whole", [*gold, *as_whole])),
    }


def _judge(tagger: Tagger, pool: Sequence[LabelledText], count: int) -> list[PartialLabels]:
    """The `count` suggestions that the tagger is least sure of, judged by the corpus."""
    answers = tagger.tag([document.text for document in pool])
    offered: list[tuple[float, int, EntitySpan]] = sorted(
        (abs(scored.confidence - 0.5), place, scored.span)
        for place, answer in enumerate(answers)
        for scored in answer.spans
    )[:count]
    judged: dict[int, PartialLabels] = {}
    for _, place, span in offered:
        document = pool[place]
        one = judged.setdefault(place, PartialLabels(str(place), document.text, [], []))
        (one.accepted if span in document.spans else one.rejected).append(span)
    return list(judged.values())


if __name__ == "__main__":
    main()
