"""Rows of a table as documents, whichever of the usual columns they use."""

from collections.abc import Sequence
from typing import Any

from annotation.formats.json_values import parsed_meta
from annotation.formats.offsets import SpanChecker
from annotation.formats.sentences import check_tag, read_sentence
from annotation.formats.shapes import ReadDocument, check_text
from ner.errors import MalformedFile
from ner.tags import SchemeName, detect_scheme

_SPANS = ("spans", "entities", "annotation")
_TAGS = ("ner_tags", "tags", "ner", "labels", "label")
_STARTS, _ENDS, _LABELS = ("start", "start_offset"), ("end", "end_offset"), ("label", "type")


class RowReader:
    """Reads the rows of one table. `names` are those of its columns of classes; `notes` learns what was left out."""

    def __init__(self, names: dict[str, list[str]], notes: list[str]) -> None:
        self._names, self._notes = names, notes
        self._scheme: dict[str, SchemeName] = {}

    def document(self, row: dict[str, Any], number: int, place: str, meta: dict[str, Any]) -> ReadDocument:
        """The row as a document. Raises MalformedFile that names its place."""
        try:
            found = self._document(row, number, meta)
        except MalformedFile as error:
            raise MalformedFile(f"{place}: {error.message.removeprefix(f'Line {error.line}: ')}") from None
        return ReadDocument(found.text, found.spans, found.meta, found.is_labelled, number, place=place)

    def _document(self, row: dict[str, Any], number: int, meta: dict[str, Any]) -> ReadDocument:
        responses = next((key for key in row if key.endswith(".responses") and _holds_spans(row[key])), None)
        meta = meta | parsed_meta(row.get("meta")) | parsed_meta(row.get("metadata"))
        if isinstance(row.get("text"), str):
            key = next((name for name in _SPANS if name in row), None)
            marked = _submitted(row, responses) if responses else row[key] if key else None
            if marked is not None or not isinstance(row.get("tokens"), list):
                return self._with_spans(row["text"], marked, number, meta)
        if not isinstance(row.get("tokens"), list):
            raise MalformedFile('the row has neither a string "text" nor a list "tokens".')
        return self._with_tags(row, number, meta)

    def _with_spans(self, text: str, marked: object, number: int, meta: dict[str, Any]) -> ReadDocument:
        check_text(text, None)
        if marked is not None and not isinstance(marked, list):
            raise MalformedFile("the spans of the row are no list.")
        checker = SpanChecker()
        spans = dict.fromkeys(checker.span(text, *_parts(item), number) for item in marked or ())
        return ReadDocument(text, tuple(spans), meta, marked is not None, number)

    def _with_tags(self, row: dict[str, Any], number: int, meta: dict[str, Any]) -> ReadDocument:
        tokens = row["tokens"]
        if not tokens or not all(isinstance(token, str) and token for token in tokens):
            raise MalformedFile("the tokens of the row are not all words.")
        column = next((name for name in _TAGS if isinstance(row.get(name), list)), None)
        if column is None:
            return ReadDocument(check_text(" ".join(tokens), None), (), meta | {"joined_by": " "}, False, number)
        tags = [self._tag(column, value) for value in row[column]]
        if len(tags) != len(tokens):
            raise MalformedFile(f"the row has {len(tokens)} tokens and {len(tags)} tags.")
        return read_sentence(tokens, tags, self._scheme_of(column, tags), " ", meta, number)

    def _tag(self, column: str, value: object) -> str:
        names = self._names.get(column, ())
        if isinstance(value, int) and not names:
            raise MalformedFile(f'"{column}" holds numbers, and the file does not say what they mean.')
        if isinstance(value, int) and 0 <= value < len(names):
            value = names[value]
        if not isinstance(value, str):
            raise MalformedFile(f'"{column}" holds {value!r:.40}, which is no tag.')
        check_tag(value, 0)
        return value

    def _scheme_of(self, column: str, tags: Sequence[str]) -> SchemeName:
        """By the names of the classes; where tags are strings, by the tags of the row."""
        known = self._names.get(column)
        if known is None:
            return _scheme(tags)
        if column not in self._scheme:
            self._scheme[column] = _scheme(known)
        return self._scheme[column]


def _scheme(tags: Sequence[str]) -> SchemeName:
    try:
        found = detect_scheme([tags])
    except ValueError as error:
        raise MalformedFile(str(error)) from None
    return "IOB2" if found == "IOB1" else found


def _holds_spans(responses: object) -> bool:
    return isinstance(responses, list) and any(isinstance(response, list) for response in responses)


def _submitted(row: dict[str, Any], column: str) -> object:
    """The first response that was submitted; none where there is none."""
    statuses = row.get(f"{column}.status") or []
    for number, response in enumerate(row[column]):
        status = statuses[number] if number < len(statuses) else "submitted"
        if status == "submitted" and response is not None:
            return response
    return None


def _parts(item: object) -> tuple[object, object, object, object]:
    if not isinstance(item, dict):
        raise MalformedFile("a span is no object with start, end and label.")

    def first(keys: tuple[str, ...]) -> object:
        return next((item[key] for key in keys if key in item), None)

    return first(_STARTS), first(_ENDS), first(_LABELS), item.get("text")
