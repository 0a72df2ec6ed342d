"""doccano's JSONL: `{"id", "text", "label": [[start, end, label]]}`, or `entities` and `relations` beside the text."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from annotation.formats.json_values import first_object, objects_by_line
from annotation.formats.offsets import SpanChecker
from annotation.formats.reports import Report
from annotation.formats.shapes import Format, Progress, ReadDocument, WrittenDocument, check_text
from annotation.formats.sources import Sample, Source
from annotation.formats.writing import text_into
from ner.documents import EntitySpan
from ner.errors import MalformedFile

_TEXT_KEYS = ("text", "data")
_LABEL_KEYS = ("label", "labels")
_SHAPE = 'expected [0, 4, "per"], or {"start_offset": 0, "end_offset": 4, "label": "per"}'


def recognises(sample: Sample) -> bool:
    """Whether the first object marks its text in one of doccano's two ways."""
    fields = first_object(sample)
    if not any(isinstance(fields.get(key), str) for key in _TEXT_KEYS):
        return False
    entities = fields.get("entities")
    if isinstance(entities, list) and entities:
        return isinstance(entities[0], dict) and "start_offset" in entities[0]
    return any(isinstance(fields.get(key), list) for key in _LABEL_KEYS) or "relations" in fields


def read(source: Source, progress: Progress | None) -> Iterator[ReadDocument]:
    """One document per line; a line without `label` and `entities` is unlabelled. Other keys are kept as meta."""
    spans_of_text = SpanChecker()
    unread = 0
    for line, fields in objects_by_line(source, progress):
        text = next((fields.pop(key) for key in _TEXT_KEYS if isinstance(fields.get(key), str)), None)
        if text is None:
            raise MalformedFile('the object has no string "text".', line=line)
        check_text(text, line)
        marked = _take_marked(fields, line)
        unread += len(fields.pop("relations", None) or ())
        spans = dict.fromkeys(_span(spans_of_text, text, item, line) for item in marked or ())
        yield ReadDocument(text, tuple(spans), _meta(fields), marked is not None, line)
    source.notes.extend(spans_of_text.notes())
    if unread:
        source.notes.append(f"Relations between spans, which are not read: {unread:,}.")


def write(documents: Iterable[WrittenDocument], stream: BinaryIO, report: Report) -> None:
    """Write UTF-8, one object a line; a document without settled spans has no key `label`. Nothing is lost."""
    with text_into(stream) as lines:
        for number, document in enumerate(documents, start=1):
            fields: dict[str, Any] = {"id": number, "text": document.text}
            if document.spans is not None:
                fields["label"] = [[span.start, span.end, span.label] for span in document.spans]
            if document.meta:
                fields["meta"] = document.meta
            report.wrote(document.spans or ())
            lines.write(json.dumps(fields, ensure_ascii=False) + "\n")


def _take_marked(fields: dict[str, Any], line: int) -> list[Any] | None:
    for key in (*_LABEL_KEYS, "entities"):
        marked = fields.pop(key, None)
        if marked is not None:
            if not isinstance(marked, list):
                raise MalformedFile(f'"{key}" is not a list of spans.', line=line)
            return marked
    return None


def _span(spans_of_text: SpanChecker, text: str, item: object, line: int) -> EntitySpan:
    if isinstance(item, dict):
        start, end, label = (item.get(key) for key in ("start_offset", "end_offset", "label"))
    elif isinstance(item, list) and len(item) == 3:
        start, end, label = item
    else:
        raise MalformedFile(f"a span cannot be read; {_SHAPE}.", line=line)
    return spans_of_text.span(text, start, end, label, None, line)


def _meta(fields: dict[str, Any]) -> dict[str, Any]:
    """What doccano says beside the text, without its running number and empty comments."""
    fields.pop("id", None)
    for key in ("Comments", "comments"):
        if not fields.get(key):
            fields.pop(key, None)
    meta = fields.pop("meta", None)
    return {**fields, **meta} if isinstance(meta, dict) else fields | ({} if meta is None else {"meta": meta})


FORMAT = Format("doccano", (), recognises, read, write, suffix=".jsonl")
