"""Tagged tokens to documents and back: what the GMB and CoNLL formats share."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from annotation.formats.reports import NO_GOLD, Report, describe
from annotation.formats.shapes import ReadDocument, WrittenDocument, check_text, fit_label
from annotation.formats.transitions import without_orphans
from ner.documents import EntitySpan, outermost
from ner.errors import MalformedFile
from ner.tags import SCHEMES, SchemeName, decode_tags, encode_tags, split_tag
from ner.tokens import Token, align, tokenize, words

_LETTERS = frozenset("".join(scheme.begin + scheme.inside + scheme.end + scheme.single for scheme in SCHEMES.values()))
_NOT_IN_A_COLUMN = re.compile(r"[\t\r\n ]")
_OVERLAPS = "Spans left out because they overlap another one, where token tags hold one span at a place: {}."
_MISALIGNED = "Spans left out because they begin or end inside a token: {}."
_BLANKS = "Documents whose blanks and line breaks between tokens are not kept: {}."


def check_tag(tag: str, line: int) -> None:
    """Raises MalformedFile when `tag` is not O, nor a letter of a known scheme, a dash and a label."""
    try:
        letter, label = split_tag(tag)
    except ValueError as error:
        raise MalformedFile(str(error), line=line) from None
    if letter != "O" and (letter not in _LETTERS or not fit_label(label)):
        raise MalformedFile(f"'{tag}' is not a tag: expected O, or a tag such as B-per.", line=line)


def read_sentence(
    tokens: Sequence[str], tags: Sequence[str], scheme: SchemeName, joined_by: str, meta: dict[str, Any], line: int
) -> ReadDocument:
    """A document whose text is the tokens joined by `joined_by`."""
    places: list[Token] = []
    start = 0
    for token in tokens:
        places.append((start, start + len(token)))
        start += len(token) + len(joined_by)
    spans = tuple(
        EntitySpan(places[first][0], places[end - 1][1], label)
        for first, end, label in decode_tags(without_orphans(tags, scheme), scheme)
    )
    return ReadDocument(check_text(joined_by.join(tokens), line), spans, meta | {"joined_by": joined_by}, True, line)


def tag_documents(
    documents: Iterable[WrittenDocument], report: Report, scheme: SchemeName = "IOB2"
) -> Iterator[tuple[WrittenDocument, list[str], list[str]]]:
    """(document, tokens, tags) of the documents that have settled spans; `report` learns of the rest."""
    for document in documents:
        if document.spans is None:
            report.lost(NO_GOLD)
            continue
        tokens = split_tokens(document)
        if not tokens:
            report.lost("Documents left out because they have no token: {}.")
            continue
        surfaces = words(document.text, tokens)
        joined_by = "" if document.meta.get("joined_by") == "" else " "
        if joined_by.join(surfaces) != document.text:
            report.lost(_BLANKS)
        yield document, surfaces, _tags(document, tokens, report, scheme)


def split_tokens(document: WrittenDocument) -> list[Token]:
    """The tokens that the document was imported with where that is known and still holds, else `ner.tokens`."""
    joined_by = document.meta.get("joined_by")
    pieces: list[str] = []
    if joined_by == " ":
        pieces = document.text.split(" ")
    elif joined_by == "":
        pieces = list(document.text)
    if not pieces or any(not piece or _NOT_IN_A_COLUMN.search(piece) for piece in pieces):
        return tokenize(document.text)
    tokens: list[Token] = []
    start = 0
    for piece in pieces:
        tokens.append((start, start + len(piece)))
        start += len(piece) + len(joined_by or "")
    return tokens


def _tags(document: WrittenDocument, tokens: Sequence[Token], report: Report, scheme: SchemeName) -> list[str]:
    spans = document.spans or ()
    flat = outermost(spans)
    aligned, misaligned = align(tokens, flat)
    for span in sorted(set(spans) - set(flat)):
        report.lost(_OVERLAPS, describe(document.text, span))
    for span in misaligned:
        report.lost(_MISALIGNED, describe(document.text, span))
    report.wrote(span for span in flat if span not in misaligned)
    return encode_tags(len(tokens), aligned, scheme)
