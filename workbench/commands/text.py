"""`workbench import` and `workbench export`: text in and out of the running server."""

import gzip
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from ner.errors import InvalidInput
from ner.settings import load_settings
from workbench.commands.output import json_option, show
from workbench.commands.server import Server, ServerRefused

_CHUNK = 1 << 16


@click.command("import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--dataset", required=True, help="Name of the dataset; it is made when it is not there.")
@click.option("--format", "format_name", default="auto", show_default=True, help="Format of the file.")
@json_option
def import_command(file: Path, dataset: str, format_name: str, as_json: bool) -> None:
    """Add the documents of FILE to a dataset. Documents it holds already are skipped."""
    _check_file(file, format_name)
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


def _check_file(file: Path, format_name: str) -> None:
    if file.exists():
        return
    if format_name == "huggingface":
        raise InvalidInput(
            f"There is no file {file}. A dataset of the Hugging Face Hub is not fetched by its name: save it with "
            "save_to_disk, zip the folder, and import that."
        )
    raise click.BadParameter(f"File '{file}' does not exist.", param_hint="'FILE'")


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
@click.option("--output", help="File to write, or s3://bucket/key.")
@click.option("--scheme", help="Tagging scheme of CoNLL: IOB1, IOB2 (default), IOE2, BILOU or BMES.")
@click.option("--report", is_flag=True, help="Write nothing; say what the file would hold and lose.")
@json_option
def export_command(
    dataset: str, format_name: str, output: str | None, scheme: str | None, report: bool, as_json: bool
) -> None:
    """Write a dataset's documents, with their newest spans, to a file. The report lists what the format loses."""
    asked = {"format": format_name} | ({"scheme": scheme} if scheme else {})
    path = f"/api/v1/datasets/{dataset}/export"
    if report:
        show(Server().get(f"{path}/report", **asked), as_json, _describe_report)
        return
    if output is None:
        raise click.UsageError("Missing option '--output' (or '--report').")
    summary = _to_bucket(path, asked, output) if output.startswith("s3://") else download(path, asked, Path(output))
    show(summary, as_json, lambda it: _describe_export(it, output))


def _to_bucket(path: str, asked: dict[str, Any], address: str) -> dict[str, Any]:
    from registry.bucket import Bucket

    folder, _, key = address.rpartition("/")
    if folder in {"s3:", "s3:/"} or not key:
        raise click.UsageError(f"'{address}' names no object; write s3://bucket/key.")
    with tempfile.TemporaryDirectory() as scratch:
        summary = download(path, asked, Path(scratch) / key)
        Bucket(folder, load_settings().s3_endpoint_url).put(Path(scratch) / key, key)
    return summary


def download(path: str, asked: dict[str, Any], output: Path) -> dict[str, Any]:
    """Write what the server sends to a file, which appears whole or not at all. Returns the server's summary."""
    draft = output.with_name(f".{output.name}.part")
    with Server().stream("GET", path, params=asked) as answer:
        summary = json.loads(answer.headers["X-Export-Summary"])
        opener = gzip.open if output.suffix == ".gz" else open
        with opener(draft, "wb") as stream, tqdm(unit="B", unit_scale=True, desc="writing", leave=False) as bar:
            for chunk in answer.iter_bytes():
                stream.write(chunk)
                bar.update(len(chunk))
    draft.rename(output)
    return dict(summary)


def _describe_report(summary: dict[str, Any]) -> str:
    losses = "".join(f"\n  would lose: {loss}" for loss in summary["losses"]) or "\n  nothing would be lost"
    return f"{summary['documents']:,} documents with {sum(summary['entities'].values()):,} entities.{losses}"


def _describe_export(summary: dict[str, Any], output: str) -> str:
    losses = "".join(f"\n  lost: {loss}" for loss in summary["losses"])
    return f"{summary['documents']:,} documents with {summary['entities']:,} entities written to {output}.{losses}"
