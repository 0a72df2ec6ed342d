"""Rows of a CSV file with the lines they begin at."""

import csv
from collections.abc import Callable, Iterator
from typing import NamedTuple

from annotation.formats.sources import Source
from ner.errors import MalformedFile

_LONGEST_FIELD = 64 << 20
_ROWS_BETWEEN_REPORTS = 5_000


class Row(NamedTuple):
    """A row's values; `line` is where it begins, counted from 1."""

    line: int
    values: list[str]


def read_rows(source: Source, delimiter: str, progress: Callable[[int, int], None] | None = None) -> Iterator[Row]:
    """Rows with double quoting, which may span lines; empty lines are left out. Raises MalformedFile."""
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_FIELD))
    size = source.path.stat().st_size
    with source.opened(newline="") as (raw, stream):
        reader = csv.reader(stream, delimiter=delimiter, strict=True)
        line = 1
        try:
            for number, values in enumerate(reader):
                if values:
                    yield Row(line, values)
                line = reader.line_num + 1
                if progress and number % _ROWS_BETWEEN_REPORTS == 0:
                    progress(raw.tell(), size)
        except csv.Error as error:
            raise MalformedFile(f"the quoting is broken ({error}).", line=line) from None
    if progress:
        progress(size, size)
