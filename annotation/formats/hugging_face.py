"""Hugging Face datasets on disk: what `save_to_disk` writes, as one zip archive, or a lone Parquet or Arrow file."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import PurePosixPath
from typing import IO, Any, BinaryIO

from annotation.formats.archives import Archive, archive_into, within
from annotation.formats.arrow_tables import class_names, names_in, rows_of, writing_spans
from annotation.formats.json_values import parsed_meta
from annotation.formats.reports import Report
from annotation.formats.rows_of_spans import RowReader
from annotation.formats.shapes import Format, Progress, ReadDocument, WrittenDocument
from annotation.formats.sources import Sample, Source
from ner.errors import MalformedFile

_SUFFIXES = (".arrow", ".parquet")
_DATA = "data-00000-of-00001.arrow"
_ROWS = 1_000
_SPAN = {name: {"dtype": kind, "_type": "Value"} for name, kind in (("start", "int32"), ("end", "int32"))}
_FEATURES = {
    "id": {"dtype": "int64", "_type": "Value"},
    "text": {"dtype": "string", "_type": "Value"},
    "spans": [_SPAN | {"label": {"dtype": "string", "_type": "Value"}}],
    "meta": {"dtype": "string", "_type": "Value"},
}


def recognises(sample: Sample) -> bool:
    """Whether the file is Arrow or Parquet, or the archive holds such files."""
    if sample.kind == "zip":
        return any(name.endswith(_SUFFIXES) for name in sample.names)
    return sample.head[:4] in {b"PAR1", b"ARRO", b"\xff\xff\xff\xff"}


def read(source: Source, progress: Progress | None) -> Iterator[ReadDocument]:
    """One document per row: a text and its spans (ours, or Argilla's), or tokens and their tags. Rows of a folder that
    is a split of a larger dataset have it in `split`.
    """
    if source.kind == "binary":
        with source.path.open("rb") as names_from:
            names = class_names(names_from, source.name)
        with source.path.open("rb") as stream:
            yield from _rows(stream, source.name, RowReader(names, source.notes), {})
        return
    size = source.path.stat().st_size
    with Archive(source.path) as archive:
        files = [name for name in archive.names if name.endswith(_SUFFIXES) and not _is_cache(name)]
        if not files:
            raise MalformedFile("The archive holds no .arrow and no .parquet file.")
        for number, name in enumerate(files, start=1):
            folder = str(PurePosixPath(name).parent)
            split = PurePosixPath(folder).name
            is_split = any(PurePosixPath(other).parent != PurePosixPath(folder) for other in files)
            reader = RowReader(_names(archive, name, folder), source.notes)
            with archive.opened(name) as stream:
                yield from _rows(stream, name, reader, {"split": split} if is_split and split else {})
            if progress:
                progress(size * number // len(files), size)


def write(documents: Iterable[WrittenDocument], stream: BinaryIO, report: Report) -> None:
    """Write a dataset for `load_from_disk`: text, spans (null where nothing is settled) and meta. Nothing is lost."""
    digest = hashlib.sha256()
    waiting = iter(documents)
    number = 0
    with archive_into(stream) as archive:
        with archive.adding(_DATA) as data, writing_spans(data, _FEATURES) as table:
            while chunk := list(islice(waiting, _ROWS)):
                rows = [_row(number + place, document) for place, document in enumerate(chunk, start=1)]
                number += len(rows)
                digest.update(json.dumps(rows).encode())
                table.add(rows)
                for document in chunk:
                    report.wrote(document.spans or ())
        archive.add("dataset_info.json", json.dumps({"features": _FEATURES}, indent=2))
        archive.add("state.json", json.dumps(_state(digest.hexdigest()[:16]), indent=2))


def _row(number: int, document: WrittenDocument) -> dict[str, Any]:
    spans = document.spans
    return {
        "id": number,
        "text": document.text,
        "spans": None
        if spans is None
        else [{"start": span.start, "end": span.end, "label": span.label} for span in spans],
        "meta": json.dumps(document.meta) if document.meta else None,
    }


def _state(fingerprint: str) -> dict[str, Any]:
    return {
        "_data_files": [{"filename": _DATA}],
        "_fingerprint": fingerprint,
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }


def _rows(stream: IO[bytes], name: str, reader: RowReader, meta: dict[str, Any]) -> Iterator[ReadDocument]:
    number = 0
    for rows in rows_of(stream, name):
        for row in rows:
            number += 1
            yield reader.document(row, number, f"{name}, row {number}", meta)


def _names(archive: Archive, name: str, folder: str) -> dict[str, list[str]]:
    """The names of classes: from the folder's `dataset_info.json`, else from the file."""
    told = str(PurePosixPath(folder) / "dataset_info.json")
    if told in archive.names:
        with within(told):
            return names_in(parsed_meta(archive.text(told)).get("features"))
    with archive.opened(name) as stream:
        return class_names(stream, name)


def _is_cache(name: str) -> bool:
    return PurePosixPath(name).name.startswith(("cache-", "indices-"))


FORMAT = Format("huggingface", (".parquet", ".arrow"), recognises, read, write, kinds=("zip", "binary"), suffix=".zip")
