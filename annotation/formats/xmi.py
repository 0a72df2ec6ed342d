"""UIMA CAS XMI, as INCEpTION and other UIMA tools write it: one `.xmi` for each document and a type system, zipped."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import BinaryIO
from xml.etree.ElementTree import Element

from annotation.formats.archives import Archive, archive_into, within
from annotation.formats.offsets import Utf16, checked_span
from annotation.formats.reports import NO_GOLD, NO_META, UNFIT_SIGNS, Report
from annotation.formats.shapes import Format, Progress, ReadDocument, WrittenDocument, check_text, fit_label
from annotation.formats.sources import Sample, Source
from annotation.formats.xml_elements import fit_for_xml, local_name, quoted, xml_elements
from ner.documents import EntitySpan
from ner.errors import MalformedFile

_NER = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
_TYPE_SYSTEM = f"""<?xml version="1.0" encoding="UTF-8"?>
<typeSystemDescription xmlns="http://uima.apache.org/resourceSpecifier">
<types><typeDescription><name>{_NER}</name><description/><supertypeName>uima.tcas.Annotation</supertypeName>
<features>
<featureDescription><name>value</name><description/><rangeTypeName>uima.cas.String</rangeTypeName></featureDescription>
<featureDescription><name>identifier</name><description/><rangeTypeName>uima.cas.String</rangeTypeName>\
</featureDescription>
</features></typeDescription></types>
</typeSystemDescription>
"""
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<xmi:XMI xmlns:xmi="http://www.omg.org/XMI" '
    'xmlns:cas="http:///uima/cas.ecore" '
    'xmlns:ner="http:///de/tudarmstadt/ukp/dkpro/core/api/ner/type.ecore" xmi:version="2.0">\n'
    '<cas:NULL xmi:id="0"/>\n'
)
_CUSTOM = "http:///webanno/custom.ecore"
_VIEW = "_InitialView"


def recognises(sample: Sample) -> bool:
    """Whether the archive, or the file, holds XMI."""
    if sample.kind == "zip":
        return any(name.endswith(".xmi") for name in sample.names)
    text = "\n".join(sample.lines[:20])
    return text.lstrip().startswith("<") and "http://www.omg.org/XMI" in text


def read(source: Source, progress: Progress | None) -> Iterator[ReadDocument]:
    """One document per `.xmi`, by name, of the first view. Read are NamedEntity annotations, or, where there are none,
    those of custom layers with a `value` or `label`; offsets are UTF-16 units, as UIMA counts.
    """
    unread: Counter[str] = Counter()
    size = source.path.stat().st_size
    if source.kind == "text":
        yield _document(source.chunks(progress), 1, source.name, unread)
    else:
        with Archive(source.path) as archive:
            names = [name for name in archive.names if name.endswith(".xmi")]
            if not names:
                raise MalformedFile("The archive holds no .xmi file.")
            for number, name in enumerate(names, start=1):
                with within(name), archive.opened(name) as stream:
                    document = _document(iter(lambda: stream.read(1 << 16), b""), number, name, unread)
                yield document
                if progress and number % 200 == 0:
                    progress(size * number // len(names), size)
    if unread:
        kinds = ", ".join(f"{name} {count:,}" for name, count in unread.most_common(5))
        source.notes.append(f"Annotations of other layers, or without a label, which are not read: {kinds}.")


def write(documents: Iterable[WrittenDocument], stream: BinaryIO, report: Report) -> None:
    """Write `TypeSystem.xml`, `000001.xmi` and so on. Texts and spans are kept, nested ones too."""
    with archive_into(stream) as archive:
        archive.add("TypeSystem.xml", _TYPE_SYSTEM)
        number = 0
        for document in documents:
            if document.spans is None:
                report.lost(NO_GOLD)
                continue
            if document.meta:
                report.lost(NO_META)
            number += 1
            text, unfit = fit_for_xml(document.text)
            if unfit:
                report.lost(UNFIT_SIGNS, count=unfit)
            archive.add(f"{number:06}.xmi", _written(text, document.spans))
            report.wrote(document.spans)


def _written(text: str, spans: Iterable[EntitySpan]) -> str:
    units = Utf16(text)
    lines, members = [_HEAD], []
    for place, span in enumerate(spans, start=2):
        members.append(str(place))
        lines.append(
            f'<ner:NamedEntity xmi:id="{place}" sofa="1" begin="{units.units(span.start)}" '
            f'end="{units.units(span.end)}" value="{quoted(span.label)}"/>\n'
        )
    lines.append(
        f'<cas:Sofa xmi:id="1" sofaNum="1" sofaID="{_VIEW}" mimeType="text" sofaString="{quoted(text)}"/>\n'
        f'<cas:View sofa="1" members="{" ".join(members)}"/>\n</xmi:XMI>\n'
    )
    return "".join(lines)


def _document(chunks: Iterable[bytes], number: int, name: str, unread: Counter[str]) -> ReadDocument:
    sofas: dict[str, Element] = {}
    entities: list[tuple[int, Element]] = []
    custom: list[tuple[int, Element]] = []
    for line, element in xml_elements(chunks):
        kind = local_name(element)
        if kind == "Sofa":
            sofas[_xmi_id(element)] = element
        elif kind == "NamedEntity":
            entities.append((line, element))
        elif element.tag.startswith("{" + _CUSTOM) and "begin" in element.attrib:
            custom.append((line, element))
    if not sofas:
        raise MalformedFile("the file has no Sofa element, which holds the text.")
    chosen = next((sofa for sofa in sofas.values() if sofa.get("sofaID") == _VIEW), next(iter(sofas.values())))
    text = check_text(chosen.get("sofaString", ""), None)
    spans: dict[EntitySpan, None] = {}
    for line, element in entities or custom:
        label = element.get("value") or element.get("label")
        if not label or element.get("sofa") != _xmi_id(chosen):
            unread[local_name(element)] += 1
        else:
            spans[_span(element, label, text, line)] = None
    unread.update(local_name(element) for _, element in (custom if entities else []))
    return ReadDocument(text, tuple(spans), {}, True, number, place=name)


def _xmi_id(element: Element) -> str:
    return element.get("{http://www.omg.org/XMI}id", "")


def _span(element: Element, label: str, text: str, line: int) -> EntitySpan:
    begin, end = element.get("begin", ""), element.get("end", "")
    if not (begin.isdecimal() and end.isdecimal()) or len(begin + end) > 24:
        raise MalformedFile(f"begin {begin!r:.30} and end {end!r:.30} are not whole numbers.", line=line)
    if not fit_label(label):
        raise MalformedFile(f"{label!r:.60} is no usable label.", line=line)
    units = Utf16(text)
    start_place, end_place = units.characters(int(begin)), units.characters(int(end))
    if start_place is None or end_place is None:
        raise MalformedFile(f"the span [{begin}, {end}) leaves the text or cuts a character in two.", line=line)
    return checked_span(text, start_place, end_place, label, None, line)


FORMAT = Format("xmi", (".xmi",), recognises, read, write, kinds=("zip", "text"), suffix=".zip")
