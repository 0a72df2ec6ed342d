"""A long text in pieces that a model reads one at a time, cut so that no entity is lost at a cut."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ner.tokens import Token, sentences

LONGEST = 128
"""Tokens that are read at once."""
OVERLAP = 32
"""Tokens that two windows of one sentence share. An entity up to half as long is always seen whole, with context."""


@dataclass(frozen=True, slots=True)
class Window:
    """Token indices: `[first, end)` is read, and entities that start in `[core_first, core_end)` are answered."""

    first: int
    end: int
    core_first: int
    core_end: int

    @property
    def length(self) -> int:
        return self.end - self.first


def windows(text: str, tokens: Sequence[Token]) -> list[Window]:
    """One window for each sentence, and several that overlap for one of more than `LONGEST` tokens.

    Their cores cover every token once, in order.
    """
    found: list[Window] = []
    for first, end in sentences(text, tokens, longest=sys.maxsize):
        if end - first <= LONGEST:
            found.append(Window(first, end, first, end))
        else:
            found.extend(_overlapping(first, end))
    return found


def _overlapping(first: int, end: int) -> Iterator[Window]:
    core_first = start = first
    while end - start > LONGEST:
        core_end = start + LONGEST - OVERLAP // 2
        yield Window(start, start + LONGEST, core_first, core_end)
        start += LONGEST - OVERLAP
        core_first = core_end
    yield Window(start, end, core_first, end)
