"""spaCy's DocBin (`.spacy`): tokens, entities and span groups, as `spacy train` reads them. The one file here that
knows spaCy, which is loaded when it is needed.
"""

import json
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from annotation.formats.json_values import parsed_meta
from annotation.formats.pieces import cut_tokens
from annotation.formats.reports import Report
from annotation.formats.sentences import split_tokens
from annotation.formats.shapes import Format, Progress, ReadDocument, WrittenDocument, check_text, fit_label
from annotation.formats.sources import Sample, Source
from ner.documents import EntitySpan, outermost
from ner.errors import InvalidInput, MalformedFile

_GROUP = "sc"  # the group that spaCy's span categorizer reads by default
_LARGEST = 2 << 30
_KEPT = ("ORTH", "ENT_IOB", "ENT_TYPE")
_CUT = "Tokens cut in two, as a span begins or ends inside them (spaCy aligns them when it trains): {}."
_NESTED = f"Spans that overlap another one, which are in the span group '{_GROUP}' and not among the entities: {{}}."


def recognises(sample: Sample) -> bool:
    """Whether the file is compressed as a DocBin is."""
    return sample.head[:1] == b"x"


def read(source: Source, progress: Progress | None) -> Iterator[ReadDocument]:
    """One document per Doc, which is unlabelled where its entities were never set. Spans are its entities and those
    of the span group `sc`.
    """
    packed = b"".join(source.chunks(progress))
    other_groups: set[str] = set()
    for number, doc in enumerate(_docs(packed), start=1):
        place = f"Doc {number}"
        try:
            text = check_text(doc.text, None)
            found = [*doc.ents, *doc.spans.get(_GROUP, ())]
            spans = dict.fromkeys(_span(span) for span in found)
        except MalformedFile as error:
            raise MalformedFile(f"{place}: {error.message}") from None
        except (KeyError, ValueError, IndexError, TypeError) as error:
            raise MalformedFile(f"{place} cannot be read: {_reason(error)}.") from None
        other_groups |= doc.spans.keys() - {_GROUP}
        is_labelled = bool(spans) or doc.has_annotation("ENT_IOB")
        yield ReadDocument(text, tuple(spans), parsed_meta(doc.user_data.get("meta")), is_labelled, number, place=place)
    if other_groups:
        source.notes.append(f"Span groups that are not read: {', '.join(sorted(other_groups))}.")


def write(documents: Iterable[WrittenDocument], stream: BinaryIO, report: Report) -> None:
    """Write a DocBin. The text is kept to the last blank; where spans overlap, all are in the span group `sc` and the
    outermost are the entities. Documents without settled spans have none set. Nothing is lost.
    """
    from spacy.tokens import DocBin
    from spacy.vocab import Vocab

    vocab = Vocab()
    packed = DocBin(attrs=list(_KEPT), store_user_data=True)
    for document in documents:
        packed.add(_doc(vocab, document, report))
        report.wrote(document.spans or ())
    stream.write(packed.to_bytes())


def _docs(packed: bytes) -> Iterator[Any]:
    """The documents of a DocBin, of which only tokens, entities and span groups are looked at."""
    try:
        from spacy.tokens import DocBin
        from spacy.vocab import Vocab
    except ImportError:
        raise InvalidInput("The format spacy needs the package spacy, which is not installed here.") from None
    _check_size(packed)
    try:
        found = DocBin().from_bytes(packed)
        _drop_columns(found)
        yield from found.get_docs(Vocab())
    except (KeyError, ValueError, IndexError, TypeError, AssertionError, AttributeError, OverflowError) as error:
        raise MalformedFile(f"The DocBin cannot be read: {_reason(error)}.") from None


def _check_size(packed: bytes) -> None:
    unpacker = zlib.decompressobj()
    size, rest = 0, packed
    try:
        while rest and not unpacker.eof:
            size += len(unpacker.decompress(rest, 1 << 20))
            rest = unpacker.unconsumed_tail
            if size > _LARGEST:
                raise MalformedFile(f"The DocBin unpacks to more than {_LARGEST >> 30} GB; cut it into several.")
    except zlib.error:
        raise MalformedFile("The DocBin is damaged; copy it again.") from None
    if not unpacker.eof:
        raise MalformedFile("The DocBin is cut short; copy it again.")


def _drop_columns(found: Any) -> None:
    """Leave what else the file claims (heads, tags) unread: it would have to be checked as well."""
    from spacy.attrs import intify_attr

    wanted = [attribute for name in _KEPT if (attribute := intify_attr(name)) in found.attrs]
    columns = [found.attrs.index(attribute) for attribute in wanted]
    found.tokens = [tokens[:, columns] for tokens in found.tokens]
    iob = wanted.index(intify_attr("ENT_IOB")) if intify_attr("ENT_IOB") in wanted else None
    if iob is not None and any((tokens[:, iob] > 3).any() for tokens in found.tokens):
        raise ValueError("an entity mark is none of spaCy's")
    found.attrs = wanted


def _span(span: Any) -> EntitySpan:
    if not fit_label(span.label_):
        raise MalformedFile(f"{span.label_!r:.60} is no usable label.")
    return EntitySpan(span.start_char, span.end_char, span.label_)


def _doc(vocab: Any, document: WrittenDocument, report: Report) -> Any:
    from spacy.tokens import Doc

    spans = document.spans or ()
    words, spaces = _words(document, spans, report)
    doc = Doc(vocab, words=words, spaces=spaces)
    if document.meta:
        doc.user_data["meta"] = json.dumps(document.meta)
    if document.spans is not None:
        flat = outermost(spans)
        doc.set_ents([doc.char_span(span.start, span.end, label=span.label) for span in flat], default="outside")
        if len(flat) < len(spans):
            report.lost(_NESTED, count=len(spans) - len(flat))
            doc.spans[_GROUP] = [doc.char_span(span.start, span.end, label=span.label) for span in spans]
    return doc


def _words(document: WrittenDocument, spans: Iterable[EntitySpan], report: Report) -> tuple[list[str], list[bool]]:
    """Tokens that cover every character: one blank belongs to the token before it, as in spaCy, unless a span begins
    or ends at it; other blanks are tokens of their own.
    """
    spans = list(spans)
    tokens, cuts = cut_tokens(split_tokens(document), spans)
    if cuts:
        report.lost(_CUT, count=cuts)
    borders = {border for span in spans for border in (span.start, span.end)}
    words: list[str] = []
    spaces: list[bool] = []
    position = 0
    for start, end in [*tokens, (len(document.text), len(document.text))]:
        # A span that begins behind the blank does not need it; one that ends behind it, or begins at it, does.
        touches = any(span.start == position or span.end == position + 1 for span in spans) if spans else False
        if words and position < start and document.text[position] == " " and not touches:
            spaces[-1] = True
            position += 1
        if position < start:
            for first, last in cut_tokens([(position, start)], spans)[0] if borders else [(position, start)]:
                words.append(document.text[first:last])
                spaces.append(False)
        if start < end:
            words.append(document.text[start:end])
            spaces.append(False)
        position = end
    return words, spaces


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200].rstrip(".") or type(error).__name__


FORMAT = Format("spacy", (".spacy",), recognises, read, write, kinds=("binary",))
