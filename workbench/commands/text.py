"""`workbench import` and `workbench export`: text in and out of the running server."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from workbench.commands.output import json_option, show
from workbench.commands.server import Server, ServerRefused

_CHUNK = 1 << 16


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dataset", required=True, help="Name of the dataset; it is made when it is not there.")
@click.option("--format", "format_name", default="auto", show_default=True, help="Format of the file.")
@json_option
def import_command(file: Path, dataset: str, format_name: str, as_json: bool) -> None:
    """Add the documents of FILE to a dataset. Documents it holds already are skipped."""
    server = Server()
    arguments = {"format": format_name, "filename": file.name}
    with server.stream(
        "POST",
        f"/api/v1/datasets/{dataset}/import",
        params=arguments,
        content=_read(file),
        headers={"Accept": "application/x-ndjson", "Content-Type": "application/octet-stream"},
    ) as answer:
        result = _follow(answer.iter_lines())
    show(result, as_json, _describe_import)


def _read(file: Path) -> Iterator[bytes]:
    with (
        file.open("rb") as stream,
        tqdm(total=file.stat().st_size, unit="B", unit_scale=True, desc="sending", leave=False) as bar,
    ):
        while chunk := stream.read(_CHUNK):
            yield chunk
            bar.update(len(chunk))


def _follow(lines: Iterator[str]) -> dict[str, Any]:
    with tqdm(unit="B", unit_scale=True, desc="importing", leave=False) as bar:
        for line in lines:
            event = json.loads(line) if line.strip() else {}
            if "error" in event:
                raise ServerRefused(event["error"]["message"])
            if "result" in event:
                return dict(event["result"])
            if "progress" in event:
                bar.total = event["progress"].get("total")
                bar.update(event["progress"]["done"] - bar.n)
    raise ServerRefused("The server stopped before the import was done; nothing of it was kept.")


def _describe_import(result: dict[str, Any]) -> str:
    labels = ", ".join(f"{label} {count:,}" for label, count in sorted(result["entities"].items())) or "none"
    notes = "".join(f"\n  {note}" for note in result.get("notes", []))
    return (
        f"{result['dataset']}: {result['documents']:,} documents read as {result['format']}, "
        f"{result['added']:,} added, {result['skipped']:,} there already.\nEntities: {labels}{notes}"
    )


@click.command("export")
@click.option("--dataset", required=True)
@click.option("--format", "format_name", required=True, help="Format to write.")
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File to write.")
@json_option
def export_command(dataset: str, format_name: str, output: Path, as_json: bool) -> None:
    """Write a dataset's documents, with their newest spans, to a file. The report lists what the format loses."""
    draft = output.with_name(f".{output.name}.part")
    with Server().stream("GET", f"/api/v1/datasets/{dataset}/export", params={"format": format_name}) as answer:
        summary = json.loads(answer.headers["X-Export-Summary"])
        opener = gzip.open if output.suffix == ".gz" else open
        with opener(draft, "wb") as stream, tqdm(unit="B", unit_scale=True, desc="writing", leave=False) as bar:
            for chunk in answer.iter_bytes():
                stream.write(chunk)
                bar.update(len(chunk))
    draft.rename(output)
    show(summary, as_json, lambda it: _describe_export(it, output))


def _describe_export(summary: dict[str, Any], output: Path) -> str:
    losses = "".join(f"\n  lost: {loss}" for loss in summary["losses"])
    return f"{summary['documents']:,} documents with {summary['entities']:,} entities written to {output}.{losses}"
