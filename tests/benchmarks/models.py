"""How good the recipes are, corpus by corpus: `make bench-models CORPORA=folder`.

    python -m tests.benchmarks.models CORPORA [--only NAME] [--again NAME] [--encoder FOLDER]

Each job trains one recipe on one corpus in a process of its own and leaves a JSON file in `--results`
(`tests/benchmarks/results/models`, kept with the code) and the package in `--work` (`.bench/models`). A job that has
a result is not run again unless it is asked for (`--again`). After each job the page `docs/benchmarks-models.md` is
written from the JSON files.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.benchmarks.models_page import machine, write_page

WORK = Path(".bench/models")
RESULTS = Path("tests/benchmarks/results/models")
RECIPES = ("bilstm_crf.v1", "spacy_cnn.v1")
ENCODER_RECIPE, ENCODER_CORPORA = "encoder_crf.v1", ("conll2003",)
"""Trained only where `--encoder` names a pretrained one."""


@dataclass(frozen=True)
class Corpus:
    """Files below the folder of corpora. Without `dev`, a tenth of `train` by document hash; without `test`, a tenth
    of what is left too. `parameters` are changes of a recipe for this corpus, which the page names."""

    name: str
    train: tuple[str, ...]
    dev: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    parameters: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


_ONE_MEMBER: Mapping[str, Mapping[str, float]] = MappingProxyType({"bilstm_crf.v1": {"members": 1}})


def _three_files(name: str, folder: str, files: Sequence[str]) -> Corpus:
    train, dev, test = ((f"{folder}/{file}",) for file in files)
    return Corpus(name, train, dev, test, _ONE_MEMBER)


_TEXT_FILES = ("train.txt", "dev.txt", "test.txt")
_TSV_FILES = ("train.tsv", "devel.tsv", "test.tsv")
CORPORA = (
    Corpus(
        "conll2003",
        ("conll2003/eng.train",),
        ("conll2003/eng.testa",),
        ("conll2003/eng.testb",),
        {ENCODER_RECIPE: {"epochs": 5, "learning_rate": 0.0002, "batch_size": 16}},
    ),
    Corpus("gmb", ("gmb/ner_dataset.csv.gz",)),
    Corpus("wnut17", ("wnut17/wnut17train.conll",), (), ("wnut17/emerging.dev.conll",), _ONE_MEMBER),
    _three_files("crossner_music", "crossner/music", _TEXT_FILES),
    _three_files("crossner_literature", "crossner/literature", _TEXT_FILES),
    _three_files("crossner_science", "crossner/science", _TEXT_FILES),
    _three_files("weibo", "weibo_ner", [f"weiboNER_2nd_conll.{part}" for part in ("train", "dev", "test")]),
    _three_files("resume", "resume_ner", [f"{part}.char.bmes" for part in ("train", "dev", "test")]),
    _three_files("ncbi_disease", "ncbi_disease", _TSV_FILES),
    _three_files("bc5cdr", "bc5cdr", _TSV_FILES),
    Corpus("germeval_outer", ("germeval2014/NER-de-dev.tsv", "germeval2014/NER-de-test.tsv"), parameters=_ONE_MEMBER),
)


def main() -> None:
    """Run what is missing, then write the page."""
    arguments = _arguments()
    if arguments.job:
        name, recipe = arguments.job
        corpus = next(corpus for corpus in CORPORA if corpus.name == name)
        changes: dict[str, Any] = dict(corpus.parameters.get(recipe, {}))
        if recipe == ENCODER_RECIPE:
            changes |= {"encoder": arguments.encoder}
        _run_job(arguments, corpus, recipe, changes)
        return
    arguments.results.mkdir(parents=True, exist_ok=True)
    jobs = [(corpus.name, recipe) for corpus in CORPORA for recipe in RECIPES]
    if arguments.encoder:
        jobs += [(name, ENCODER_RECIPE) for name in ENCODER_CORPORA]
    for number, (name, recipe) in enumerate(jobs, start=1):
        target = arguments.results / f"{name}.{recipe}.json"
        if arguments.only and name not in arguments.only and recipe not in arguments.only:
            continue
        if target.exists() and name not in arguments.again:
            continue
        print(f"[{number}/{len(jobs)}] {name}, {recipe}", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", __spec__.name, str(arguments.corpora), "--work", str(arguments.work)]
        command += ["--results", str(arguments.results), "--encoder", arguments.encoder]
        subprocess.run([*command, "--job", name, recipe], check=True)
        write_page(arguments.results)
    write_page(arguments.results)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path, help="the folder that holds one folder for each corpus")
    parser.add_argument("--work", type=Path, default=WORK, help="folder for the packages")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the figures")
    parser.add_argument("--only", nargs="*", default=[], help="corpora or recipes to run")
    parser.add_argument("--again", nargs="*", default=[], help="corpora to run although there is a result")
    parser.add_argument("--encoder", default="", help="folder of a pretrained encoder in Hugging Face layout")
    parser.add_argument("--job", nargs=2, metavar=("CORPUS", "RECIPE"), help="run one job in this process")
    return parser.parse_args()


def _run_job(arguments: argparse.Namespace, corpus: Corpus, recipe_name: str, changes: Mapping[str, Any]) -> None:
    from ner.scoring import performance
    from registry.taggers import load_tagger
    from tests.benchmarks.models_confidence import calibration_errors
    from training.fitting import Epoch, fit
    from training.recipes import get_recipe

    train, dev, test = read_parts(arguments.corpora, corpus)
    labels = sorted({span.label for document in train for span in document.spans})
    recipe = get_recipe(recipe_name, changes)
    package = arguments.work / f"{corpus.name}.{recipe_name}"
    package.mkdir(parents=True, exist_ok=True)

    def show(epoch: Epoch) -> None:
        where, figures = f"epoch {epoch.epoch}/{epoch.epochs}", f"loss {epoch.loss:.3f}  dev F1 {epoch.f1:.4f}"
        print(f"  {where}  {figures}  {epoch.seconds:.0f} s", file=sys.stderr, flush=True)

    started, processor = time.monotonic(), time.process_time()
    fitted = fit(recipe, train, dev, labels, package, show, lambda: False)
    seconds, processor = time.monotonic() - started, time.process_time() - processor
    tagger = load_tagger(package)
    answers = tagger.tag([document.text for document in test])
    figures = performance([document.spans for document in test], [answer.spans for answer in answers])
    result: dict[str, Any] = {
        "corpus": corpus.name,
        "recipe": recipe_name,
        "changes": {name: Path(value).name if name == "encoder" else value for name, value in changes.items()},
        "documents": [len(train), len(dev), len(test)],
        "labels": len(labels),
        "machine": machine(),
        "seconds": seconds,
        "processor_seconds": processor,
        "load": os.getloadavg()[1],
        "epochs": len(fitted.history),
        "misaligned": fitted.misaligned,
        "calibration": fitted.calibration,
        "confidence_kind": tagger.confidence_kind,
        "ece": figures["confidence"]["ece"],
        "ece_before": calibration_errors(package, test, labels) if fitted.backend == "onnx" else {},
        **{name: figures[name] for name in ("f1", "precision", "recall", "f1_interval", "entities", "per_label")},
        "outcomes": figures["outcomes"],
    }
    target = arguments.results / f"{corpus.name}.{recipe_name}.json"
    target.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"  test F1 {result['f1']:.4f} in {seconds:.0f} s", file=sys.stderr, flush=True)


def read_parts(folder: Path, corpus: Corpus) -> tuple[list[Any], list[Any], list[Any]]:
    """Train, dev and test documents as labelled texts, flat: of nested spans the outermost."""
    from training.splits import part_of

    train, dev, test = (_read(folder, files) for files in (corpus.train, corpus.dev, corpus.test))
    if not dev:
        dev = [document for document in train if part_of(document.text) == "dev"]
        train = [document for document in train if part_of(document.text) != "dev"]
    if not test:
        test = [document for document in train if part_of(document.text) == "test"]
        train = [document for document in train if part_of(document.text) != "test"]
    return train, dev, test


def _read(folder: Path, files: Sequence[str]) -> list[Any]:
    from annotation.formats import read_file
    from ner.documents import LabelledText, outermost

    return [
        LabelledText(document.text, tuple(outermost(document.spans)))
        for file in files
        for document in read_file(folder / file).documents
    ]


if __name__ == "__main__":
    main()
