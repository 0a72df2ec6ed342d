"""A CSV with a header: one span a row in `text,start,end,label`, or texts alone in `text`."""

import csv
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import BinaryIO, NamedTuple

from annotation.formats.offsets import checked_span
from annotation.formats.reports import NO_GOLD, NO_META, Report
from annotation.formats.shapes import Format, Progress, ReadDocument, WrittenDocument, check_text, fit_label
from annotation.formats.sources import Sample, Source
from annotation.formats.tables import Row, read_rows
from annotation.formats.writing import text_into
from ner.documents import EntitySpan
from ner.errors import MalformedFile

_DELIMITERS = ",;\t"
_SPAN_COLUMNS = ("start", "end", "label")
_COLUMNS = ("document", "text", *_SPAN_COLUMNS)


class _SpanRow(NamedTuple):
    line: int
    document: str
    text: str
    span: EntitySpan | None


def recognises(sample: Sample) -> bool:
    """Whether the first line is a header that names a text and its spans."""
    lines = sample.lines
    return bool(lines) and set(_names(lines[0], _delimiter(lines[0]))) >= {"text", *_SPAN_COLUMNS}


def read(source: Source, progress: Progress | None) -> Iterator[ReadDocument]:
    """Rows that follow each other with the same `document`, or without that column with the same text, are one
    document. A row with empty start, end and label has no span. Without those columns texts are unlabelled.
    """
    header_line = next((line for _, line in source.lines()), "")
    delimiter = _delimiter(header_line)
    rows = read_rows(source, delimiter, progress)
    names = [name.strip().lower() for name in next(rows, Row(1, [])).values]
    is_labelled = _check_header(names)
    unread = [name for name in names if name not in _COLUMNS]
    if unread:
        source.notes.append(f"Columns that are not read: {', '.join(unread)}.")
    if is_labelled and "document" not in names:
        source.notes.append("Rows that follow each other with the same text are one document.")
    found = (_row(row, names, is_labelled) for row in rows)
    if not is_labelled:
        yield from (ReadDocument(row.text, (), {}, False, row.line) for row in found)
        return
    for _, group in groupby(found, key=lambda row: (row.document, row.text)):
        members = list(group)
        spans = tuple(dict.fromkeys(row.span for row in members if row.span))
        yield ReadDocument(members[0].text, spans, {}, True, members[0].line)


def write(documents: Iterable[WrittenDocument], stream: BinaryIO, report: Report) -> None:
    """Write UTF-8, comma, CRLF, with a running number in `document`."""
    with text_into(stream, newline="") as text:
        rows = csv.writer(text)
        rows.writerow(_COLUMNS)
        for number, document in enumerate(documents, start=1):
            if document.spans is None:
                report.lost(NO_GOLD)
                continue
            if document.meta:
                report.lost(NO_META)
            report.wrote(document.spans)
            for span in document.spans:
                rows.writerow((number, document.text, span.start, span.end, span.label))
            if not document.spans:
                rows.writerow((number, document.text, "", "", ""))


def _delimiter(header: str) -> str:
    return next((sign for sign in _DELIMITERS if "text" in _names(header, sign)), ",")


def _names(header: str, delimiter: str) -> list[str]:
    return [name.strip(' "').lower() for name in header.split(delimiter)]


def _check_header(names: list[str]) -> bool:
    """Whether the file holds spans. Raises MalformedFile when the header names no text or half a span."""
    if "text" not in names:
        raise MalformedFile("the header has no column 'text'; expected text,start,end,label, or text alone.", line=1)
    present = [name for name in _SPAN_COLUMNS if name in names]
    if present and len(present) < len(_SPAN_COLUMNS):
        raise MalformedFile(f"the header has {', '.join(present)}, but spans need start, end and label.", line=1)
    return bool(present)


def _row(row: Row, names: list[str], is_labelled: bool) -> _SpanRow:
    if len(row.values) != len(names):
        raise MalformedFile(f"the row has {len(row.values)} columns where the header has {len(names)}.", line=row.line)
    fields = dict(zip(names, row.values, strict=True))
    text = check_text(fields["text"], row.line)
    return _SpanRow(row.line, fields.get("document", ""), text, _span(fields, row.line) if is_labelled else None)


def _span(fields: dict[str, str], line: int) -> EntitySpan | None:
    start, end, label = (fields[name] for name in _SPAN_COLUMNS)
    if not start and not end and not label:
        return None
    try:
        offsets = int(start), int(end)
    except ValueError:
        raise MalformedFile(f"start '{start}' and end '{end}' are not whole numbers.", line=line) from None
    if not fit_label(label):
        raise MalformedFile(f"'{label}' is no usable label.", line=line)
    return checked_span(fields["text"], *offsets, label, None, line)


FORMAT = Format("csv", (".csv",), recognises, read, write)
