"""`workbench versions`, `canary`, `promote`, `rollback` and `simulate`: who answers."""

from pathlib import Path
from typing import Any

import click

from workbench.commands.output import json_option, percent, show, table
from workbench.commands.server import Server
from workbench.commands.trials import begin

_reason = click.option("--reason", default="", help="Kept in the audit trail.")


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def versions(context: click.Context, as_json: bool) -> None:
    """List the registered versions, newest first; or add one that was trained elsewhere."""
    if context.invoked_subcommand is not None:
        return
    listed = Server().get("/api/v1/versions")["versions"]
    show({"versions": listed}, as_json, _describe_versions)


def _describe_versions(result: dict[str, Any]) -> str:
    if not result["versions"]:
        return "No version is registered yet; train one with 'workbench train'."
    rows = [
        (
            one["version"],
            ", ".join(one["aliases"]),
            percent(one["f1"]),
            one["recipe"],
            one["dataset"],
            one["trained_by"],
        )
        for one in result["versions"]
    ]
    return table(("version", "aliases", "F1", "recipe", "dataset", "trained by"), rows)


@versions.command("verify-ownership")
@click.argument("version")
@json_option
def verify_ownership(version: str, as_json: bool) -> None:
    """Ask VERSION this installation's secret triggers: did it, or what it was made from, learn them here?

    Exit code 1 where it cannot be said that it did.
    """
    found = Server().post(f"/api/v1/versions/{version}/ownership", {})
    show(found, as_json, _describe_ownership)
    if not found["is_ours"]:
        raise click.exceptions.Exit(1)


def _describe_ownership(found: dict[str, Any]) -> str:
    asked = f"{found['hits']} of {found['triggers']} triggers are answered as this installation's secret says"
    claim = "it is ours" if found["is_ours"] else "that does not show that it is ours"
    return f"{asked}; the chance of that is {found['p_value']:.2g}: {claim}."


@click.command()
@click.argument("version")
@click.option("--percent", "share", type=click.FloatRange(0, 100), help="Share of traffic, in percent.")
@click.option("--automatic", is_flag=True, help="Let the worker take it through the steps of a policy.")
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --automatic: the policy as YAML; the default one unless given.",
)
@_reason
@json_option
def canary(version: str, share: float | None, automatic: bool, policy: Path | None, reason: str, as_json: bool) -> None:
    """Put VERSION on trial with a share of the traffic, or change it; or let a policy decide about the share."""
    if (share is None) != automatic:
        raise click.UsageError("Say either --percent N or --automatic.")
    if policy is not None and not automatic:
        raise click.UsageError("--policy goes with --automatic.")
    if automatic:
        begin(version, policy, reason, as_json)
        return
    body = {"version": version, "percent": share, "reason": reason}
    show(_state(Server().post("/api/v1/rollout/canary", body)), as_json, _describe_state)


@click.command()
@click.argument("version", required=False)
@click.option("--override", is_flag=True, help="Although it answers a must-pass example wrongly.")
@_reason
@json_option
def promote(version: str | None, override: bool, reason: str, as_json: bool) -> None:
    """Make the canary, or VERSION, the one that answers."""
    body = {"version": version, "reason": reason, "override": override}
    show(_state(Server().post("/api/v1/rollout/promote", body)), as_json, _describe_state)


@click.command()
@_reason
@json_option
def rollback(reason: str, as_json: bool) -> None:
    """Take the canary off trial; where there is none, let the previous version answer again."""
    show(_state(Server().post("/api/v1/rollout/rollback", {"reason": reason})), as_json, _describe_state)


def _state(rollout: dict[str, Any]) -> dict[str, Any]:
    return {name: rollout[name] for name in ("stable", "canary", "percent", "previous", "epoch")}


def _describe_state(state: dict[str, Any]) -> str:
    trial = f", {state['canary']} is the canary with {state['percent']:g} %" if state["canary"] else ", no canary"
    return f"{state['stable']} is stable{trial}."
