"""Files of text and spans, in and out: one module for each format, and the table that lists them."""

import itertools
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import BinaryIO

from annotation.formats import (
    bioc,
    brat,
    conll,
    csv_spans,
    doccano,
    gmb,
    hugging_face,
    jsonl,
    label_studio,
    plain_text,
    prodigy,
    spacy_docs,
    webanno,
    xmi,
)
from annotation.formats.archives import Archive
from annotation.formats.reports import Report
from annotation.formats.shapes import Format, Progress, ReadDocument, ReadFile, WrittenDocument, check_text, fit_label
from annotation.formats.sources import Sample, Source, open_source
from ner.errors import InvalidInput, MalformedFile
from ner.tags import SCHEMES

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
    "writer",
]

# In the order in which they are asked whether they recognise a file: the pickiest first.
FORMATS: dict[str, Format] = {
    found.name: found
    for found in (
        *(gmb.FORMAT, prodigy.FORMAT, doccano.FORMAT, label_studio.FORMAT, webanno.FORMAT, xmi.FORMAT, bioc.FORMAT),
        *(brat.FORMAT, hugging_face.FORMAT, spacy_docs.FORMAT),
        *(jsonl.FORMAT, csv_spans.FORMAT, conll.FORMAT, plain_text.FORMAT),
    )
}
_SAMPLE_LINES = 200
_FEW_BYTES = 64
_KINDS = {"text": "a text file", "zip": "a zip archive", "binary": "a binary file"}


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
    if source.kind not in found.kinds:
        raise MalformedFile(f"The file is {_KINDS[source.kind]}; the format {found.name} is {_expected(found)}.")
    return ReadFile(found.name, found.read(source, progress), source.notes)


def write_documents(
    documents: Iterable[WrittenDocument], format_name: str, stream: BinaryIO, scheme: str | None = None
) -> list[str]:
    """Write into a stream of bytes; `scheme` is the tagging scheme where the format has tags.

    Returns what the format could not say, in sentences.
    """
    report = Report()
    writer(format_name, scheme)(documents, stream, report)
    return report.losses()


def writer(
    format_name: str, scheme: str | None = None
) -> Callable[[Iterable[WrittenDocument], BinaryIO, Report], None]:
    """What writes the format. Raises InvalidInput for a format or a tagging scheme that there is not."""
    chosen = get_format(format_name)
    if not scheme:
        return chosen.write
    if chosen is not conll.FORMAT:
        raise InvalidInput(f"The format {format_name} has no tagging scheme to choose; only conll has.")
    if scheme not in SCHEMES:
        raise InvalidInput(f"'{scheme}' is not a tagging scheme; choose one of {', '.join(SCHEMES)}.")
    return partial(conll.write, scheme=scheme)


def _detect(source: Source) -> Format:
    sample = _sample(source)
    candidates = [found for found in FORMATS.values() if source.kind in found.kinds]
    by_content = next((found for found in candidates if found.recognises(sample)), None)
    if by_content is not None and by_content is not plain_text.FORMAT:
        return by_content
    by_name = next((found for found in candidates if found.extensions and source.name.endswith(found.extensions)), None)
    chosen = by_name or by_content
    if chosen is None:
        raise MalformedFile(f"The file is {_KINDS[source.kind]}, and holds none of the formats that are read here.")
    return chosen


def _sample(source: Source) -> Sample:
    if source.kind == "text":
        return Sample("text", lines=[line for _, line in itertools.islice(source.lines(), _SAMPLE_LINES)])
    if source.kind == "zip":
        with Archive(source.path) as archive:
            return Sample("zip", names=archive.names)
    return Sample("binary", head=next(source.chunks(), b"")[:_FEW_BYTES])


def _expected(found: Format) -> str:
    return " or ".join(_KINDS[kind] for kind in found.kinds)
