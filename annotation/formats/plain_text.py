"""Plain text: every line that is not blank is one unlabelled document, exactly as it stands."""

import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from annotation.formats.reports import Report
from annotation.formats.shapes import Format, Progress, ReadDocument, WrittenDocument, check_text
from annotation.formats.sources import Sample, Source
from annotation.formats.writing import blank_line_before_mark, text_into

_LINE_BREAK = re.compile(r"\r\n|[\r\n]")


def recognises(_: Sample) -> bool:
    """Anything can be read as text."""
    return True


def read(source: Source, progress: Progress | None) -> Iterator[ReadDocument]:
    """Lines rather than paragraphs, because a document is corrected on one screen and learned as sentences."""
    source.notes.append("Every line that is not blank became one unlabelled document.")
    for line, text in source.lines(progress):
        if text.strip():
            yield ReadDocument(check_text(text, line), (), {}, False, line)


def write(documents: Iterable[WrittenDocument], stream: BinaryIO, report: Report) -> None:
    """Write the texts alone, in UTF-8; line breaks inside a text become blanks."""
    with text_into(stream) as lines:
        for document in documents:
            text, breaks = _LINE_BREAK.subn(" ", document.text)
            if breaks:
                report.lost("Documents whose inner line breaks became blanks: {}.")
            if document.spans:
                report.lost("Spans that are not in the file, as plain text holds none: {}.", count=len(document.spans))
            report.wrote(())
            if report.documents == 1:
                lines.write(blank_line_before_mark(text))
            lines.write(text + "\n")


FORMAT = Format("text", (".txt", ".text", ".md"), recognises, read, write, suffix=".txt")
