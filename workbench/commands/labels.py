"""`workbench labels`: rename, merge, split and delete labels, relabel or remove spans, and take it back."""

from typing import Any

import click

from workbench.commands.output import json_option, show, table
from workbench.commands.server import Server

KINDS = ("rename", "merge", "split", "delete", "relabel", "remove")
_dataset = click.option("--dataset", required=True)


@click.group()
def labels() -> None:
    """Change the labels of a dataset, with a preview and undo."""


@labels.command("change")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("names", nargs=-1, metavar="[LABEL]...")
@_dataset
@click.option("--target", help="What the spans are called after it.")
@click.option("--pattern", help="Regular expression: only spans whose text it matches (split, relabel, remove).")
@click.option("--preview", is_flag=True, help="Change nothing; say what would change.")
@json_option
def change(
    kind: str,
    names: tuple[str, ...],
    dataset: str,
    target: str | None,
    pattern: str | None,
    preview: bool,
    as_json: bool,
) -> None:
    """Rename a LABEL, merge several, split one by a pattern, or delete some with their spans.

    relabel and remove are about spans that match --pattern, of the LABELs or of all. Every document that is touched
    gets a new revision; what was there stays below it, and the change can be undone.
    """
    body = {"kind": kind, "labels": list(names), "target": target, "pattern": pattern}
    path = f"/api/v1/datasets/{dataset}/changes"
    show(Server().post(f"{path}/preview" if preview else path, body), as_json, _describe_outcome)


@labels.command("list")
@_dataset
@json_option
def list_changes(dataset: str, as_json: bool) -> None:
    """The changes that were made, newest first."""
    show(Server().get(f"/api/v1/datasets/{dataset}/changes"), as_json, _describe_list)


@labels.command("undo")
@click.argument("change_id", metavar="ID")
@_dataset
@json_option
def undo(change_id: str, dataset: str, as_json: bool) -> None:
    """Take the change ID back. What people corrected since stays as they left it."""
    show(Server().post(f"/api/v1/datasets/{dataset}/changes/{change_id}/undo"), as_json, _describe_outcome)


def _describe_outcome(result: dict[str, Any]) -> str:
    counts = ", ".join(f"{label} {count:,}" for label, count in result["spans"].items()) or "none"
    lines = [
        f"{result['documents']:,} documents; spans by label: {counts}; {result['merged']:,} became the same.",
        f"Labels: {', '.join(result['labels'])}",
    ]
    if result["id"]:
        lines.append(f"Change {result['id']}")
    for one in result["examples"][:5]:
        lines.append(f"  {one['text'][:80]!r}: {_said(one['before'])} -> {_said(one['after'])}")
    return "\n".join(lines)


def _said(spans: list[dict[str, Any]]) -> str:
    return ", ".join(f"{span['text']} {span['label']}" for span in spans) or "nothing"


def _describe_list(result: dict[str, Any]) -> str:
    rows = [
        (it["id"], it["kind"], ", ".join(it["labels"]), it["target"], it["spans"], "undone" if it["is_undone"] else "")
        for it in result["changes"]
    ]
    return table(("change", "kind", "labels", "target", "spans", ""), rows)
