"""What every format reads and writes."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from annotation.formats.reports import Report
from annotation.formats.sources import Kind, Sample, Source
from ner.documents import EntitySpan
from ner.errors import MalformedFile

Progress = Callable[[int, int], None]
"""Called with (bytes read, bytes in all) of the file as it lies on the disk."""

_UNFIT_LABEL = re.compile(r"^\s|\s$|[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LONGEST_LABEL = 100


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """One document of a file. `line` is where it begins, counted from 1; where lines say nothing, `place` does.

    `meta` may hold `joined_by` (what stands between tokens: a blank or nothing) and `group` (the number of the
    -DOCSTART- document). A document that is not labelled has no spans, but nobody said that it should have none.
    """

    text: str
    spans: tuple[EntitySpan, ...]
    meta: dict[str, Any]
    is_labelled: bool
    line: int
    place: str = ""

    def refuse(self, message: str) -> MalformedFile:
        """The error that names where the document stands."""
        return MalformedFile(f"{self.place}: {message}") if self.place else MalformedFile(message, line=self.line)


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file being read. `documents` can be walked once; `notes` is complete when that walk has ended."""

    format: str
    documents: Iterator[ReadDocument]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class WrittenDocument:
    """One document to write; `spans` is None where nothing is settled."""

    text: str
    spans: tuple[EntitySpan, ...] | None
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Format:
    """One row of the table of formats.

    `kinds` are the files it can be in. `read(source, progress)` gives documents and may append to `source.notes`;
    `write(documents, stream, report)` writes UTF-8, and reports what was written and what was lost. `suffix` ends the
    name of a file that is written; without it the format's own name does.
    """

    name: str
    extensions: tuple[str, ...]
    recognises: Callable[[Sample], bool]
    read: Callable[[Source, Progress | None], Iterator[ReadDocument]]
    write: Callable[[Iterable[WrittenDocument], BinaryIO, Report], None]
    kinds: tuple[Kind, ...] = ("text",)
    suffix: str = ""

    def filename(self, stem: str) -> str:
        """What a file of this format is called."""
        return stem + (self.suffix or f".{self.name}")


def check_text(text: str, line: int | None) -> str:
    """The text, unless it is empty or a database could not store it. Raises MalformedFile."""
    if not text:
        raise MalformedFile("the text is empty.", line=line)
    if "\x00" in text:
        raise MalformedFile("the text holds a NUL character, which cannot be stored.", line=line)
    return text


def fit_label(label: str) -> bool:
    """Whether a label is 1 to 100 characters, without control characters and without blanks around it."""
    return 0 < len(label) <= _LONGEST_LABEL and not _UNFIT_LABEL.search(label)
