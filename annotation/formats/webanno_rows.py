"""The rows of a WebAnno TSV 3 file: sentences, tokens, and what stands in the columns of a layer."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from annotation.formats.offsets import Utf16, checked_span
from annotation.formats.shapes import ReadDocument, check_text, fit_label
from ner.documents import EntitySpan
from ner.errors import MalformedFile

_UNIT = re.compile(r"\d{1,9}-\d{1,9}(?:\.\d{1,9})?")
_OFFSETS = re.compile(r"(\d{1,12})-(\d{1,12})")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_BAR = re.compile(r"(?:[^\\|]|\\.)+", re.DOTALL)
_NUMBERED = re.compile(r"(.*)(?<!\\)\[(\d{1,12})\]", re.DOTALL)
_SIGNS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "b": "\b"}
_PREFERRED = ("value", "label")


@dataclass(slots=True)
class _Layer:
    """Which column holds the labels, of how many; `others` names the layers that are not read."""

    column: int = -1
    columns: int = 0
    name: str = ""
    others: list[str] = field(default_factory=list)
    unnamed: int = 0

    def add(self, line: str) -> None:
        """A line such as `#T_SP=the.layer|feature|feature`."""
        kind, _, content = line.partition("=")
        layer, *features = content.split("|")
        count = max(1, len(features))
        feature = next((name for name in _PREFERRED if name in features), features[0] if features else "")
        is_better = layer.endswith(".NamedEntity") and not self.name.endswith(".NamedEntity")
        if kind == "#T_SP" and feature and (self.column < 0 or is_better):
            if self.name:
                self.others.append(self.name)
            self.column, self.name = self.columns + features.index(feature), layer
        else:
            self.others.append(layer)
        self.columns += count


@dataclass(slots=True)
class _Row:
    line: int
    start: int
    end: int
    surface: str
    cell: str


@dataclass(slots=True)
class _Sentence:
    line: int
    text: str
    rows: list[_Row] = field(default_factory=list)


def sentences_of(
    lines: Iterable[tuple[int, str]], notes: list[str], name: str, meta: dict[str, Any]
) -> Iterator[ReadDocument]:
    """The sentences of one file as documents. Raises MalformedFile with the line."""
    layer = _Layer()
    for sentence in _sentences(lines, layer):
        yield _document(sentence, layer, name, meta)
    if layer.columns and layer.column < 0:
        raise MalformedFile("the file has no layer of spans with a feature, such as #T_SP=...NamedEntity|value.")
    note = f"Layers that are not read: {', '.join(layer.others)}."
    if layer.others and note not in notes:
        notes.append(note)
    if layer.unnamed:
        notes.append(f"Spans without a label, left out{' of ' + name if name else ''}: {layer.unnamed:,}.")


def _sentences(lines: Iterable[tuple[int, str]], layer: _Layer) -> Iterator[_Sentence]:
    sentence: _Sentence | None = None
    for number, line in lines:
        if number == 1 and not line.lstrip("\ufeff").startswith("#FORMAT=WebAnno TSV 3"):
            raise MalformedFile("the file does not begin with #FORMAT=WebAnno TSV 3.", line=1)
        if line.startswith("#T_"):
            layer.add(line)
        elif line.startswith("#Text="):
            if sentence is not None and not sentence.rows:
                # Older files write each line of a sentence on a line of its own.
                sentence.text += "\n" + _unescaped(line[6:])
                continue
            if sentence is not None:
                yield sentence
            sentence = _Sentence(number, _unescaped(line[6:]))
        elif line.strip() and not line.startswith("#"):
            if sentence is None:
                raise MalformedFile("a token stands before the first #Text= line.", line=number)
            sentence.rows.append(_row(line, number, layer))
    if sentence is not None:
        yield sentence


def _row(line: str, number: int, layer: _Layer) -> _Row:
    values = line.split("\t")
    if values[-1] == "" and len(values) > 3:
        values.pop()
    offsets = _OFFSETS.fullmatch(values[1]) if len(values) > 2 else None
    if offsets is None or not _UNIT.fullmatch(values[0]):
        raise MalformedFile("expected 1-1, tab, 0-4, tab, the token and its columns.", line=number)
    if len(values) != 3 + layer.columns:
        raise MalformedFile(
            f"the row has {len(values)} columns where the layers need {3 + layer.columns}.", line=number
        )
    cell = values[3 + layer.column] if layer.column >= 0 else "_"
    return _Row(number, int(offsets[1]), int(offsets[2]), values[2], cell)


def _document(sentence: _Sentence, layer: _Layer, name: str, meta: dict[str, Any]) -> ReadDocument:
    text = check_text(sentence.text, sentence.line)
    units = Utf16(text)
    place = f"{name}, line {sentence.line}" if name else f"Line {sentence.line}"
    base = _base(sentence, text, units)
    marked: dict[object, tuple[int, int, str, int]] = {}
    for row in sentence.rows:
        start, end = _place(row, base, text, units)
        for order, (label, number) in enumerate(_labels(row.cell)):
            key: object = number if number else (row.line, order)
            first, last, known, line = marked.get(key, (start, end, label, row.line))
            marked[key] = (min(first, start), max(last, end), known, line)
    spans = dict.fromkeys(_span(text, *found) for found in marked.values() if found[2])
    layer.unnamed += sum(not found[2] for found in marked.values())
    return ReadDocument(text, tuple(spans), dict(meta), True, sentence.line, place=place)


def _base(sentence: _Sentence, text: str, units: Utf16) -> int:
    """The offset in the file at which the sentence's text begins, in UTF-16 units."""
    if not sentence.rows:
        return 0
    first = sentence.rows[0]
    found = max(text.find(first.surface), text.find(_unescaped(first.surface)))
    if found < 0:
        raise MalformedFile(f"the token {first.surface!r:.40} is not in its sentence.", line=first.line)
    return first.start - units.units(found)


def _place(row: _Row, base: int, text: str, units: Utf16) -> tuple[int, int]:
    start, end = units.characters(row.start - base), units.characters(row.end - base)
    surface = "" if start is None or end is None else text[start:end]
    if start is None or end is None or surface not in {row.surface, _unescaped(row.surface)}:
        raise MalformedFile(
            f"the token {row.surface!r:.40} does not stand at {row.start}-{row.end} of the text.", line=row.line
        )
    return start, end


def _labels(cell: str) -> Iterator[tuple[str, str]]:
    """(label, number) for each value of a cell; a span of several tokens has a number."""
    if cell == "_":
        return
    for value in _BAR.findall(cell):
        numbered = _NUMBERED.fullmatch(value)
        label, number = (numbered[1], numbered[2]) if numbered else (value, "")
        # `*` says that a span is there, but not which.
        yield ("" if label == "*" else _unescaped(label)), number


def _span(text: str, start: int, end: int, label: str, line: int) -> EntitySpan:
    if not fit_label(label):
        raise MalformedFile(f"{label!r:.60} is no usable label.", line=line)
    return checked_span(text, start, end, label, None, line)


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: _SIGNS.get(found[1], found[1]), text)
