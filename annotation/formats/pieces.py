"""Tokens that never cross the border of a span, for formats that hold spans as runs of tokens."""

import itertools
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from ner.documents import EntitySpan
from ner.tokens import Token


def cut_tokens(tokens: Sequence[Token], spans: Iterable[EntitySpan]) -> tuple[list[Token], int]:
    """(the tokens, cut where a span begins or ends inside one; how many tokens were cut)."""
    borders = sorted({border for span in spans for border in (span.start, span.end)})
    pieces: list[Token] = []
    cuts = 0
    for start, end in tokens:
        inner = borders[bisect_left(borders, start + 1) : bisect_left(borders, end)]
        cuts += bool(inner)
        edges = [start, *inner, end]
        pieces.extend(itertools.pairwise(edges))
    return pieces, cuts
