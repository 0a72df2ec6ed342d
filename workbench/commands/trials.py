"""`workbench rollout`: what answered when, how an automatic rollout stands, and how to stop one."""

import datetime as dt
from pathlib import Path
from typing import Any

import click

from ner.errors import InvalidInput
from workbench.commands.output import json_option, show, table
from workbench.commands.server import Server

_TRIAL = "/api/v1/rollout/trial"


@click.group()
def rollout() -> None:
    """What answered when, and how the automatic rollout stands."""


@rollout.command("history")
@click.option("--limit", type=click.IntRange(1, 200), default=30, show_default=True)
@json_option
def history(limit: int, as_json: bool) -> None:
    """Every change of who answers, newest first."""
    changes = Server().get("/api/v1/rollout/history")["changes"][:limit]
    rows = [(one["epoch"], one["changed_at"][:19], *_who(one), one["changed_by"], one["reason"]) for one in changes]
    show(
        {"changes": changes},
        as_json,
        lambda _: table(("epoch", "at (UTC)", "stable", "canary", "what", "by", "reason"), rows),
    )


@rollout.command("at")
@click.argument("moment")
@json_option
def at(moment: str, as_json: bool) -> None:
    """What answered at MOMENT, such as 2026-03-01T12:00 (UTC unless it says its time zone)."""
    state = Server().get("/api/v1/rollout/at", moment=_with_zone(moment))
    show(state, as_json, _describe_state)


@rollout.command("status")
@json_option
def status(as_json: bool) -> None:
    """How the automatic rollout stands, and the verdict on the canary."""
    show(Server().get(_TRIAL), as_json, _describe_trial)


@rollout.command("stop")
@click.option("--reason", default="", help="Kept in the audit trail.")
@json_option
def stop(reason: str, as_json: bool) -> None:
    """Stop the automatic rollout; the canary keeps the share that it has."""
    show(Server().post(f"{_TRIAL}/stop", {"reason": reason}), as_json, lambda it: it["sentence"])


def begin(version: str, policy: Path | None, reason: str, as_json: bool) -> None:
    """Begin an automatic rollout of `version` by a policy file, the default one unless given."""
    body: dict[str, Any] = {"version": version, "reason": reason}
    if policy is not None:
        try:
            body["policy"] = policy.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"The policy {policy} cannot be read: {error}.") from None
    show(
        Server().post(_TRIAL, body),
        as_json,
        lambda it: (
            f"{it['canary']} walks through {', '.join(f'{step:g}' for step in it['steps_percent'])} % of the traffic, "
            "as far as the evidence carries it. 'workbench rollout status' says how it stands."
        ),
    )


def _with_zone(moment: str) -> str:
    try:
        read = dt.datetime.fromisoformat(moment)
    except ValueError:
        raise InvalidInput(f"'{moment}' is not a moment such as 2026-03-01T12:00 or 2026-03-01T12:00+02:00.") from None
    return (read if read.tzinfo is not None else read.replace(tzinfo=dt.UTC)).isoformat()


def _who(state: dict[str, Any]) -> tuple[str, str, str]:
    share = f"{state['canary']} at {state['percent']:g} %" if state["canary"] else "-"
    return state["stable"] or "-", share, state["action"]


def _describe_state(state: dict[str, Any]) -> str:
    if not state["stable"]:
        return "No version answered then."
    trial = f", {state['canary']} as the canary {state['percent']:g} %" if state["canary"] else ""
    rest = 100 - state["percent"] if state["canary"] else 100
    since = state["changed_at"][:19]
    return f"{state['stable']} answered {rest:g} % of the traffic{trial}: since {since}, by {state['changed_by']}."


def _describe_trial(found: dict[str, Any]) -> str:
    lines = []
    automatic, verdict = found["automatic"], found["verdict"]
    if automatic is None:
        lines.append("No automatic rollout has been begun.")
    else:
        step, steps = automatic["step"], automatic["steps_percent"]
        lines.append(
            f"{automatic['canary']}: {automatic['status'].replace('_', ' ')}, step {step + 1} of {len(steps)} "
            f"({steps[step]:g} %). {automatic['sentence']}"
        )
    if verdict is not None:
        lines.append(f"As of now: {verdict['sentence']}")
        rows = [(one["name"], one["verdict"], one["reason"]) for one in verdict["criteria"]]
        lines.append(table(("criterion", "verdict", "why"), rows))
    return "\n".join(lines)
