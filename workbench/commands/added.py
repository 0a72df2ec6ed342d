"""`workbench versions add`: a model that was trained elsewhere."""

from pathlib import Path
from typing import Any

import click

from workbench.commands.output import json_option, percent, show
from workbench.commands.rollout import versions

_ACTOR = "command line"


@versions.command("add")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--dataset", required=True, help="Whose test part the model is scored on.")
@click.option("--label", "labels", multiple=True, metavar="FROM=TO", help="Rename a label of the model.")
@json_option
def add(folder: Path, dataset: str, labels: tuple[str, ...], as_json: bool) -> None:
    """Register a spaCy pipeline, or a Hugging Face token-classification model as ONNX, that FOLDER holds.

    It is checked, scored, profiled and signed, and then a version like the others. Needs no server.
    """
    from training.added import add_version
    from workbench.commands.local import Installation

    here = Installation()
    record = add_version(
        here.database,
        here.settings,
        folder,
        dataset=dataset,
        actor=_ACTOR,
        labels=dict(_renaming(text) for text in labels),
        report=lambda stage: click.echo(f"{stage} ...", err=True),
    )
    result = {
        "version": record.version,
        "labels": record.labels,
        **{name: record.performance[name] for name in ("f1", "precision", "recall", "documents", "entities")},
    }
    show(result, as_json, _describe)


def _renaming(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not equals or not old or not new:
        raise click.BadParameter(f"'{text}' is not FROM=TO.", param_hint="--label")
    return old, new


def _describe(result: dict[str, Any]) -> str:
    return (
        f"Version {result['version']}: strict F1 {percent(result['f1'])}, precision {percent(result['precision'])}, "
        f"recall {percent(result['recall'])} on {result['documents']:,} documents of the test part.\n"
        f"Put it on trial with: workbench canary {result['version']} --percent 5"
    )
