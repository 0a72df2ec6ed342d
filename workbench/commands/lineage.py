"""`workbench versions show`: all that is known of a version, by one command."""

from typing import Any

import click

from workbench.commands.output import json_option, percent, show, table
from workbench.commands.rollout import versions
from workbench.commands.server import Server


@versions.command("show")
@click.argument("version")
@json_option
def show_version(version: str, as_json: bool) -> None:
    """The lineage of VERSION: who trained it, when, on which data, by which code and parameters, what came out, and
    where it was deployed.
    """
    show(Server().get(f"/api/v1/versions/{version}"), as_json, _describe)


def _describe(version: dict[str, Any]) -> str:
    performance = version["performance"]
    splits, judged = (performance.get(name) or {} for name in ("splits", "judged"))
    facts = [
        ("Version", ", ".join([version["version"], *version["aliases"]])),
        ("Trained by", version["trained_by"]),
        ("Trained", f"{version['training_started_at']} to {version['training_completed_at']}"),
        ("Dataset", version["dataset"]),
        ("Data version", version["data_version"]),
        ("Documents", _counted(splits)),
        ("Single judgements", _counted(judged)),
        ("Git commit", version["git_commit"]),
        ("Recipe", version["recipe"]),
        ("Parameters", ", ".join(f"{name}={value}" for name, value in sorted(version["hyperparameters"].items()))),
        ("Labels", ", ".join(version["labels"])),
        *[(name.capitalize(), _score(performance, name)) for name in ("f1", "precision", "recall")],
        ("Run", version["run_id"]),
        ("MLflow run", version["mlflow_run_id"]),
    ]
    width = max(len(name) for name, _ in facts)
    lines = [f"{name.ljust(width)}  {value or '-'}" for name, value in facts]
    return "\n".join([*lines, "", _deployments(version["deployments"])])


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)


def _score(performance: dict[str, Any], name: str) -> str:
    low, high = performance.get(f"{name}_interval") or (None, None)
    return f"{percent(performance.get(name))} (95 % interval {percent(low)} to {percent(high)})"


def _deployments(changes: list[dict[str, Any]]) -> str:
    if not changes:
        return "Never in traffic."
    rows = [
        [
            change["changed_at"],
            change["action"].replace("_", " "),
            change["stable"],
            f"{change['canary']} at {change['percent']:g} %" if change["canary"] else None,
            change["changed_by"],
            change["reason"],
        ]
        for change in changes
    ]
    return table(("When", "Decision", "Stable", "Canary", "By", "Reason"), rows)
