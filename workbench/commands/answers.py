"""`workbench predict` and `workbench bulk`."""

import json
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from workbench.commands.output import json_option, percent, show, table
from workbench.commands.server import Server

_BATCH = 128


@click.command()
@click.argument("text")
@json_option
def predict(text: str, as_json: bool) -> None:
    """Find the entities of TEXT, as production answers them."""
    show(Server().post("/api/v1/ner/predict", {"text": text}), as_json, _describe)


def _describe(answer: dict[str, Any]) -> str:
    rows = [
        (entity["text"], entity["label"], f"{entity['start']}-{entity['end']}", percent(entity["confidence"]))
        for entity in answer["entities"]
    ]
    heading = f"Version {answer['model_version']} ({answer['variant']})"
    if not rows:
        return f"{heading} found no entity."
    return f"{heading}\n" + table(("entity", "label", "characters", "confidence"), rows)


@click.command()
@click.argument("source", metavar="IN", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--version", default="stable", show_default=True)
@click.option("--format", "format_name", default="auto", show_default=True, help="Format of IN.")
@json_option
def bulk(source: Path, target: Path, version: str, format_name: str, as_json: bool) -> None:
    """Tag every document of IN into OUT, one JSON object per line. Needs no server.

    Run again after a stop, it goes on where OUT ends.
    """
    from annotation.formats import read_file
    from workbench.commands.local import Installation, chunks

    name, tagger = Installation().tagger(version)
    done = _whole_lines(target)
    documents = iter(read_file(source, format_name).documents)
    for _ in range(done):
        next(documents, None)
    written = entities = 0
    with target.open("a", encoding="utf-8") as stream, tqdm(unit=" documents", initial=done, leave=False) as bar:
        for batch in chunks(documents, _BATCH):
            for found, tagged in zip(batch, tagger.tag([one.text for one in batch]), strict=True):
                spans = [
                    {"start": s.start, "end": s.end, "label": s.label, "confidence": s.confidence} for s in tagged.spans
                ]
                line = {"text": found.text, "spans": spans, "model_version": name}
                stream.write(json.dumps(line, ensure_ascii=False) + "\n")
                entities += len(spans)
            written += len(batch)
            stream.flush()
            bar.update(len(batch))
    result = {"version": name, "documents": written, "resumed_after": done, "entities": entities}
    show(result, as_json, lambda it: f"{it['documents']:,} documents tagged by {name} into {target}.")


def _whole_lines(target: Path) -> int:
    """How many lines of an earlier try are whole; a torn last one is cut off."""
    if not target.exists():
        return 0
    whole = 0
    with target.open("rb+") as stream:
        end = 0
        for line in stream:
            if not line.endswith(b"\n"):
                break
            whole += 1
            end += len(line)
        stream.truncate(end)
    return whole
