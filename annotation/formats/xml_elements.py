"""XML from outside, read element by element: no entities, no files from elsewhere, no bottomless nesting."""

import re
from collections.abc import Iterable, Iterator
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from ner.errors import MalformedFile

_DEEPEST = 100
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def xml_elements(chunks: Iterable[bytes], name: str | None = None) -> Iterator[tuple[int, Element]]:
    """(line, element) for each element of that name, or, without a name, for each child of the root.

    Elements are given one by one and kept no longer. Tags are `{namespace}name`. Raises MalformedFile with the line.
    """
    reader = _Reader(name)
    try:
        for chunk in chunks:
            reader.parser.Parse(chunk, False)
            yield from reader.taken()
        reader.parser.Parse(b"", True)
        yield from reader.taken()
    except expat.ExpatError as error:
        said = expat.errors.messages.get(error.code, "it cannot be read")
        raise MalformedFile(f"the XML is broken: {said}.", line=error.lineno) from None


def local_name(element: Element) -> str:
    """The element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def fit_for_xml(text: str) -> tuple[str, int]:
    """(the text with U+FFFD where XML allows no such character, how many those were). Its length stays."""
    return _UNFIT.subn("\ufffd", text)


def quoted(text: str) -> str:
    """Text for an element or an attribute, which comes back character by character, line breaks included."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return text.replace("\r", "&#13;").replace("\n", "&#10;").replace("\t", "&#9;")


class _Reader:
    """Builds the elements that are wanted, and lets everything around them go."""

    def __init__(self, name: str | None) -> None:
        self._name = name
        self._depth = 0
        self._builder: TreeBuilder | None = None
        self._begun_at = (0, 0)
        self._done: list[tuple[int, Element]] = []
        self.parser = parser = expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.EntityDeclHandler = self._refuse_entity
        parser.ExternalEntityRefHandler = self._refuse_entity
        parser.SkippedEntityHandler = self._refuse_entity
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)

    def taken(self) -> Iterator[tuple[int, Element]]:
        """What was completed since the last time."""
        done, self._done = self._done, []
        yield from done

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise MalformedFile(f"elements nest deeper than {_DEEPEST} levels.", line=self.parser.CurrentLineNumber)
        wanted = name.rpartition("}")[2] == self._name if self._name else self._depth == 2
        if self._builder is None and wanted:
            self._builder = TreeBuilder()
            self._begun_at = (self._depth, self.parser.CurrentLineNumber)
        if self._builder is not None:
            self._builder.start(_qualified(name), {_qualified(key): value for key, value in attributes.items()})

    def _end(self, name: str) -> None:
        if self._builder is not None:
            self._builder.end(_qualified(name))
            depth, line = self._begun_at
            if self._depth == depth:
                self._done.append((line, self._builder.close()))
                self._builder = None
        self._depth -= 1

    def _text(self, text: str) -> None:
        if self._builder is not None:
            self._builder.data(text)

    def _refuse_entity(self, *_: object) -> NoReturn:
        raise MalformedFile(
            "the XML declares or uses entities of its own, which are not read.", line=self.parser.CurrentLineNumber
        )


def _qualified(name: str) -> str:
    return "{" + name if "}" in name else name
