"""`workbench snapshots`: frozen gold, listed, compared and exported by its hash."""

from pathlib import Path
from typing import Any

import click

from workbench.commands.output import json_option, show, table
from workbench.commands.server import Server
from workbench.commands.text import download


@click.group()
def snapshots() -> None:
    """Freeze what a dataset has to learn from; list, compare and export what was frozen."""


@snapshots.command("freeze")
@click.option("--dataset", required=True)
@json_option
def freeze(dataset: str, as_json: bool) -> None:
    """Freeze the gold of a dataset. The same content gives the same hash."""
    frozen = Server().post(f"/api/v1/datasets/{dataset}/snapshots")
    show(frozen, as_json, lambda it: f"{it['hash']}: {it['documents']:,} documents of {it['dataset']}")


@snapshots.command("list")
@click.option("--dataset", help="Only those of this dataset.")
@json_option
def list_snapshots(dataset: str | None, as_json: bool) -> None:
    """Every snapshot, newest first."""
    asked = {"dataset": dataset} if dataset else {}
    show(Server().get("/api/v1/snapshots", **asked), as_json, _describe_list)


@snapshots.command("diff")
@click.argument("before")
@click.argument("after")
@json_option
def diff(before: str, after: str, as_json: bool) -> None:
    """What changed from the snapshot BEFORE to AFTER (hashes, or the beginnings of them), span by span."""
    server = Server()
    path = f"/api/v1/snapshots/{whole_hash(server, before)}/diff/{whole_hash(server, after)}"
    show(server.get(path), as_json, _describe_diff)


@snapshots.command("export")
@click.argument("snapshot")
@click.option("--format", "format_name", default="jsonl", show_default=True)
@click.option("--scheme", help="Tagging scheme of CoNLL.")
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path))
@json_option
def export(snapshot: str, format_name: str, scheme: str | None, output: Path, as_json: bool) -> None:
    """Write a snapshot to a file: the same bytes whenever it is exported."""
    asked = {"format": format_name} | ({"scheme": scheme} if scheme else {})
    summary = download(f"/api/v1/snapshots/{whole_hash(Server(), snapshot)}/export", asked, output)
    show(summary, as_json, lambda it: f"{it['documents']:,} documents written to {output}.")


@snapshots.command("judgements")
@click.argument("snapshot")
@json_option
def judgements(snapshot: str, as_json: bool) -> None:
    """The single spans of a snapshot that were accepted or rejected in documents that nobody settled."""
    server = Server()
    show(server.get(f"/api/v1/snapshots/{whole_hash(server, snapshot)}/judgements"), as_json, _describe_judgements)


def whole_hash(server: Server, beginning: str) -> str:
    """The one hash that begins so; what is none, or is not unique, is left to the server to refuse."""
    if len(beginning) == 64:
        return beginning
    known = [one["hash"] for one in server.get("/api/v1/snapshots")["snapshots"]]
    found = [one for one in known if one.startswith(beginning)]
    return found[0] if len(found) == 1 else beginning


def _describe_list(result: dict[str, Any]) -> str:
    rows = [(it["hash"][:12], it["dataset"], it["documents"], it["created_at"]) for it in result["snapshots"]]
    return table(("snapshot", "dataset", "documents", "frozen"), rows)


def _describe_judgements(result: dict[str, Any]) -> str:
    rows = [
        (one["document_id"], verdict, f"{span['start']}-{span['end']}", span["label"], span["text"])
        for one in result["documents"]
        for verdict in ("accepted", "rejected")
        for span in one[verdict]
    ]
    return table(("document", "verdict", "characters", "label", "text"), rows)


def _describe_diff(result: dict[str, Any]) -> str:
    counts = ", ".join(f"{kind} {count:,}" for kind, count in sorted(result["spans"].items())) or "none"
    lines = [
        f"Documents: {result['documents_added']:,} added, {result['documents_removed']:,} removed, "
        f"{result['documents_changed']:,} changed, {result['documents_same']:,} the same.",
        f"Spans that differ: {counts}.",
        f"Single judgements: {result['judgements_added']:,} added, {result['judgements_removed']:,} removed.",
    ]
    lines += [f"  {it['kind']}: {_said(it['before'])} -> {_said(it['after'])}" for it in result["changes"][:50]]
    return "\n".join(lines)


def _said(span: dict[str, Any] | None) -> str:
    return f"'{span['text']}' {span['label']}" if span else "nothing"
