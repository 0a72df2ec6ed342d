"""How fast corrections teach: the queue's order against a random one, simulated on a corpus that has every answer.

    python -m tests.benchmarks.learning_curve CORPORA [--seeds 1 2 3]

Starting from the same 250 random sentences, each round labels the next 250: at random, or the first of the queue of
the model of the round before. Each point is a training run of `bilstm_crf.v1` with one member, scored on the test
part. Results are kept point by point, so an interrupted run goes on where it stopped; the plot is drawn from them.
"""

import argparse
import json
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ner.documents import LabelledText
from ner.predictions import Tagger
from ner.priority import order_by_priority
from ner.scoring import strict_score
from registry.taggers import load_tagger
from tests.benchmarks.models import CORPORA, read_parts
from training.fitting import fit
from training.recipes import get_recipe

WORK = Path(".bench/learning")
STEP, LAST_QUEUE, LAST_RANDOM = 250, 1000, 2000
_CHANGES = {"members": 1, "epochs": 30}


def main() -> None:
    """Run what is missing, then draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3])
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    parts = read_parts(arguments.corpora, next(corpus for corpus in CORPORA if corpus.name == "conll2003"))
    for seed in arguments.seeds:
        simulate(parts, seed, arguments.work)
        draw(arguments.work, arguments.work / "learning_curve.png")


def simulate(parts: Sequence[list[LabelledText]], seed: int, work: Path) -> None:
    """Both orders with one seed; one JSON file for each point."""
    pool, dev, test = parts
    shuffled = list(range(len(pool)))
    random.Random(seed).shuffle(shuffled)
    for count in (LAST_RANDOM, *range(2 * STEP, LAST_QUEUE + 1, STEP)):
        _point(work / f"random.{seed}.{count}.json", shuffled[:count], pool, dev, test, seed)
    chosen = shuffled[:STEP]
    for count in range(STEP, LAST_QUEUE + 1, STEP):
        chosen = _point(work / f"queue.{seed}.{count}.json", chosen, pool, dev, test, seed)


def _point(
    path: Path,
    chosen: Sequence[int],
    pool: Sequence[LabelledText],
    dev: Sequence[LabelledText],
    test: Sequence[LabelledText],
    seed: int,
) -> list[int]:
    """Train, score and keep one point, unless it is there; what the queue would have labelled next comes back."""
    if not path.exists():
        tagger = _train([pool[place] for place in chosen], dev, seed)
        answers = tagger.tag([document.text for document in test])
        score = strict_score([one.spans for one in test], [[span.span for span in answer.spans] for answer in answers])
        order, _, count = path.stem.split(".")
        row = {"order": order, "seed": seed, "sentences": int(count), "f1": score.f1}
        print(row, flush=True)
        following = _following(tagger, chosen, pool, seed) if order == "queue" else []
        path.write_text(json.dumps(row | {"next": following}), encoding="utf-8")
    stored: list[int] = json.loads(path.read_text(encoding="utf-8"))["next"]
    return stored


def _following(tagger: Tagger, chosen: Sequence[int], pool: Sequence[LabelledText], seed: int) -> list[int]:
    held = set(chosen)
    rest = [place for place in range(len(pool)) if place not in held]
    order = order_by_priority(tagger.tag([pool[place].text for place in rest]), seed=seed)
    return [*chosen, *(rest[place] for place in order[:STEP])]


def _train(chosen: Sequence[LabelledText], dev: Sequence[LabelledText], seed: int) -> Tagger:
    labels = sorted({span.label for document in chosen for span in document.spans})
    recipe = get_recipe("bilstm_crf.v1", {**_CHANGES, "seed": seed})
    with tempfile.TemporaryDirectory() as folder:
        # A tenth of the dev part is enough to choose an epoch by, and what a small project would have.
        fit(recipe, chosen, dev[::10], labels, Path(folder), lambda _: None, lambda: False)
        return load_tagger(Path(folder))


def draw(work: Path, target: Path) -> None:
    """Every seed as a line, F1 over labelled sentences."""
    rows = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(work.glob("*.json"))]
    figure = Figure(figsize=(7.2, 4.2), dpi=120)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for order, seed in sorted({(row["order"], row["seed"]) for row in rows}):
        line = sorted((row["sentences"], row["f1"]) for row in rows if (row["order"], row["seed"]) == (order, seed))
        colour = "#2a5d8f" if order == "queue" else "#b5532a"
        axes.plot(*zip(*line, strict=True), marker="o", color=colour, label=f"{order}, seed {seed}")
    axes.set_xlabel("labelled sentences")
    axes.set_ylabel("strict F1, CoNLL-2003 test")
    axes.legend()
    figure.tight_layout()
    figure.savefig(target)


if __name__ == "__main__":
    main()
