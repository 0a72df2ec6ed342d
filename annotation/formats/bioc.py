"""BioC XML: a collection of documents, each of passages with a text, its offset and annotations."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO
from xml.etree.ElementTree import Element

from annotation.formats.offsets import SpanChecker
from annotation.formats.reports import UNFIT_SIGNS, Report
from annotation.formats.shapes import Format, Progress, ReadDocument, WrittenDocument, check_text
from annotation.formats.sources import Sample, Source
from annotation.formats.writing import text_into
from annotation.formats.xml_elements import fit_for_xml, quoted, xml_elements
from ner.documents import EntitySpan
from ner.errors import MalformedFile

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE collection SYSTEM "BioC.dtd">\n'
    "<collection><source></source><date></date><key></key>\n"
)
_UNLABELLED = "unlabelled"
_NOTES = {
    "pieces": "Annotations in several pieces, each read as one span from the first piece to the last: {:,}.",
    "relations": "Relations, which are not read: {:,}.",
}


def recognises(sample: Sample) -> bool:
    """Whether the first element is a BioC collection."""
    text = "\n".join(sample.lines[:50])
    return text.lstrip().startswith("<") and "<collection" in text


def read(source: Source, progress: Progress | None) -> Iterator[ReadDocument]:
    """One document per passage, or per sentence of a passage that has no text of its own. What the infons say, and
    the name of the document, are kept as meta.
    """
    spans_of_text = SpanChecker()
    counts = dict.fromkeys(_NOTES, 0)
    for line, document in xml_elements(source.chunks(progress), "document"):
        name = document.findtext("id") or ""
        counts["relations"] += sum(1 for _ in document.iter("relation"))
        for number, passage in enumerate(document.findall("passage"), start=1):
            parts = [passage] if passage.find("text") is not None else passage.findall("sentence")
            for part in parts:
                place = f"Line {line}: document '{name}', passage {number}"
                yield _document(part, name, line, place, spans_of_text, counts)
    source.notes.extend(spans_of_text.notes())
    source.notes.extend(_NOTES[kind].format(count) for kind, count in counts.items() if count)


def write(documents: Iterable[WrittenDocument], stream: BinaryIO, report: Report) -> None:
    """Write UTF-8, a document with one passage for each; offsets count characters. Where XML can hold the characters
    of a text, nothing is lost.
    """
    with text_into(stream) as lines:
        lines.write(_HEAD)
        for number, document in enumerate(documents, start=1):
            text, unfit = fit_for_xml(document.text)
            if unfit:
                report.lost(UNFIT_SIGNS, count=unfit)
            infons = {"meta": json.dumps(document.meta)} if document.meta else {}
            if document.spans is None:
                infons[_UNLABELLED] = "true"
            marked = [_annotation(text, span, place) for place, span in enumerate(document.spans or (), 1)]
            lines.write(
                f"<document><id>{number}</id><passage>{_infons(infons)}<offset>0</offset>"
                f"<text>{quoted(text)}</text>{''.join(marked)}</passage></document>\n"
            )
            report.wrote(document.spans or ())
        lines.write("</collection>\n")


def _document(
    part: Element, name: str, line: int, place: str, spans_of_text: SpanChecker, counts: dict[str, int]
) -> ReadDocument:
    infons = {infon.get("key", ""): infon.text or "" for infon in part.findall("infon")}
    try:
        text = check_text(part.findtext("text") or "", None)
        offset = _number(part.findtext("offset"))
        spans = dict.fromkeys(_span(found, text, offset, spans_of_text, counts) for found in part.findall("annotation"))
    except MalformedFile as error:
        raise MalformedFile(f"{place.removeprefix(f'Line {line}: ')}: {error.message}", line=line) from None
    is_labelled = infons.pop(_UNLABELLED, "") != "true"
    return ReadDocument(text, tuple(spans), _meta(infons, name), is_labelled, line, place=place)


def _span(
    annotation: Element, text: str, offset: int, spans_of_text: SpanChecker, counts: dict[str, int]
) -> EntitySpan:
    locations = [(_number(it.get("offset")), _number(it.get("length"))) for it in annotation.findall("location")]
    if not locations:
        raise MalformedFile(f"the annotation '{annotation.get('id')}' has no location.")
    infons = {infon.get("key"): infon.text or "" for infon in annotation.findall("infon")}
    label = infons.get("type") or next(iter(infons.values()), "")
    start = min(first for first, _ in locations) - offset
    end = max(first + length for first, length in locations) - offset
    counts["pieces"] += len(locations) > 1
    surface = annotation.findtext("text") if len(locations) == 1 else None
    if start < 0:
        raise MalformedFile(f"the annotation '{annotation.get('id')}' begins before its passage.")
    return spans_of_text.span(text, start, end, label, surface or None, 0)


def _number(digits: str | None) -> int:
    digits = (digits or "").strip()
    if not digits.isdecimal() or len(digits) > 12:
        raise MalformedFile(f"an offset or a length is no whole number: {digits!r:.40}.")
    return int(digits)


def _meta(infons: dict[str, str], name: str) -> dict[str, Any]:
    """Our own meta where the file was written here, else what the file says beside the text."""
    try:
        own = json.loads(infons["meta"])
    except (KeyError, ValueError, RecursionError):
        return {**infons, **({"document": name} if infons else {})}
    return own if isinstance(own, dict) else dict(infons)


def _infons(infons: dict[str, str]) -> str:
    return "".join(f'<infon key="{quoted(key)}">{quoted(value)}</infon>' for key, value in infons.items())


def _annotation(text: str, span: EntitySpan, place: int) -> str:
    return (
        f'<annotation id="T{place}"><infon key="type">{quoted(span.label)}</infon>'
        f'<location offset="{span.start}" length="{span.end - span.start}"/>'
        f"<text>{quoted(span.surface(text))}</text></annotation>"
    )


FORMAT = Format("bioc", (), recognises, read, write, suffix=".xml")
