"""Files of `workbench bulk`: texts in as a stream, tagged texts out, and where an earlier try stopped."""

import csv
import json
import shutil
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from ner.errors import InvalidInput, MalformedFile

Row = dict[str, Any]
"""`{"text", "spans": [{"start", "end", "label", "confidence"}], "model_version"}`."""

_SPAN = pa.struct([("start", pa.int64()), ("end", pa.int64()), ("label", pa.string()), ("confidence", pa.float64())])
_SCHEMA = pa.schema([("text", pa.string()), ("spans", pa.list_(_SPAN)), ("model_version", pa.string())])
_PART_ROWS = 20_000
_READ_ROWS = 4_096
# As long as before: offsets stay right.
_ONE_LINE = str.maketrans("\r\n", "  ")
_CSV_FIELDS = ("text", "spans", "model_version")


def read_texts(source: Path, format_name: str, column: str) -> Iterator[str]:
    """The texts of a file, one after the other. Raises MalformedFile or InvalidInput.

    JSONL, CSV and Parquet are read as a stream from their `column`; any other format as `workbench import` reads it.
    """
    suffix = source.suffix.lower()
    if format_name == "parquet" or (format_name == "auto" and suffix == ".parquet"):
        return _parquet_texts(source, column)
    if format_name == "auto" and suffix in {".jsonl", ".ndjson"}:
        return _jsonl_texts(source, column)
    if format_name == "auto" and suffix == ".csv":
        return _csv_texts(source, column, format_name)
    return _other_texts(source, format_name)


def _jsonl_texts(source: Path, column: str) -> Iterator[str]:
    with source.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if line.strip():
                try:
                    text = json.loads(line)[column]
                except (ValueError, KeyError, TypeError):
                    raise MalformedFile(f"this is not a JSON object with a '{column}'.", line=number) from None
                if not isinstance(text, str):
                    raise MalformedFile(f"'{column}' is not a text.", line=number)
                yield text


def _csv_texts(source: Path, column: str, format_name: str) -> Iterator[str]:
    csv.field_size_limit(2**31 - 1)
    with source.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        if column not in (reader.fieldnames or ()):
            yield from _other_texts(source, format_name)
            return
        for row in reader:
            yield row[column] or ""


def _parquet_texts(source: Path, column: str) -> Iterator[str]:
    try:
        file = pq.ParquetFile(source)
    except pa.ArrowInvalid as error:
        raise MalformedFile(f"{source} is not a Parquet file: {error}.") from None
    if column not in file.schema_arrow.names:
        raise InvalidInput(f"{source} has no column '{column}'; it has {', '.join(file.schema_arrow.names)}.")
    for batch in file.iter_batches(_READ_ROWS, columns=[column]):
        for value in batch.column(0).to_pylist():
            yield str(value or "")


def _other_texts(source: Path, format_name: str) -> Iterator[str]:
    from annotation.formats import read_file

    return (found.text for found in read_file(source, format_name).documents)


class Sink(Protocol):
    """Where rows go. `done` rows are there already from an earlier try."""

    done: int

    def write(self, rows: Sequence[Row]) -> None: ...

    def finish(self) -> None: ...

    def close(self) -> None: ...


def open_sink(target: Path) -> Sink:
    """By the target's suffix: .parquet, .csv, else JSONL."""
    if target.suffix.lower() == ".parquet":
        return _ParquetSink(target)
    return _LineSink(target, is_csv=target.suffix.lower() == ".csv")


class _LineSink:
    """JSONL or CSV, one row to a line; a torn last line of an earlier try is cut off."""

    def __init__(self, target: Path, *, is_csv: bool) -> None:
        self._is_csv = is_csv
        whole = _cut_to_whole_lines(target)
        self.done = max(0, whole - is_csv)
        self._stream = target.open("a", encoding="utf-8", newline="")
        self._csv = csv.writer(self._stream, lineterminator="\n")
        if is_csv and not whole:
            self._csv.writerow(_CSV_FIELDS)

    def write(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if self._is_csv:
                spans = json.dumps(row["spans"], ensure_ascii=False)
                # A row has to stay on one line, so that it can be seen whether it is whole.
                self._csv.writerow((row["text"].translate(_ONE_LINE), spans, row["model_version"]))
            else:
                self._stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._stream.flush()

    def finish(self) -> None:
        """Every row is written already."""

    def close(self) -> None:
        self._stream.close()


class _ParquetSink:
    """Parts that are whole files of their own, put together at the end: a Parquet file cannot be continued."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._folder = target.with_name(f".{target.name}.parts")
        self._folder.mkdir(exist_ok=True)
        for draft in self._folder.glob("*.draft"):
            draft.unlink()
        self._parts = sorted(self._folder.glob("*.parquet"))
        if target.exists() and not self._parts:
            self._parts = [target.rename(self._folder / "000000.parquet")]
        self.done = sum(pq.ParquetFile(part).metadata.num_rows for part in self._parts)
        self._rows: list[Row] = []

    def write(self, rows: Sequence[Row]) -> None:
        self._rows.extend(rows)
        if len(self._rows) >= _PART_ROWS:
            self._close_part()

    def finish(self) -> None:
        if self._rows:
            self._close_part()
        if self._parts:
            self._join()
        shutil.rmtree(self._folder)

    def close(self) -> None:
        """Whole parts stay for the next try."""

    def _close_part(self) -> None:
        part = self._folder / f"{len(self._parts):06d}.parquet"
        draft = part.with_suffix(".draft")
        pq.write_table(pa.Table.from_pylist(self._rows, schema=_SCHEMA), draft)
        draft.rename(part)
        self._parts.append(part)
        self._rows = []

    def _join(self) -> None:
        draft = self._folder / "whole.draft"
        with pq.ParquetWriter(draft, _SCHEMA) as writer:
            for part in self._parts:
                writer.write_table(pq.read_table(part, schema=_SCHEMA))
        draft.rename(self._target)


def chunks(texts: Iterator[str], size: int) -> Iterator[list[str]]:
    """Lists of up to `size` texts, in order."""
    while batch := list(islice(texts, size)):
        yield batch


def _cut_to_whole_lines(target: Path) -> int:
    """How many lines of an earlier try are whole; a torn last one is cut off."""
    if not target.exists():
        return 0
    whole = end = 0
    with target.open("rb+") as stream:
        for line in stream:
            if not line.endswith(b"\n"):
                break
            whole += 1
            end += len(line)
        stream.truncate(end)
    return whole
