"""brat's stand-off files: a `.txt` and an `.ann` for each document, in one zip archive."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from annotation.formats.archives import Archive, archive_into, within
from annotation.formats.offsets import SpanChecker
from annotation.formats.reports import NO_META, Report, describe
from annotation.formats.shapes import Format, Progress, ReadDocument, WrittenDocument, check_text, fit_label
from annotation.formats.sources import Sample, Source
from ner.documents import EntitySpan
from ner.errors import MalformedFile

_BOUND = re.compile(r"T\S*\t(\S+) (\d{1,12} \d{1,12}(?:;\d{1,12} \d{1,12})*)(?:\t(.*))?", re.DOTALL)
_OTHERS = {
    "R": "relations",
    "E": "events",
    "A": "attributes",
    "M": "attributes",
    "N": "links",
    "#": "notes",
    "*": "equivalences",
}
_BREAKS = re.compile(r"[\t\r\n]")
_BLANKS = re.compile(r"\s+")
_RENAMED = "Spans whose label was written with _ for its blanks, as brat's labels hold none: {}."
_PIECES = "Spans in several pieces, each read as one span from the first piece to the last: {:,}."
_CONFIGURATION = "[entities]\n{}\n\n[relations]\n\n[events]\n\n[attributes]\n"


def recognises(sample: Sample) -> bool:
    """Whether the archive holds annotations beside their text."""
    names = set(sample.names)
    return any(name.endswith(".ann") and name.removesuffix(".ann") + ".txt" in names for name in names)


def read(source: Source, progress: Progress | None) -> Iterator[ReadDocument]:
    """One document per `.txt`, by name; one without its `.ann` is unlabelled. Relations and the like are not read."""
    spans_of_text = SpanChecker(normalized=lambda text: _BREAKS.sub(" ", text))
    found: Counter[str] = Counter()
    size = source.path.stat().st_size
    with Archive(source.path) as archive:
        names = set(archive.names)
        texts = [name for name in archive.names if name.endswith(".txt")]
        lonely = [name for name in archive.names if name.endswith(".ann") and name[:-4] + ".txt" not in names]
        if lonely or not texts:
            raise MalformedFile(f"{lonely[0] if lonely else 'The archive'} has no .txt beside it.")
        for number, name in enumerate(texts, start=1):
            annotations = name.removesuffix(".txt") + ".ann"
            with within(name):
                text = check_text(archive.text(name), None)
            spans: tuple[EntitySpan, ...] = ()
            if annotations in names:
                with within(annotations):
                    spans = _spans(archive.text(annotations), text, spans_of_text, found)
            yield ReadDocument(text, spans, {}, annotations in names, number, place=name)
            if progress and number % 500 == 0:
                progress(size * number // len(texts), size)
    source.notes.extend(spans_of_text.notes())
    if pieces := found.pop("pieces", 0):
        source.notes.append(_PIECES.format(pieces))
    source.notes.extend(f"Lines that hold {what}, which are not read: {count:,}." for what, count in found.items())


def write(documents: Iterable[WrittenDocument], stream: BinaryIO, report: Report) -> None:
    """Write `000001.txt`, `000001.ann` and so on, and an `annotation.conf` with the labels. Texts and spans are kept;
    a document without settled spans has no `.ann`.
    """
    labels: set[str] = set()
    with archive_into(stream) as archive:
        for number, document in enumerate(documents, start=1):
            if document.meta:
                report.lost(NO_META)
            archive.add(f"{number:06}.txt", document.text)
            if document.spans is not None:
                lines = [_line(place, span, document.text, report) for place, span in enumerate(document.spans, 1)]
                labels.update(_BLANKS.sub("_", span.label) for span in document.spans)
                archive.add(f"{number:06}.ann", "".join(lines))
            report.wrote(document.spans or ())
        archive.add("annotation.conf", _CONFIGURATION.format("\n".join(sorted(labels))))


def _line(place: int, span: EntitySpan, text: str, report: Report) -> str:
    label = _BLANKS.sub("_", span.label)
    if label != span.label:
        report.lost(_RENAMED, describe(text, span))
    return f"T{place}\t{label} {span.start} {span.end}\t{_BREAKS.sub(' ', span.surface(text))}\n"


def _spans(content: str, text: str, spans_of_text: SpanChecker, found: Counter[str]) -> tuple[EntitySpan, ...]:
    spans: dict[EntitySpan, None] = {}
    for number, row in enumerate(content.split("\n"), start=1):
        line = row.removesuffix("\r")
        if not line.strip():
            continue
        if not line.startswith("T"):
            if line[0] not in _OTHERS:
                raise MalformedFile("the line is no annotation of brat's, such as T1, tab, per 0 4.", line=number)
            found[_OTHERS[line[0]]] += 1
            continue
        bound = _BOUND.fullmatch(line)
        if bound is None or not fit_label(bound[1]):
            raise MalformedFile("expected T1, tab, a label, start and end, tab, the text they cover.", line=number)
        spans[_span(bound, text, spans_of_text, found, number)] = None
    return tuple(spans)


def _span(bound: re.Match[str], text: str, spans_of_text: SpanChecker, found: Counter[str], line: int) -> EntitySpan:
    pieces = [tuple(map(int, piece.split(" "))) for piece in bound[2].split(";")]
    gaps = [text[left[1] : right[0]] for left, right in itertools.pairwise(pieces)]
    start, end = pieces[0][0], pieces[-1][1]
    if not gaps:
        return spans_of_text.span(text, start, end, bound[1], bound[3], line)
    if any(gap.strip() for gap in gaps):
        found["pieces"] += 1
    return spans_of_text.span(text, start, end, bound[1], None, line)


FORMAT = Format("brat", (), recognises, read, write, kinds=("zip",), suffix=".zip")
