"""One JSON object a line: `{"text": ..., "spans": [{"start", "end", "label"}]}`."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

from annotation.formats.json_values import objects_by_line
from annotation.formats.offsets import checked_span
from annotation.formats.reports import Report
from annotation.formats.shapes import (
    Format,
    Progress,
    ReadDocument,
    WrittenDocument,
    check_text,
    fit_label,
)
from annotation.formats.sources import Sample, Source
from annotation.formats.writing import text_into
from ner.documents import EntitySpan
from ner.errors import MalformedFile

_SPAN_KEYS = ("spans", "entities", "label", "labels")
_SHAPE = 'expected {"start": 0, "end": 4, "label": "per"} or [0, 4, "per"]'


def recognises(sample: Sample) -> bool:
    """Whether the first line that is not blank begins a JSON object."""
    first = next((line.strip() for line in sample.lines if line.strip()), "")
    return first.startswith("{") and '"' in first


def read(source: Source, progress: Progress | None) -> Iterator[ReadDocument]:
    """One document per line. A line without spans, or with null, is unlabelled; with `[]` it is labelled as empty.

    A dict in `meta` is kept, and so is every key that means nothing here.
    """
    doubled = 0
    for line, fields in objects_by_line(source, progress):
        text = fields.pop("text", None)
        if not isinstance(text, str):
            raise MalformedFile('the object has no string "text".', line=line)
        check_text(text, line)
        marked = _take_spans(fields, line)
        spans = [_span(item, text, line) for item in marked or ()]
        distinct = tuple(dict.fromkeys(spans))
        doubled += len(spans) - len(distinct)
        yield ReadDocument(text, distinct, _meta(fields), marked is not None, line)
    if doubled:
        source.notes.append(f"Spans that stood twice with the same label, of which one was kept: {doubled:,}.")


def write(documents: Iterable[WrittenDocument], stream: BinaryIO, report: Report) -> None:
    """Write UTF-8, one object a line; a document without settled spans has no key `spans`. Nothing is lost."""
    with text_into(stream) as text:
        for document in documents:
            fields: dict[str, Any] = {"text": document.text}
            if document.spans is not None:
                fields["spans"] = [
                    {"start": span.start, "end": span.end, "label": span.label, "text": span.surface(document.text)}
                    for span in document.spans
                ]
            if document.meta:
                fields["meta"] = document.meta
            report.wrote(document.spans or ())
            text.write(json.dumps(fields, ensure_ascii=False) + "\n")


def _take_spans(fields: dict[str, Any], line: int) -> list[Any] | None:
    for key in _SPAN_KEYS:
        if key in fields:
            marked = fields.pop(key)
            if marked is not None and not isinstance(marked, list):
                raise MalformedFile(f'"{key}" is not a list of spans.', line=line)
            return marked
    return None


def _span(item: Any, text: str, line: int) -> EntitySpan:
    start, end, label, surface = _parts(item, line)
    if type(start) is not int or type(end) is not int:
        raise MalformedFile(f"the offsets of a span are not whole numbers; {_SHAPE}.", line=line)
    if not isinstance(label, str) or not fit_label(label):
        raise MalformedFile(f"a span has no usable label; {_SHAPE}.", line=line)
    return checked_span(text, start, end, label, surface, line)


def _parts(item: Any, line: int) -> tuple[Any, Any, Any, Any]:
    if isinstance(item, dict):
        start = item.get("start", item.get("start_offset"))
        return start, item.get("end", item.get("end_offset")), item.get("label"), item.get("text")
    if isinstance(item, Sequence) and not isinstance(item, str) and len(item) == 3:
        return item[0], item[1], item[2], None
    raise MalformedFile(f"a span cannot be read; {_SHAPE}.", line=line)


def _meta(fields: dict[str, Any]) -> dict[str, Any]:
    meta = fields.pop("meta", None)
    if meta is not None and not isinstance(meta, dict):
        return {**fields, "meta": meta}
    return {**fields, **(meta or {})}


FORMAT = Format("jsonl", (".jsonl", ".ndjson", ".json"), recognises, read, write)
