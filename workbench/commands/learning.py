"""`workbench train` and `workbench evaluate`."""

import time
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from workbench.commands.output import json_option, percent, show, table
from workbench.commands.server import Server, ServerRefused

_POLL_SECONDS = 0.5


@click.command()
@click.option("--dataset", required=True)
@click.option("--recipe", default="bilstm_crf.v1", show_default=True)
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Change a parameter of the recipe.")
@click.option("--detach", is_flag=True, help="Do not wait for the run to end.")
@json_option
def train(dataset: str, recipe: str, settings: tuple[str, ...], detach: bool, as_json: bool) -> None:
    """Train a version on a dataset's gold documents and register it. Ctrl-C asks whether to cancel the run."""
    server = Server()
    body = {"dataset": dataset, "recipe": recipe, "parameters": dict(_parameter(text) for text in settings)}
    run = server.post("/api/v1/runs", body)
    if not detach:
        run = _wait(server, run)
    names = ("version", "f1", "precision", "recall", "seconds")
    result = {"run": run["id"], "status": run["status"], **{name: run.get(name) for name in names}}
    show(result, as_json, _describe)


def _parameter(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"'{text}' is not NAME=VALUE.", param_hint="--set")
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, {"true": True, "false": False}.get(value.lower(), value)


def _wait(server: Server, run: dict[str, Any]) -> dict[str, Any]:
    try:
        with tqdm(total=100, unit="%", leave=False, bar_format="{desc} |{bar}| {percentage:3.0f} % [{elapsed}]") as bar:
            while run["status"] in {"queued", "running"}:
                bar.set_description_str(_stage(run))
                bar.update(round(100 * run["progress"]["fraction"]) - bar.n)
                time.sleep(_POLL_SECONDS)
                run = server.get(f"/api/v1/runs/{run['id']}")
    except KeyboardInterrupt:
        if click.confirm("\nCancel the run? (No leaves it running)", err=True):
            server.post(f"/api/v1/runs/{run['id']}/cancel")
            raise ServerRefused(f"Run {run['id']} was cancelled.") from None
        raise
    if run["status"] != "finished":
        raise ServerRefused(f"Run {run['id']} {run['status']}: {run['error'] or 'a person stopped it.'}")
    return run


def _stage(run: dict[str, Any]) -> str:
    progress = run["progress"]
    parts = [progress.get("stage") or run["status"]]
    if progress.get("epoch"):
        parts.append(f"epoch {progress['epoch']}/{progress['epochs']}")
    if progress.get("loss") is not None:
        parts.append(f"loss {progress['loss']:.3f}")
    if progress.get("f1") is not None:
        parts.append(f"F1 {progress['f1']:.3f}")
    if progress.get("seconds_left") is not None:
        parts.append(f"{progress['seconds_left']:.0f} s left")
    return ", ".join(parts)


def _describe(result: dict[str, Any]) -> str:
    if not result["version"]:
        return f"Run {result['run']} is {result['status']}."
    return (
        f"Version {result['version']}: strict F1 {percent(result['f1'])}, precision {percent(result['precision'])}, "
        f"recall {percent(result['recall'])} on the test part, after {result['seconds']:.0f} s.\n"
        f"Put it on trial with: workbench canary {result['version']} --percent 5"
    )


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--version", required=True, help="A version, or one of stable, canary, previous.")
@click.option("--format", "format_name", default="auto", show_default=True)
@json_option
def evaluate(file: Path, version: str, format_name: str, as_json: bool) -> None:
    """Strict entity scores of a version on the labelled documents of FILE. Needs no server."""
    from workbench.commands.local import Installation

    result = Installation().evaluate(file, version, format_name)
    show(result, as_json, _describe_scores)


def _describe_scores(result: dict[str, Any]) -> str:
    low, high = result["f1_interval"]
    rows = [
        (label, percent(one["f1"]), percent(one["precision"]), percent(one["recall"]), f"{one['support']:,}")
        for label, one in sorted(result["per_label"].items(), key=lambda item: -item[1]["support"])
    ]
    return (
        f"Version {result['version']}, strict, {result['documents']:,} documents, {result['entities']:,} entities:\n"
        f"F1 {percent(result['f1'])} (95 % interval {percent(low)} to {percent(high)}), "
        f"precision {percent(result['precision'])}, recall {percent(result['recall'])}\n\n"
        + table(("label", "F1", "precision", "recall", "entities"), rows)
    )
