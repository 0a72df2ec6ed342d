"""`workbench predict` and `workbench bulk`."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from workbench.commands.output import json_option, percent, show, table
from workbench.commands.server import Server

_LARGE_BYTES = 4_000_000


@click.command()
@click.argument("text")
@json_option
def predict(text: str, as_json: bool) -> None:
    """Find the entities of TEXT, as production answers them."""
    show(Server().post("/api/v1/ner/predict", {"text": text}), as_json, _describe)


def _describe(answer: dict[str, Any]) -> str:
    rows = [
        (entity["text"], entity["label"], f"{entity['start']}-{entity['end']}", percent(entity["confidence"]))
        for entity in answer["entities"]
    ]
    heading = f"Version {answer['model_version']} ({answer['variant']})"
    if not rows:
        return f"{heading} found no entity."
    return f"{heading}\n" + table(("entity", "label", "characters", "confidence"), rows)


@click.command()
@click.argument("source", metavar="IN", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--version", default="stable", show_default=True)
@click.option("--format", "format_name", default="auto", show_default=True, help="Format of IN.")
@click.option("--column", default="text", show_default=True, help="Where JSONL, CSV or Parquet hold the text.")
@click.option("--workers", type=click.IntRange(1), help="Processes; one for each processor where IN is large.")
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True)
@json_option
def bulk(
    source: Path,
    target: Path,
    version: str,
    format_name: str,
    column: str,
    workers: int | None,
    engine: str,
    as_json: bool,
) -> None:
    """Tag every text of IN into OUT: JSONL, or Parquet or CSV by OUT's suffix. Needs no server.

    Run again after a stop, it goes on where OUT ends. The engine "ray" tags on the cluster that NER_RAY_ADDRESS names,
    or on processes of this machine where that is empty, and gives the same file.
    """
    from workbench.bulk import tag_file
    from workbench.bulk_ray import tagged_on_ray
    from workbench.commands.local import Installation

    here = Installation()
    name, package = here.package(version)
    processes = workers or ((os.cpu_count() or 1) if source.stat().st_size > _LARGE_BYTES else 1)
    with tqdm(unit=" documents", leave=False) as bar:
        tally = tag_file(
            source,
            target,
            package,
            name,
            format_name=format_name,
            column=column,
            workers=processes,
            tagging=partial(tagged_on_ray, package, here.settings.ray_address) if engine == "ray" else None,
            progress=bar.update,
        )
    result = {"version": name, **tally._asdict()}
    show(result, as_json, lambda it: f"{it['documents']:,} documents tagged by {name} into {target}.")
