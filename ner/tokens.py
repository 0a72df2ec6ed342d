"""Text to tokens, and tokens to sentences: the one segmentation that training and serving share.

A token is a `(start, end)` pair of character offsets. Tokens never hold whitespace, so spans of any
corpus whose tokens are separated by blanks fall on token borders.
"""

import re
from collections.abc import Sequence
from typing import NewType

from ner.documents import EntitySpan

Token = tuple[int, int]
Sentence = NewType("Sentence", tuple[int, int])

_ABBREVIATIONS = (
    "Mr|Mrs|Ms|Dr|Prof|Rev|Gen|Col|Lt|Sgt|Capt|Maj|Cmdr|Adm|Sen|Rep|Gov|Pres|Hon|St|Jr|Sr|"
    "Inc|Corp|Co|Ltd|Bros|vs|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec|Mt|Ft|Ave|Blvd"
)
# Scripts written without blanks between words: each character is a token of its own.
_UNSPACED = (
    r"\u0e00-\u0e7f\u0e80-\u0eff\u1000-\u109f\u1780-\u17ff"
    r"\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\U00020000-\U0003134f"
)
_MARKS = r"\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u00ad\u200c\u200d\ufe00-\ufe0f"
# Devanagari and its neighbours write vowels as combining signs that `\w` does not cover.
_INDIC = r"\u0900-\u0dff"
_LETTER = rf"(?:(?![{_UNSPACED}])[^\W\d_]|[{_MARKS}{_INDIC}])"
# What the rules below would say of it too, one character at a time.
_PLAIN = "[A-Za-z]++(?=[ ,;:])"
_TOKEN = re.compile(
    rf"""
    {_PLAIN}                                        # most words of most texts, at once
  | [{_UNSPACED}][{_MARKS}]*                          # one character of an unspaced script
  | (?:{_LETTER}\.){{2,}}(?:{_LETTER}(?![\w]))?       # U.S.  U.N  e.g.
  | (?:{_ABBREVIATIONS})\.(?=\s*\S)                   # Mr. Smith, Corp. said
  | [A-Z]\.(?=\s*[A-Z][^\W\d_]|\s*[A-Z]\.)            # J. Smith
  | \d+(?:[.,:]\d+)*                                  # 10,000  3.5  12:30
  | ['\u2019](?:s|S|re|ve|ll|d|m|t)(?!\w)             # the clitic of "Obama's"
  | (?:{_LETTER}|[{_MARKS}])+                         # a word
  | \S                                                # anything else, one character at a time
    """,
    re.VERBOSE,
)
_SENTENCE_END = re.compile(r"^[.!?\u3002\uff01\uff1f\u2026]+$")
_MAY_END = re.compile(r"[.!?\u3002\uff01\uff1f\u2026\n\r\u2028\u2029]")
_CLOSERS = frozenset("\"')]}\u2019\u201d\u00bb\u300d\u300f\uff09")


def tokenize(text: str) -> list[Token]:
    """Character offsets of the tokens of `text`, in order, none empty, none overlapping."""
    return [match.span() for match in _TOKEN.finditer(text)]


def words(text: str, tokens: Sequence[Token]) -> list[str]:
    """The surface of each token."""
    return [text[start:end] for start, end in tokens]


def sentences(text: str, tokens: Sequence[Token], *, longest: int = 128) -> list[Sentence]:
    """Cut a token sequence at sentence borders: half-open ranges of token indices covering all tokens.

    A border is a line break or sentence-final punctuation (with the quotes that close it). A sentence above
    `longest` tokens is cut at its last comma-like token in the window, or at the window's end.
    """
    ranges: list[Sentence] = []
    first = 0
    # Most texts are one sentence, which a search tells ten times sooner than a look at each token.
    holds_several = bool(tokens) and _MAY_END.search(text, 0, tokens[-1][0]) is not None
    for index in range(len(tokens) if holds_several else 0):
        if _ends_sentence(text, tokens, index):
            _append_windows(text, tokens, first, index + 1, longest, ranges)
            first = index + 1
    _append_windows(text, tokens, first, len(tokens), longest, ranges)
    return ranges


def _ends_sentence(text: str, tokens: Sequence[Token], index: int) -> bool:
    if index + 1 == len(tokens):
        return True
    gap = text[tokens[index][1] : tokens[index + 1][0]]
    if "\n" in gap or "\r" in gap or "\u2028" in gap or "\u2029" in gap:
        return True
    following = text[tokens[index + 1][0]]
    if following in _CLOSERS or _SENTENCE_END.match(following):
        return False
    last = index
    while last > 0 and text[tokens[last][0]] in _CLOSERS:
        last -= 1
    surface = text[tokens[last][0] : tokens[last][1]]
    if not _SENTENCE_END.match(surface):
        return False
    return bool(gap) or surface not in {".", "!", "?"}


def _append_windows(
    text: str, tokens: Sequence[Token], first: int, last: int, longest: int, ranges: list[Sentence]
) -> None:
    while last - first > longest:
        cut = first + longest
        for index in range(cut - 1, first + longest // 2, -1):
            if text[tokens[index][0]] in ",;:\u2014\u3001\uff0c\uff1b":
                cut = index + 1
                break
        ranges.append(Sentence((first, cut)))
        first = cut
    if last > first:
        ranges.append(Sentence((first, last)))


def align(tokens: Sequence[Token], spans: Sequence[EntitySpan]) -> tuple[list[tuple[int, int, str]], list[EntitySpan]]:
    """Character spans to token ranges.

    Returns `(aligned, misaligned)`: aligned are `(first, end, label)` half-open token ranges; misaligned are
    the spans whose borders fall inside a token or on no token at all, to be reported by the caller.
    """
    starts = {start: index for index, (start, _) in enumerate(tokens)}
    ends = {end: index + 1 for index, (_, end) in enumerate(tokens)}
    aligned, misaligned = [], []
    for span in spans:
        if span.start in starts and span.end in ends:
            aligned.append((starts[span.start], ends[span.end], span.label))
        else:
            misaligned.append(span)
    return aligned, misaligned
