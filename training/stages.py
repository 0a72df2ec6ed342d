"""The steps from a file to a version as five commands over files, for teams whose data lives in DVC (`dvc.yaml`).

    python -m training.stages import FILE --output corpus.jsonl
    python -m training.stages validate corpus.jsonl --output faults.json
    python -m training.stages snapshot corpus.jsonl --output snapshot
    python -m training.stages train snapshot --output package
    python -m training.stages evaluate snapshot package --output performance.json

Each reads and writes files alone, and gives the same documents and the same model for the same input and seed, so
`dvc repro` runs what changed and `dvc push` and `dvc pull` move it. Hyper-parameters stand in `params.yaml`.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import yaml

from annotation.formats import read_file
from ner.documents import EntitySpan, LabelledText, outermost
from ner.errors import InvalidInput
from ner.scoring import performance
from registry.recipes import get_recipe
from registry.taggers import load_tagger
from training.evaluation import tag_all
from training.fitted import Epoch
from training.splits import Splits, split
from training.validation import validate

_PARTS = ("train", "dev", "test")
_output = click.option("--output", required=True, type=click.Path(path_type=Path))
_existing = click.Path(exists=True, path_type=Path)


@click.group()
def main() -> None:
    """From a file to a version, step by step."""


@main.command("import")
@click.argument("file", type=_existing)
@click.option("--format", "format_name", default="auto", show_default=True)
@_output
def import_stage(file: Path, format_name: str, output: Path) -> None:
    """Read FILE in any format, and write one document a line."""
    output.parent.mkdir(parents=True, exist_ok=True)
    found = (one for one in read_file(file, format_name).documents if one.is_labelled)
    _write_documents((LabelledText(one.text, one.spans) for one in found), output)


@main.command("validate")
@click.argument("corpus", type=_existing)
@click.option("--strict", is_flag=True, help="Fail where there is any fault.")
@_output
def validate_stage(corpus: Path, strict: bool, output: Path) -> None:
    """Write the faults of CORPUS, each kind with a count and examples."""
    faults = validate(_read_documents(corpus))
    _write(output, [dataclasses.asdict(fault) for fault in faults])
    for fault in faults:
        click.echo(f"{fault.kind}: {fault.count:,}", err=True)
    if strict and faults:
        raise InvalidInput(f"{corpus} has faults of {len(faults)} kinds.")


@main.command("snapshot")
@click.argument("corpus", type=_existing)
@_output
def snapshot_stage(corpus: Path, output: Path) -> None:
    """Cut CORPUS into train, dev and test by the hash of each text, and name the content by its SHA-256."""
    documents = [LabelledText(one.text, outermost(one.spans)) for one in _read_documents(corpus)]
    output.mkdir(parents=True, exist_ok=True)
    parts = split(documents)
    for name in _PARTS:
        _write_documents(getattr(parts, name), output / f"{name}.jsonl")
    content = b"".join((output / f"{name}.jsonl").read_bytes() for name in _PARTS)
    _write(output / "snapshot.json", {"hash": hashlib.sha256(content).hexdigest(), "documents": parts.sizes()})


@main.command("train")
@click.argument("snapshot", type=_existing)
@click.option("--params", type=_existing, default=Path("params.yaml"), show_default=True)
@_output
def train_stage(snapshot: Path, params: Path, output: Path) -> None:
    """Train the recipe of `params.yaml` on SNAPSHOT."""
    from training.fitting import fit

    wanted: dict[str, Any] = yaml.safe_load(params.read_text(encoding="utf-8"))
    recipe = get_recipe(wanted["recipe"], wanted.get("parameters"))
    parts = _read_parts(snapshot)
    labels = sorted({span.label for document in parts.train for span in document.spans})
    output.mkdir(parents=True, exist_ok=True)

    def show(epoch: Epoch) -> None:
        click.echo(f"epoch {epoch.epoch}/{epoch.epochs}  loss {epoch.loss:.3f}  dev F1 {epoch.f1:.4f}", err=True)

    fit(recipe, parts.train, parts.dev, labels, output, show, lambda: False)


@main.command("evaluate")
@click.argument("snapshot", type=_existing)
@click.argument("package", type=_existing)
@_output
def evaluate_stage(snapshot: Path, package: Path, output: Path) -> None:
    """Score PACKAGE on the test part of SNAPSHOT."""
    test = _read_parts(snapshot).test
    answers = tag_all(load_tagger(package), test, lambda: False)
    _write(output, performance([one.spans for one in test], [answer.spans for answer in answers]))


def _read_parts(folder: Path) -> Splits[LabelledText]:
    return Splits(*(_read_documents(folder / f"{name}.jsonl") for name in _PARTS))


def _read_documents(path: Path) -> list[LabelledText]:
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line)
    return [LabelledText(row["text"], tuple(EntitySpan(*span) for span in row["spans"])) for row in rows]


def _write_documents(documents: Iterable[LabelledText], path: Path) -> None:
    with path.open("w", encoding="utf-8") as stream:
        for one in documents:
            spans = [[span.start, span.end, span.label] for span in one.spans]
            stream.write(json.dumps({"text": one.text, "spans": spans}, ensure_ascii=False) + "\n")


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(prog_name="python -m training.stages")
