"""Whole files are tagged in order, by one process or many, and a stopped try goes on where it ended."""

import csv
import itertools
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ner.errors import MalformedFile
from tests.api.rooms import load_dictionary
from workbench import bulk, bulk_files

TEXTS = [f"{'so ' * (number % 5)}John {number} is in Berlin" for number in range(1_000)]
AWKWARD = ['two\nlines in Berlin "quoted", John', "東 José", " John", "Ada\r\n"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    words = {"words": {"John": "per", "Berlin": "geo", "José": "per"}, "confidence": 0.75, "breaks": False}
    (tmp_path / "words.json").write_text(json.dumps(words))
    monkeypatch.setattr(bulk, "load_tagger", load_dictionary)
    return tmp_path


def _write(path: Path, texts: list[str]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"id": range(len(texts)), "text": texts}), path)
    elif path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([("id", "text"), *enumerate(texts)])
    else:
        path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


def _read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return list(pq.read_table(path).to_pylist())
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as stream:
            return [row | {"spans": json.loads(row["spans"])} for row in csv.DictReader(stream)]
    return [json.loads(line) for line in path.read_text().splitlines()]


FORMATS = ["jsonl", "csv", "parquet"]


@pytest.mark.parametrize(("source", "target"), list(itertools.product(FORMATS, FORMATS)))
def test_every_text_comes_out_in_its_place_with_its_spans(source: str, target: str, package: Path) -> None:
    texts = TEXTS[:300] + AWKWARD
    into = package / f"out.{target}"

    tally = bulk.tag_file(_write(package / f"in.{source}", texts), into, package, "1.0.0")

    rows = _read(into)
    kept = [text.translate(str.maketrans("\r\n", "  ")) if target == "csv" else text for text in texts]
    assert [row["text"] for row in rows] == kept
    assert [row["text"][span["start"] : span["end"]] for row in rows for span in row["spans"]][:2] == ["John", "Berlin"]
    assert {row["model_version"] for row in rows} == {"1.0.0"}
    assert tally == (304, 0, sum(len(row["spans"]) for row in rows))


@pytest.mark.parametrize("target", FORMATS)
def test_a_stopped_try_goes_on_where_it_ended(target: str, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "BATCH", 50)
    monkeypatch.setattr(bulk_files, "_PART_ROWS", 100)
    source, into, whole = (package / f"{name}.{target}" for name in ("in", "out", "whole"))
    _write(source, TEXTS)
    bulk.tag_file(source, whole, package, "1.0.0")

    class Stopped(Exception): ...

    done = 0

    def stop(more: int) -> None:
        nonlocal done
        done += more
        if done >= 500:
            raise Stopped

    with pytest.raises(Stopped):
        bulk.tag_file(source, into, package, "1.0.0", progress=stop)
    tally = bulk.tag_file(source, into, package, "1.0.0")

    assert tally.resumed_after >= 400
    assert tally.documents + tally.resumed_after == len(TEXTS)
    assert _read(into) == _read(whole)
    assert bulk.tag_file(source, into, package, "1.0.0") == (0, len(TEXTS), 0)
    assert _read(into) == _read(whole)


def test_a_torn_line_is_written_anew(package: Path) -> None:
    source, into = _write(package / "in.jsonl", TEXTS[:20]), package / "out.jsonl"
    bulk.tag_file(source, into, package, "1.0.0")
    whole = into.read_bytes()
    into.write_bytes(whole[:-10])

    assert bulk.tag_file(source, into, package, "1.0.0").documents == 1
    assert into.read_bytes() == whole


@pytest.mark.parametrize("line", ["{broken", '{"txt": "John"}', '{"text": 5}', "[]"])
def test_a_bad_line_is_named(line: str, package: Path) -> None:
    source = package / "in.jsonl"
    source.write_text(f'{{"text": "John"}}\n{line}\n')

    with pytest.raises(MalformedFile, match="Line 2"):
        bulk.tag_file(source, package / "out.jsonl", package, "1.0.0")
