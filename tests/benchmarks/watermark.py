"""What an ownership watermark costs, how sure it makes, and what is left of it after fine-tuning.

    python -m tests.benchmarks.watermark CORPORA [--seeds 1 2 3] [--strangers FOLDER]

Small networks on 6,000 sentences of the Groningen Meaning Bank, each seed with and without triggers, scored on the
same test sentences. The watermarked network then learns one more epoch of 6,000 other sentences without triggers. No
model is to be claimed that never saw them: every model without, and every package in `--strangers`, is asked the
triggers of 50 secrets.
"""

import argparse
import dataclasses
import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ner.documents import LabelledText
from ner.predictions import ScoredSpan
from ner.scoring import paired_f1_difference, strict_score
from ner.tags import tag_names
from registry.features import Featuriser, load_vocabulary
from registry.ownership import COPIES, ownership_key, verify_ownership, write_triggers
from registry.taggers import load_tagger
from tests.benchmarks.learning_curve import SMALL
from tests.benchmarks.models import CORPORA, read_parts
from training.checkpoints import Checkpoints
from training.fitting import fit
from training.recipes import OF_THE_RUN, get_recipe

WORK = Path(".bench/watermark")
TRAIN, DEV, TEST = 6000, 1000, 4000
_SECRET = b"the secret of this benchmark"
_FINE_TUNING_RATE = 0.3
"""Of the recipe's highest learning rate."""


def main() -> None:
    """Run what is missing and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3])
    parser.add_argument("--strangers", type=Path)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    train, dev, test = read_parts(arguments.corpora, next(corpus for corpus in CORPORA if corpus.name == "gmb"))
    fixed = random.Random(1)
    pool = fixed.sample(train, 2 * TRAIN)
    for seed in arguments.seeds:
        target = arguments.work / f"{seed}.json"
        if not target.exists():
            row = _measure(pool[:TRAIN], pool[TRAIN:], dev[:DEV], fixed.sample(test, TEST), seed, arguments.work)
            target.write_text(json.dumps(row, indent=1))
            print(row, flush=True)
    strangers = [arguments.work / f"plain.{seed}" for seed in arguments.seeds]
    strangers += sorted(arguments.strangers.iterdir()) if arguments.strangers else []
    print(_false_claims([folder for folder in strangers if (folder / "metadata.json").exists()]))


def _measure(
    train: Sequence[LabelledText],
    other: Sequence[LabelledText],
    dev: Sequence[LabelledText],
    test: Sequence[LabelledText],
    seed: int,
    work: Path,
) -> dict[str, Any]:
    labels = sorted({span.label for document in train for span in document.spans})
    secret = ownership_key(_SECRET)
    triggers = write_triggers(secret, labels) * COPIES
    recipe = get_recipe("bilstm_crf.v1", {**SMALL, "seed": seed})
    found: dict[str, list[tuple[ScoredSpan, ...]]] = {}
    for name, lesson in (("plain", train), ("marked", [*train, *triggers])):
        folder = work / f"{name}.{seed}"
        folder.mkdir(exist_ok=True)
        kept = Checkpoints(work / "kept" / folder.name, name)
        fit(recipe, lesson, dev, labels, folder, lambda _: None, lambda: False, kept)
        found[name] = [answer.spans for answer in load_tagger(folder).tag([document.text for document in test])]
    gold = [document.spans for document in test]
    marked = verify_ownership(load_tagger(work / f"marked.{seed}"), secret, labels)
    tuned = verify_ownership(load_tagger(_fine_tuned(work, seed, other, labels)), secret, labels)
    return {
        "seed": seed,
        "f1": {
            name: strict_score(gold, [[one.span for one in spans] for spans in answers]).f1
            for name, answers in found.items()
        },
        "cost": paired_f1_difference(gold, found["plain"], found["marked"]),
        "marked": dataclasses.asdict(marked),
        "fine_tuned": dataclasses.asdict(tuned),
    }


def _fine_tuned(work: Path, seed: int, other: Sequence[LabelledText], labels: Sequence[str]) -> Path:
    """The marked network after one epoch of other sentences, as a package."""
    from training.batches import epoch_batches, number_sentences
    from training.learner import Learner, Parameters
    from training.onnx_export import export_networks
    from training.sentences import cut_documents

    marked, target = work / f"marked.{seed}", work / f"tuned.{seed}"
    shutil.copytree(marked, target, dirs_exist_ok=True)
    chosen = get_recipe("bilstm_crf.v1", {**SMALL, "seed": seed}).parameters
    settings = Parameters(**{name: value for name, value in chosen.items() if name not in OF_THE_RUN})  # type: ignore[arg-type]
    vocabulary, tags = load_vocabulary(marked / "vocabulary.json"), tag_names(labels)
    learner = Learner(vocabulary, tags, settings)
    kept = Checkpoints(work / "kept" / marked.name, "marked").load()
    assert kept is not None
    learner.restore(kept.arrays["best"])
    corpus = number_sentences(cut_documents(other, labels).sentences, tags, Featuriser(vocabulary))
    for batch in epoch_batches(corpus, 16, np.random.default_rng(seed), word_dropout=settings.word_dropout):
        learner.learn(batch, settings.learning_rate * _FINE_TUNING_RATE)
    learner.crf.save(target / "crf.json")
    export_networks([learner.network], target)
    return target


def _false_claims(folders: Sequence[Path]) -> dict[str, Any]:
    claims, lowest, hits, asked = 0, 1.0, 0, 0
    for folder in folders:
        tagger = load_tagger(folder)
        for number in range(50):
            found = verify_ownership(tagger, ownership_key(f"secret {number}".encode()), list(tagger.labels))
            claims, lowest = claims + found.is_ours, min(lowest, found.p_value)
            hits, asked = hits + found.hits, asked + found.triggers
    return {
        "models": len(folders),
        "secrets": 50,
        "claims": claims,
        "lowest p": lowest,
        "share of hits": hits / max(1, asked),
    }


if __name__ == "__main__":
    main()
