"""WebAnno TSV 3, as WebAnno and INCEpTION write it: one file, or several in a zip archive."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

from annotation.formats.archives import Archive, within
from annotation.formats.offsets import Utf16
from annotation.formats.pieces import cut_tokens
from annotation.formats.reports import NO_GOLD, NO_META, Report, describe
from annotation.formats.sentences import split_tokens
from annotation.formats.shapes import Format, Progress, ReadDocument, WrittenDocument
from annotation.formats.sources import Sample, Source
from annotation.formats.webanno_rows import sentences_of
from annotation.formats.writing import text_into
from ner.documents import EntitySpan
from ner.errors import MalformedFile
from ner.tokens import Token

_HEAD = "#FORMAT=WebAnno TSV 3.3\n#T_SP=de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity|identifier|value\n\n"
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f", "\b": "\\b"})
_RESERVED = re.compile(r"\\|\[|\]|\||_|;|\*|->")
_CUT = "Tokens cut in two, as a span begins or ends inside them: {}."
_MOVED = "Spans made shorter by the blanks at their ends, as a span is made of tokens: {}."
_BLANK = "Spans left out because they cover blanks only: {}."


def recognises(sample: Sample) -> bool:
    """Whether the first line names the format, or the archive holds TSV files alone."""
    if sample.kind == "zip":
        return any(name.endswith(".tsv") for name in sample.names)
    return bool(sample.lines) and sample.lines[0].startswith("#FORMAT=WebAnno TSV 3")


def read(source: Source, progress: Progress | None) -> Iterator[ReadDocument]:
    """One document per sentence (`#Text=`), with the file's number in `group` where there are several files."""
    if source.kind == "text":
        lines = ((number, line) for number, line in source.lines(progress))
        yield from sentences_of(lines, source.notes, "", {})
        return
    size = source.path.stat().st_size
    with Archive(source.path) as archive:
        names = [name for name in archive.names if name.endswith(".tsv")]
        if not names:
            raise MalformedFile("The archive holds no .tsv file.")
        for number, name in enumerate(names, start=1):
            with within(name):
                rows = archive.text(name).removeprefix("\ufeff").split("\n")
                lines = ((place, row.removesuffix("\r")) for place, row in enumerate(rows, start=1))
                found = list(sentences_of(lines, source.notes, name, {"group": number}))
            yield from found
            if progress:
                progress(size * number // len(names), size)


def write(documents: Iterable[WrittenDocument], stream: BinaryIO, report: Report) -> None:
    """Write one UTF-8 file, a sentence for each document. Texts are kept; spans too, nested ones as stacked values,
    with the blanks at their ends left out.
    """
    begin, sentence, next_id = 0, 0, 1
    with text_into(stream) as lines:
        lines.write(_HEAD)
        for document in documents:
            if document.spans is None:
                report.lost(NO_GOLD)
                continue
            spans = _trimmed(document, report)
            tokens, cuts = cut_tokens(split_tokens(document), spans)
            if not tokens:
                report.lost("Documents left out because they have no token: {}.")
                continue
            if cuts:
                report.lost(_CUT, count=cuts)
            if document.meta:
                report.lost(NO_META)
            sentence += 1
            units = Utf16(document.text)
            lines.write(f"\n#Text={document.text.translate(_ESCAPES)}\n")
            cells, next_id = _cells(tokens, spans, next_id)
            for place, ((start, end), cell) in enumerate(zip(tokens, cells, strict=True), start=1):
                offsets = f"{begin + units.units(start)}-{begin + units.units(end)}"
                lines.write(f"{sentence}-{place}\t{offsets}\t{document.text[start:end]}\t{cell}\t\n")
            begin += units.units(len(document.text)) + 1
            report.wrote(spans)


def _trimmed(document: WrittenDocument, report: Report) -> list[EntitySpan]:
    kept: dict[EntitySpan, None] = {}
    for span in document.spans or ():
        surface = span.surface(document.text)
        start = span.start + len(surface) - len(surface.lstrip())
        end = span.end - (len(surface) - len(surface.rstrip()))
        if start >= end:
            report.lost(_BLANK, describe(document.text, span))
            continue
        if (start, end) != (span.start, span.end):
            report.lost(_MOVED, describe(document.text, span))
        kept[EntitySpan(start, end, span.label)] = None
    return list(kept)


def _cells(tokens: Sequence[Token], spans: Sequence[EntitySpan], next_id: int) -> tuple[list[str], int]:
    """The two columns of each token, and the next free number of a span."""
    values: list[list[str]] = [[] for _ in tokens]
    covered = [[place for place, token in enumerate(tokens) if _is_in(token, span)] for span in spans]
    holders = [sum(place in places for places in covered) for place in range(len(tokens))]
    for span, places in zip(spans, covered, strict=True):
        mark = ""
        if len(places) > 1 or any(holders[place] > 1 for place in places):
            mark, next_id = f"[{next_id}]", next_id + 1
        for place in places:
            values[place].append(_RESERVED.sub(r"\\\g<0>", span.label) + mark)
    return [_cell(found) for found in values], next_id


def _cell(values: Sequence[str]) -> str:
    if not values:
        return "_\t_"
    marks = [re.search(r"(?<!\\)\[\d+\]$", value) for value in values]
    return "|".join("*" + (mark[0] if mark else "") for mark in marks) + "\t" + "|".join(values)


def _is_in(token: Token, span: EntitySpan) -> bool:
    return token[0] >= span.start and token[1] <= span.end


FORMAT = Format("webanno", (), recognises, read, write, kinds=("text", "zip"), suffix=".tsv")
