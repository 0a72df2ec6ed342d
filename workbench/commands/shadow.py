"""`workbench shadow`: the canary answers a share of stable traffic too, and nobody hears it."""

from typing import Any

import click

from workbench.commands.output import json_option, show
from workbench.commands.server import Server

_KINDS = {
    "label": "other label",
    "border": "other border",
    "both": "other label and border",
    "missing": "only the stable version",
    "spurious": "only the canary",
}


@click.command()
@click.argument("share", metavar="[PERCENT]", required=False, type=click.FloatRange(0, 100))
@click.option("--reason", default="", help="Kept in the audit trail.")
@json_option
def shadow(share: float | None, reason: str, as_json: bool) -> None:
    """Let the canary answer PERCENT of stable traffic in the shadow, or say what it would have said so far."""
    server = Server()
    if share is None:
        said = server.get("/api/v1/rollout/shadow")
    else:
        said = server.put("/api/v1/rollout/shadow", {"percent": share, "reason": reason})
    said["quality"] = server.get("/api/v1/rollout/quality")
    show(said, as_json, _describe)


def _describe(said: dict[str, Any]) -> str:
    if said["canary"] is None:
        return f"{said['percent']:g} % of stable traffic is shadowed as soon as there is a canary."
    answered = said["agree"] + said["disagree"]
    lines = [
        f"{said['canary']} answers {said['percent']:g} % of {said['stable']}'s traffic in the shadow: "
        f"{answered:,} answered, {said['disagree']:,} of them otherwise, {said['failed']:,} failed."
    ]
    lines += [f"  {name}: {said['kinds'][kind]:,}" for kind, name in _KINDS.items() if said["kinds"].get(kind)]
    return "\n".join([*lines, f"F1: {said['quality']['verdict']}. {said['quality']['reason']}"])
