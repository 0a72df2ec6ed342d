"""CoNLL columns: a token and its tag on each line, a blank line behind each sentence."""

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from annotation.formats.columns import looks_tagged, survey, tagged_sentences
from annotation.formats.positions import without_positions
from annotation.formats.reports import Report
from annotation.formats.sentences import read_sentence, tag_documents
from annotation.formats.shapes import Format, Progress, ReadDocument, WrittenDocument
from annotation.formats.sources import Source
from annotation.formats.writing import blank_line_before_mark, text_into
from ner.tags import SchemeName


def read(source: Source, progress: Progress | None) -> Iterator[ReadDocument]:
    """One document per sentence, with `group` in its meta where the file has -DOCSTART- lines.

    The file is read twice: once to find its layout and to check every row, once for the sentences.
    """
    layout = survey(source)
    for sentence in tagged_sentences(source, layout.columns, source.lines(progress)):
        tokens = without_positions(sentence.tokens) if layout.has_position_digits else sentence.tokens
        meta: dict[str, Any] = {"group": sentence.group} if sentence.group else {}
        yield read_sentence(tokens, sentence.tags, layout.scheme, layout.joined_by, meta, sentence.line)


def write(documents: Iterable[WrittenDocument], stream: BinaryIO, report: Report, scheme: SchemeName = "IOB2") -> None:
    """Write UTF-8: token, tab, tag; a -DOCSTART- line where the group of sentences changes."""
    group: object = None
    with text_into(stream) as text:
        for document, tokens, tags in tag_documents(documents, report, scheme):
            if report.documents == 1:
                text.write(blank_line_before_mark(tokens[0]))
            if document.meta.get("group") != group:
                group = document.meta.get("group")
                text.write("-DOCSTART-\tO\n\n")
            text.writelines(f"{token}\t{tag}\n" for token, tag in zip(tokens, tags, strict=True))
            text.write("\n")


FORMAT = Format("conll", (".conll", ".bio", ".iob", ".iob2", ".bmes", ".tsv", ".tags"), looks_tagged, read, write)
