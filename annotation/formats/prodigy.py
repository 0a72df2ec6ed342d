"""Prodigy's JSONL: tasks with `text`, `tokens`, `spans` and the `answer` that a person gave."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from annotation.formats.json_values import first_object, objects_by_line
from annotation.formats.offsets import SpanChecker
from annotation.formats.reports import Report, describe
from annotation.formats.sentences import split_tokens
from annotation.formats.shapes import Format, Progress, ReadDocument, WrittenDocument, check_text
from annotation.formats.sources import Sample, Source
from annotation.formats.writing import text_into
from ner.documents import EntitySpan, outermost
from ner.errors import MalformedFile
from ner.tokens import Token

_MARKS = {"answer", "_task_hash", "_input_hash", "_view_id", "_session_id"}
_OWN = _MARKS | {"tokens", "spans", "meta", "text", "label", "_annotator_id", "_timestamp", "_is_binary", "relations"}
_UNSHOWN = "Spans that begin or end inside a token, which are in the file but which Prodigy cannot show: {}."


def recognises(sample: Sample) -> bool:
    """Whether the first object is a text with Prodigy's own keys."""
    fields = first_object(sample)
    return isinstance(fields.get("text"), str) and bool(_MARKS & fields.keys())


def read(source: Source, progress: Progress | None) -> Iterator[ReadDocument]:
    """One document per task. Only accepted tasks are labelled: what was rejected or ignored tells no right spans."""
    spans_of_text = SpanChecker()
    refused = 0
    for line, fields in objects_by_line(source, progress):
        text = fields.get("text")
        if not isinstance(text, str):
            raise MalformedFile('the object has no string "text".', line=line)
        check_text(text, line)
        marked = fields.get("spans")
        if marked is not None and not isinstance(marked, list):
            raise MalformedFile('"spans" is not a list of spans.', line=line)
        is_accepted = fields.get("answer", "accept" if marked is not None else None) == "accept"
        refused += "answer" in fields and not is_accepted
        spans = dict.fromkeys(_span(spans_of_text, text, item, line) for item in marked or ()) if is_accepted else ()
        yield ReadDocument(text, tuple(spans), _meta(fields), is_accepted, line)
    source.notes.extend(spans_of_text.notes())
    if refused:
        source.notes.append(f"Tasks that were rejected or ignored became unlabelled documents: {refused:,}.")


def write(documents: Iterable[WrittenDocument], stream: BinaryIO, report: Report) -> None:
    """Write UTF-8, one task a line; a document without settled spans has no answer. Nothing is lost."""
    with text_into(stream) as lines:
        for document in documents:
            tokens = split_tokens(document)
            fields: dict[str, Any] = {"text": document.text, "tokens": _tokens(document.text, tokens)}
            if document.spans is not None:
                fields["spans"] = [_marked(document.text, span, tokens, report) for span in document.spans]
                is_flat = len(outermost(document.spans)) == len(document.spans)
                fields |= {"_view_id": "ner_manual" if is_flat else "spans_manual", "answer": "accept"}
            if document.meta:
                fields["meta"] = document.meta
            report.wrote(document.spans or ())
            lines.write(json.dumps(fields, ensure_ascii=False) + "\n")


def _span(spans_of_text: SpanChecker, text: str, item: object, line: int) -> EntitySpan:
    if not isinstance(item, dict):
        raise MalformedFile('a span cannot be read; expected {"start": 0, "end": 4, "label": "per"}.', line=line)
    return spans_of_text.span(text, item.get("start"), item.get("end"), item.get("label"), item.get("text"), line)


def _meta(fields: dict[str, Any]) -> dict[str, Any]:
    meta = fields.get("meta")
    others = {key: value for key, value in fields.items() if key not in _OWN}
    return others | (meta if isinstance(meta, dict) else {})


def _tokens(text: str, tokens: list[Token]) -> list[dict[str, Any]]:
    return [
        {"text": text[start:end], "start": start, "end": end, "id": number, "ws": text[end : end + 1] == " "}
        for number, (start, end) in enumerate(tokens)
    ]


def _marked(text: str, span: EntitySpan, tokens: list[Token], report: Report) -> dict[str, Any]:
    marked: dict[str, Any] = {"start": span.start, "end": span.end, "label": span.label}
    first = next((number for number, token in enumerate(tokens) if token[0] == span.start), None)
    last = next((number for number, token in enumerate(tokens) if token[1] == span.end), None)
    if first is None or last is None:
        report.lost(_UNSHOWN, describe(text, span))
        return marked
    return marked | {"token_start": first, "token_end": last}


FORMAT = Format("prodigy", (), recognises, read, write, suffix=".jsonl")
