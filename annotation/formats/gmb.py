"""The Kaggle CSV of the Groningen Meaning Bank: one token a row, `Sentence: N` on a sentence's first row."""

import csv
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple

from annotation.formats.reports import Report
from annotation.formats.sentences import check_tag, read_sentence, tag_documents
from annotation.formats.shapes import Format, Progress, ReadDocument, WrittenDocument
from annotation.formats.sources import Sample, Source
from annotation.formats.tables import Row, read_rows
from annotation.formats.transitions import Transitions
from annotation.formats.writing import text_into
from ner.errors import MalformedFile

_HEADER = ("Sentence #", "Word", "POS", "Tag")
_NEEDED = ("sentence #", "word", "tag")


class _Sentence(NamedTuple):
    name: str
    line: int
    tokens: list[str]
    tags: list[str]


def recognises(sample: Sample) -> bool:
    """Whether the first line is the header of such a file."""
    lines = sample.lines
    names = {name.strip(' "').lower() for name in lines[0].split(",")} if lines else set()
    return names >= set(_NEEDED)


def read(source: Source, progress: Progress | None) -> Iterator[ReadDocument]:
    """One document per sentence; parts of speech are not read."""
    transitions = Transitions()
    for sentence in _sentences(source, progress):
        transitions.add(sentence.tags, sentence.line)
        meta: dict[str, Any] = {"sentence": sentence.name}
        yield read_sentence(sentence.tokens, sentence.tags, "IOB2", " ", meta, sentence.line)
    source.notes.extend(transitions.notes("IOB2"))


def write(documents: Iterable[WrittenDocument], stream: BinaryIO, report: Report) -> None:
    """Write UTF-8 with CRLF. The column POS is there, as readers expect it, and empty."""
    with text_into(stream, newline="") as text:
        rows = csv.writer(text)
        rows.writerow(_HEADER)
        report.lost("The column POS is empty: parts of speech are not known.")
        for number, (_, tokens, tags) in enumerate(tag_documents(documents, report), start=1):
            for index, (token, tag) in enumerate(zip(tokens, tags, strict=True)):
                rows.writerow(("" if index else f"Sentence: {number}", token, "", tag))


def _sentences(source: Source, progress: Progress | None) -> Iterator[_Sentence]:
    rows = read_rows(source, ",", progress)
    columns = _columns(next(rows, Row(1, [])))
    known_tags: set[str] = set()
    sentence = _Sentence("", 0, [], [])
    for line, values in rows:
        name, token, tag = _checked(line, values, columns)
        if tag not in known_tags:
            check_tag(tag, line)
            known_tags.add(tag)
        if name and name != sentence.name:
            if sentence.tokens:
                yield sentence
            sentence = _Sentence(name, line, [], [])
        if not sentence.name:
            raise MalformedFile("the first row has no sentence number, such as 'Sentence: 1'.", line=line)
        sentence.tokens.append(token)
        sentence.tags.append(tag)
    if sentence.tokens:
        yield sentence


def _columns(header: Row) -> tuple[int, int, int, int]:
    """(how many columns, and which hold the sentence, the word and the tag)."""
    names = [name.strip().lower() for name in header.values]
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise MalformedFile(f"the header has no column '{missing[0]}'; expected {','.join(_HEADER)}.", line=header.line)
    return len(names), names.index("sentence #"), names.index("word"), names.index("tag")


def _checked(line: int, values: list[str], columns: tuple[int, int, int, int]) -> tuple[str, str, str]:
    count, sentence, word, tag = columns
    if len(values) != count:
        raise MalformedFile(f"the row has {len(values)} columns where the header has {count}.", line=line)
    if not values[word]:
        raise MalformedFile("the word is empty.", line=line)
    return values[sentence], values[word], values[tag]


FORMAT = Format("gmb", (), recognises, read, write, suffix=".csv")
