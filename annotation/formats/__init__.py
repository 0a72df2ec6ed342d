"""Files of text and spans, in and out: one module for each format, and the table that lists them."""

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from annotation.formats import conll, csv_spans, gmb, jsonl, plain_text
from annotation.formats.reports import Report
from annotation.formats.shapes import Format, Progress, ReadDocument, ReadFile, WrittenDocument, check_text, fit_label
from annotation.formats.sources import Source, open_source
from ner.errors import InvalidInput

__all__ = [
    "FORMATS",
    "Format",
    "ReadDocument",
    "ReadFile",
    "Report",
    "WrittenDocument",
    "check_text",
    "fit_label",
    "get_format",
    "read_file",
    "write_documents",
]

# In the order in which they are asked whether they recognise a file: the pickiest first.
FORMATS: dict[str, Format] = {
    found.name: found for found in (gmb.FORMAT, jsonl.FORMAT, csv_spans.FORMAT, conll.FORMAT, plain_text.FORMAT)
}
_SAMPLE_LINES = 200


def get_format(name: str) -> Format:
    """The format of that name. Raises InvalidInput listing the names there are."""
    if name not in FORMATS:
        raise InvalidInput(f"'{name}' is not a format; choose one of auto, {', '.join(FORMATS)}.")
    return FORMATS[name]


def read_file(
    path: Path, format_name: str = "auto", *, filename: str | None = None, progress: Progress | None = None
) -> ReadFile:
    """Open a file, gzip or not, in the named format, or in the one that its content, then its name, shows.

    `filename` is the name it had before it was uploaded. Documents are read as they are asked for; a malformed row
    raises MalformedFile at that moment.
    """
    if format_name != "auto":
        get_format(format_name)
    source = open_source(path, filename)
    found = get_format(format_name) if format_name != "auto" else _detect(source)
    return ReadFile(found.name, found.read(source, progress), source.notes)


def write_documents(documents: Iterable[WrittenDocument], format_name: str, stream: BinaryIO) -> list[str]:
    """Write UTF-8 into a stream of bytes. Returns what the format could not say, in sentences."""
    report = Report()
    get_format(format_name).write(documents, stream, report)
    return report.losses()


def _detect(source: Source) -> Format:
    sample = [line for _, line in itertools.islice(source.lines(), _SAMPLE_LINES)]
    by_content = next(found for found in FORMATS.values() if found.recognises(sample))
    if by_content is not plain_text.FORMAT:
        return by_content
    return next((found for found in FORMATS.values() if source.name.endswith(found.extensions)), by_content)
