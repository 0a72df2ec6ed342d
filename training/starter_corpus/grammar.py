"""The little language of frames, and how a frame becomes text with spans.

{city}       a filler of the slot, labelled with the slot's label
{=city}      the same words without a label
{~org}       without the article that some names bring along ("the Taliban")
<a|b|c>      one of these, each as likely
[x]          x, or nothing
a/an         the article that fits the next word
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from ner.documents import EntitySpan, LabelledText

Piece = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Literal:
    """Words as written."""

    text: str


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for a name or a word."""

    name: str
    is_labelled: bool = True
    takes_article: bool = True


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several sequences."""

    options: tuple["Sequence", ...]


Node = Literal | Slot | Choice
Sequence = tuple[Node, ...]
Fill = Callable[[Slot, Random], list[Piece]]

_MARK = re.compile(r"\{([=~]?)(\w+)\}|([<>\[\]|])")
_ARTICLE = re.compile(r"\b([Aa])/an(?= *$| +\W?\w)")
_VOWEL_SOUND = re.compile(
    r"\W*(?:[aeioAEIO](?!u?ne?\b)(?!urop)|u(?!ni|s[aeiu]|ti|kr|ga)|U(?!\.|ni|kr|ga|S)|hon|hour|heir|8|11\b|18\b|[FHLMNRSX](?:[A-Z]|\.))"
)


def parse(line: str) -> Sequence:
    """The nodes of a frame. Raises ValueError for brackets that do not match."""
    marks = list(_tokens(line))
    sequence, position = _parse_sequence(marks, 0, "")
    if position != len(marks):
        raise ValueError(f"A bracket closes nothing in this frame: {line}")
    return sequence


def _tokens(line: str) -> Iterator[str | Slot]:
    """Literal text, brackets as one character after a NUL, and slots."""
    end = 0
    for mark in _MARK.finditer(line):
        if mark.start() > end:
            yield line[end : mark.start()]
        end = mark.end()
        if mark[2]:
            yield Slot(mark[2], is_labelled=mark[1] != "=", takes_article=mark[1] != "~")
        else:
            yield "\0" + mark[3]
    if end < len(line):
        yield line[end:]


def _parse_sequence(marks: list[str | Slot], position: int, closer: str) -> tuple[Sequence, int]:
    nodes: list[Node] = []
    while position < len(marks):
        mark = marks[position]
        if isinstance(mark, Slot):
            nodes.append(mark)
        elif mark in ("\0<", "\0["):
            choice, position = _parse_choice(marks, position + 1, "\0>" if mark == "\0<" else "\0]")
            nodes.append(choice)
        elif mark.startswith("\0"):
            break
        else:
            nodes.append(Literal(mark))
        position += 1
    if closer and position == len(marks):
        raise ValueError("A bracket of this frame is never closed.")
    return tuple(nodes), position


def _parse_choice(marks: list[str | Slot], position: int, closer: str) -> tuple[Choice, int]:
    options: list[Sequence] = []
    while True:
        sequence, position = _parse_sequence(marks, position, closer)
        options.append(sequence)
        if marks[position] == closer:
            break
        if marks[position] != "\0|":
            raise ValueError("Brackets of two kinds cross in this frame.")
        position += 1
    return Choice((*options, ()) if closer == "\0]" else tuple(options)), position


def expand(sequence: Sequence, fill: Fill, random: Random) -> Iterator[Piece]:
    """The pieces of one random reading of the frame."""
    for node in sequence:
        if isinstance(node, Literal):
            yield node.text, None
        elif isinstance(node, Slot):
            yield from fill(node, random)
        else:
            yield from expand(random.choice(node.options), fill, random)


def join(pieces: list[Piece]) -> LabelledText:
    """Pieces to one text: articles resolved, blanks single, the first letter a capital."""
    resolved: list[Piece] = []
    following = ""
    for text, label in reversed(pieces):
        if label is None and "/an" in text:
            text = _resolve_articles(text, following)
        resolved.append((text, label))
        following = text + following
    text, spans = "", []
    for piece, label in reversed(resolved):
        if text.endswith(" ") or not text:
            piece = piece.lstrip(" ")
        if piece and not text:
            piece = _capitalised(piece)
        if label:
            spans.append(EntitySpan(len(text), len(text) + len(piece), label))
        text += piece
    return LabelledText(text.rstrip(" "), tuple(spans))


def slot_names(sequence: Sequence) -> Iterator[str]:
    """The slots that a frame can ask for, with repetition."""
    for node in sequence:
        if isinstance(node, Slot):
            yield node.name
        elif isinstance(node, Choice):
            for option in node.options:
                yield from slot_names(option)


def _resolve_articles(text: str, following: str) -> str:
    def article(match: re.Match[str]) -> str:
        rest = (text[match.end() :] + following).lstrip(" ")
        return match[1] + ("n" if _VOWEL_SOUND.match(rest) else "")

    return _ARTICLE.sub(article, text)


def _capitalised(word: str) -> str:
    is_styled = word[1:2].isupper()
    return word if is_styled else word[0].upper() + word[1:]
