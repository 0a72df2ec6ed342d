"""`workbench train` and `workbench evaluate`."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from workbench.commands.output import json_option, percent, show, table
from workbench.commands.server import Server, ServerRefused

_POLL_SECONDS = 0.5
_ACTOR = "command line"
_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--dataset", required=True)
@click.option("--recipe", default="bilstm_crf.v1", show_default=True)
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Change a parameter of the recipe.")
@click.option("--detach", is_flag=True, help="Do not wait for the run to end.")
@click.option("--sweep", type=_file, help="Try every combination of a YAML or JSON file; see below.")
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True, help="Of a sweep.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes of a local sweep.")
@json_option
def train(
    dataset: str,
    recipe: str,
    settings: tuple[str, ...],
    detach: bool,
    sweep: Path | None,
    engine: str,
    workers: int,
    as_json: bool,
) -> None:
    """Train a version on a dataset's gold documents and register it. Ctrl-C asks whether to cancel the run.

    With --sweep nothing is registered: every combination of a file such as "learning_rate: [0.001, 0.002]" is trained
    on the train part and scored on the dev part, here or on a Ray cluster, and the best is named. Needs no server;
    stopped and run again, it goes on with what is missing.
    """
    if sweep is not None:
        fixed = dict(_parameter(text) for text in settings)
        show(_sweep(dataset, recipe, sweep, fixed, engine, workers), as_json, _describe_sweep)
        return
    server = Server()
    body = {"dataset": dataset, "recipe": recipe, "parameters": dict(_parameter(text) for text in settings)}
    run = server.post("/api/v1/runs", body)
    if not detach:
        run = _wait(server, run)
    names = ("version", "f1", "precision", "recall", "seconds")
    result = {"run": run["id"], "status": run["status"], **{name: run.get(name) for name in names}}
    show(result, as_json, _describe)


def _sweep(dataset: str, recipe: str, file: Path, fixed: dict[str, Any], engine: str, workers: int) -> dict[str, Any]:
    from training import sweep
    from workbench.commands.local import Installation

    here = Installation()
    grid = [fixed | changes for changes in sweep.read_sweep(file, recipe)]
    material = sweep.freeze_material(here.database, here.settings, dataset, recipe, _ACTOR)
    tries = sweep.ray_engine(here.settings.ray_address) if engine == "ray" else sweep.local_engine(workers)
    with tqdm(total=len(grid), unit=" trials", leave=False) as bar:
        folder = here.settings.artifacts / sweep.FOLDER
        trials = sweep.run_sweep(material, grid, tries, folder, lambda _: bar.update())
    best = " ".join(f"--set {name}={value}" for name, value in trials[0].changes.items())
    command = f"workbench train --dataset {dataset} --recipe {recipe} {best}"
    return {"data_version": material.data_version, "trials": [asdict(one) for one in trials], "best": command}


def _describe_sweep(result: dict[str, Any]) -> str:
    rows = [
        (", ".join(f"{name}={value}" for name, value in one["changes"].items()), percent(one["f1"]), str(one["epochs"]))
        for one in result["trials"]
    ]
    return f"{table(('parameters', 'F1 on dev', 'epochs'), rows)}\n\nTrain the best as a version: {result['best']}"


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
