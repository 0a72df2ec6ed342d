"""How the columns of a CoNLL file are laid out, found by reading it through once."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from annotation.formats.positions import PositionDigits
from annotation.formats.sentences import check_tag
from annotation.formats.sources import Sample, Source
from annotation.formats.transitions import Transitions
from ner.errors import MalformedFile
from ner.tags import SchemeName, detect_scheme

_SAMPLE_LINES = 2_000
_BLANKS = re.compile(r"[ \t]+")
_TAG = re.compile(r"O|[BIELMSU]-\S.*")
_DOCUMENT_START = "-DOCSTART-"
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")


class TaggedSentence(NamedTuple):
    """The token and tag columns of one sentence; `group` counts the -DOCSTART- lines before it."""

    line: int
    group: int
    tokens: list[str]
    tags: list[str]


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column is which. `is_tabbed`: columns are separated by one tab, else by any run of blanks."""

    is_tabbed: bool
    count: int
    token: int
    tag: int

    def split(self, line: str) -> list[str]:
        """The line's columns; empty columns at its end that other lines do not have are left out."""
        if not self.is_tabbed:
            return _BLANKS.split(line.strip(" \t"))
        values = line.split("\t")
        while len(values) > self.count and not values[-1].strip():
            values.pop()
        return values


@dataclass(frozen=True, slots=True)
class Layout:
    """All that reading a file needs to know about it."""

    columns: Columns
    scheme: SchemeName
    joined_by: str
    has_position_digits: bool


def looks_tagged(sample: Sample) -> bool:
    """Whether most lines that are not blank end in a tag column."""
    rows = [line.rstrip() for line in sample.lines if line.strip()]
    tagged = sum(len(parts := _BLANKS.split(row)) > 1 and bool(_TAG.fullmatch(parts[-1])) for row in rows)
    return tagged > len(rows) / 2


def find_columns(source: Source) -> Columns:
    """Guess from the first lines. The token is the first column and the tag the last; where the first column numbers
    the tokens of a sentence, the token is the second, and of two tag columns behind it the first is the outer one.
    """
    lines = (line for _, line in source.lines() if line.strip() and not line.startswith(_DOCUMENT_START))
    sample = list(itertools.islice(lines, _SAMPLE_LINES))
    if not sample:
        raise MalformedFile("The file holds blank lines only.")
    is_tabbed = sum("\t" in line.strip() for line in sample) > len(sample) / 2
    rows = [line.rstrip("\t\r ").split("\t") if is_tabbed else _BLANKS.split(line.strip(" \t")) for line in sample]
    count = Counter(len(row) for row in rows).most_common(1)[0][0]
    if count < 2:
        raise MalformedFile("expected a token and its tag, separated by a tab or a blank.", line=1)
    rows = [row for row in rows if len(row) == count]
    if count > 2 and _is_numbered(rows):
        has_inner = count == 4 and all(_TAG.fullmatch(row[2]) for row in rows)
        return Columns(is_tabbed, count, token=1, tag=2 if has_inner else count - 1)
    return Columns(is_tabbed, count, token=0, tag=count - 1)


def _is_numbered(rows: list[list[str]]) -> bool:
    previous = None
    for row in rows:
        if not row[0].isdecimal():
            return False
        if previous is not None and int(row[0]) not in (previous + 1, 0, 1):
            return False
        previous = int(row[0])
    return True


def tagged_sentences(source: Source, columns: Columns, lines: Iterable[tuple[int, str]]) -> Iterator[TaggedSentence]:
    """The sentences of `lines`. A line that begins with # and is no row, where a sentence may begin, is a comment.

    Raises MalformedFile at the first line that is neither.
    """
    known_tags: set[str] = set()
    group, first, comments = 0, 0, 0
    tokens: list[str] = []
    tags: list[str] = []
    for number, line in lines:
        values = columns.split(line)
        starts_document = values[0] == _DOCUMENT_START or _DOCUMENT_START in values[columns.token : columns.token + 1]
        if starts_document or not line.strip(" \t\r"):
            if tokens:
                yield TaggedSentence(first, group, tokens, tags)
                tokens, tags = [], []
            group += starts_document
            continue
        is_row = len(values) == columns.count and _TAG.fullmatch(values[columns.tag]) is not None
        if not is_row and not tokens and line.startswith("#"):
            comments += 1
            continue
        if not is_row or not values[columns.token]:
            _refuse(values, columns, number)
        if not tokens:
            first = number
        if values[columns.tag] not in known_tags:
            check_tag(values[columns.tag], number)
            known_tags.add(values[columns.tag])
        tokens.append(values[columns.token])
        tags.append(values[columns.tag])
    if tokens:
        yield TaggedSentence(first, group, tokens, tags)
    if comments:
        _note_once(source, f"Comment lines that begin with # and were left out: {comments:,}.")


def survey(source: Source) -> Layout:
    """Read the whole file once: check every row, find the tagging scheme and how tokens join, and note them."""
    columns = find_columns(source)
    digits = PositionDigits()
    transitions = Transitions()
    counts: Counter[str] = Counter()

    def tag_sequences() -> Iterator[list[str]]:
        for sentence in tagged_sentences(source, columns, source.lines()):
            digits.add(sentence.tokens)
            transitions.add(sentence.tags, sentence.line)
            counts["tokens"] += len(sentence.tokens)
            for token in sentence.tokens:
                counts["characters"] += len(token) == 1
                counts["cjk"] += bool(_CJK.match(token))
            yield sentence.tags

    try:
        scheme = detect_scheme(tag_sequences())
    except ValueError as error:
        raise MalformedFile(str(error)) from None
    is_cjk = counts["cjk"] * 2 > counts["tokens"]
    has_digits = is_cjk and digits.hold
    joined_by = "" if is_cjk and (has_digits or counts["characters"] == counts["tokens"]) else " "
    source.notes.extend(_notes(columns, scheme, joined_by, has_digits))
    source.notes.extend(transitions.notes(scheme))
    return Layout(columns, scheme, joined_by, has_digits)


def _notes(columns: Columns, scheme: SchemeName, joined_by: str, has_digits: bool) -> list[str]:
    separator = "tab" if columns.is_tabbed else "blank"
    notes = [f"{columns.count} columns separated by {separator}, tags in {scheme}."]
    if columns.token == 1:
        notes.append("The first column numbers the tokens.")
    if columns.tag < columns.count - 1:
        notes.append(
            "The last column holds nested entities, which are not read: the column before it holds the outer ones."
        )
    if has_digits:
        notes.append("Each character carries its position inside its word, which was taken off.")
    if not joined_by:
        notes.append("Each token is one character: the text has no blanks between them.")
    return notes


def _refuse(values: list[str], columns: Columns, line: int) -> None:
    if len(values) != columns.count:
        raise MalformedFile(
            f"the row has {len(values)} column{'s' * (len(values) > 1)} where most rows have {columns.count}.",
            line=line,
        )
    if not values[columns.token]:
        raise MalformedFile("the token is empty.", line=line)
    check_tag(values[columns.tag], line)


def _note_once(source: Source, note: str) -> None:
    if note not in source.notes:
        source.notes.append(note)
