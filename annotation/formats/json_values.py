"""JSON from outside: parsed strictly, and refused where a database could not keep it."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from annotation.formats.shapes import Progress
from annotation.formats.sources import Sample, Source
from ner.errors import MalformedFile

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_BLANKS = re.compile(r"[ \t\r\n]*")
_CHUNK = 1 << 16


def parse_object(row: str, line: int) -> dict[str, Any]:
    """The JSON object of one line. Raises MalformedFile."""
    try:
        fields = json.loads(row, parse_constant=_refuse_constant)
        _check_storable(fields)
    except (ValueError, RecursionError) as error:
        raise MalformedFile(f"the line cannot be read as a JSON object: {error}.", line=line) from None
    if not isinstance(fields, dict):
        raise MalformedFile("expected one JSON object a line.", line=line)
    return fields


def objects_by_line(source: Source, progress: Progress | None) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line, object) of a file with one JSON object a line; blank lines are left out."""
    for line, row in source.lines(progress):
        if row.strip():
            yield line, parse_object(row, line)


def objects_of_list(source: Source, progress: Progress | None) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line where it begins, object) of a file that is one JSON list, which is never in memory as a whole."""
    reader = _ListReader(source, progress)
    reader.expect("[", "the file is not a JSON list")
    if reader.peek() == "]":
        return
    while True:
        reader.peek()
        line = reader.line
        yield line, reader.value()
        if reader.peek() == "]":
            return
        reader.expect(",", "a comma is missing between two objects of the list")


def first_object(sample: Sample) -> dict[str, Any]:
    """The first line's JSON object, or an empty one, to tell a format by."""
    first = next((line.strip() for line in sample.lines if line.strip()), "")
    try:
        fields = json.loads(first)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def parsed_meta(text: object) -> dict[str, Any]:
    """Meta that was written as a string of JSON; empty where it is none."""
    try:
        meta = json.loads(text) if isinstance(text, str) else None
        _check_storable(meta)
    except (ValueError, RecursionError):
        return {}
    return meta if isinstance(meta, dict) else {}


class _ListReader:
    """The text of a file, read on as values need it."""

    def __init__(self, source: Source, progress: Progress | None) -> None:
        self.line = 1
        self._decoder = json.JSONDecoder(parse_constant=_refuse_constant)
        self._text, self._position, self._is_over = "", 0, False
        self._pieces = _text_pieces(source, progress)

    def peek(self) -> str:
        """The next character that is no blank; empty at the end of the file."""
        while True:
            end = _blanks_end(self._text, self._position)
            self.line += self._text.count("\n", self._position, end)
            self._position = end
            if end < len(self._text) or not self._grow():
                return self._text[end : end + 1]

    def expect(self, sign: str, complaint: str) -> None:
        if self.peek() != sign:
            raise MalformedFile(f"{complaint}.", line=self.line)
        self._position += 1

    def value(self) -> dict[str, Any]:
        self.peek()
        wanted = _CHUNK
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._position)
                _check_storable(value)
                break
            except (ValueError, RecursionError) as error:
                # Perhaps the object goes on behind what was read: read twice as much each time.
                if isinstance(error, RecursionError) or not self._grow(wanted):
                    raise MalformedFile(f"the JSON object cannot be read: {_reason(error)}.", line=self.line) from None
                wanted *= 2
        if not isinstance(value, dict):
            raise MalformedFile("expected a list of JSON objects.", line=self.line)
        self.line += self._text.count("\n", self._position, end)
        self._position = end
        return value

    def _grow(self, wanted: int = 1) -> bool:
        grown = [self._text[self._position :]]
        size = 0
        for piece in self._pieces:
            grown.append(piece)
            size += len(piece)
            if size >= wanted:
                break
        self._text, self._position = "".join(grown), 0
        return size > 0


def _text_pieces(source: Source, progress: Progress | None) -> Iterator[str]:
    size = source.path.stat().st_size
    with source.opened(newline="") as (raw, stream):
        while piece := stream.read(_CHUNK):
            yield piece
            if progress:
                progress(raw.tell(), size)
    if progress:
        progress(size, size)


def _blanks_end(text: str, position: int) -> int:
    found = _BLANKS.match(text, position)
    return found.end() if found else position


def _reason(error: Exception) -> str:
    return getattr(error, "msg", None) or str(error) or "it is nested too deeply"


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _check_storable(value: Any) -> None:
    """Raises ValueError for what JSON can say and a database cannot keep, anywhere in the value."""
    if isinstance(value, dict):
        for key, item in value.items():
            _check_storable(key)
            _check_storable(item)
    elif isinstance(value, list):
        for item in value:
            _check_storable(item)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number is too large")
    elif isinstance(value, str) and _UNSTORABLE.search(value):
        raise ValueError("a string holds a NUL character or half of a surrogate pair, which cannot be stored")
