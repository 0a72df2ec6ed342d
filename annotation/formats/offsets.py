"""Offsets of other tools: checked against what they are said to cover, and counted in characters."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

from annotation.formats.shapes import fit_label
from ner.documents import EntitySpan
from ner.errors import InvalidSpan, MalformedFile

UTF16_NOTE = "Spans whose offsets counted UTF-16 units, put right by the text they cover: {:,}."


class Utf16:
    """Places in a text by characters, as Python counts, and by UTF-16 units, as Java and JavaScript do."""

    def __init__(self, text: str) -> None:
        self._length = len(text)
        # Where each character above the basic plane stands, in characters: it is two units long.
        self._wide = [] if text.isascii() else [place for place, sign in enumerate(text) if sign > "\uffff"]
        self._wide_units = [place + order for order, place in enumerate(self._wide)]

    def units(self, place: int) -> int:
        """Characters to units."""
        return place + bisect_left(self._wide, place)

    def characters(self, units: int) -> int | None:
        """Units to characters; None inside a character or behind the text."""
        before = bisect_left(self._wide_units, units)
        place = units - before
        is_inside = before > 0 and self._wide_units[before - 1] + 1 == units
        return None if is_inside or place > self._length else place


@dataclass(slots=True)
class SpanChecker:
    """Makes spans of one text after another; `converted` counts those whose offsets were UTF-16 units.

    `normalized` says what of a surface counts, for formats that write line breaks as blanks.
    """

    normalized: Callable[[str], str] = str
    converted: int = 0

    def span(self, text: str, start: object, end: object, label: object, surface: object, line: int) -> EntitySpan:
        """The span, by characters or, where only these cover `surface`, by UTF-16 units. Raises MalformedFile."""
        if type(start) is not int or type(end) is not int:
            raise MalformedFile("the offsets of a span are not whole numbers.", line=line)
        if not isinstance(label, str) or not fit_label(label):
            raise MalformedFile(f"{label!r:.60} is no usable label of a span.", line=line)
        if isinstance(surface, str) and not self._covers(text, start, end, surface) and not text.isascii():
            table = Utf16(text)
            first, last = table.characters(start), table.characters(end)
            if first is not None and last is not None and self._covers(text, first, last, surface):
                self.converted += 1
                return checked_span(text, first, last, label, None, line)
        said = surface if isinstance(surface, str) and not self._covers(text, start, end, surface) else None
        return checked_span(text, start, end, label, said, line)

    def notes(self) -> list[str]:
        """What was converted, in a sentence."""
        return [UTF16_NOTE.format(self.converted)] if self.converted else []

    def _covers(self, text: str, start: int, end: int, surface: str) -> bool:
        return 0 <= start < end <= len(text) and self.normalized(text[start:end]) == self.normalized(surface)


def checked_span(text: str, start: int, end: int, label: str, surface: object, line: int) -> EntitySpan:
    """The span, unless it leaves the text or covers other characters than `surface` (where that is given)."""
    try:
        span = EntitySpan(start, end, label)
    except InvalidSpan as error:
        raise MalformedFile(error.message, line=line) from None
    if end > len(text):
        raise MalformedFile(
            f"the span [{start}, {end}) ends after the text, which has {len(text)} characters.", line=line
        )
    if surface is not None and surface != span.surface(text):
        raise MalformedFile(
            f"the span [{start}, {end}) is said to cover {surface!r}, but covers {span.surface(text)!r}; "
            "offsets count characters from 0.",
            line=line,
        )
    return span
