"""Sentences by the thousand, the same for the same seed."""

from functools import cache
from random import Random

from ner.documents import EntitySpan, LabelledText
from training.starter_corpus.grammar import Piece, Sequence, expand, join, parse
from training.starter_corpus.lists import entries, frame_lines, groups
from training.starter_corpus.slots import fill
from training.starter_corpus.surface import single_full_stop, vary

LABELS = ("art", "eve", "geo", "gpe", "nat", "org", "per", "tim")

# How often a sentence comes from each domain, of 100.
_SHARES = {
    "politics": 21, "conflict": 17, "reference": 8, "business": 9, "nature": 8, "culture": 6, "sport": 4,
    "everyday": 7, "short": 9, "headlines": 2, "plain": 9,
}  # fmt: skip
_NEWS = frozenset({"politics", "conflict", "business", "nature"})
_OPENER_SHARE, _TAIL_SHARE, _CLAUSE_SHARE, _PAIR_SHARE = 0.08, 0.10, 0.05, 0.03
# First words of frames that keep their capital inside a sentence.
_PROPER = frozenset(("I", "Foreign", "Pope", "Secretary", "Professor", "Muslims", "Christians"))
_LINKS = (", while ", ", and ", ", but ", "; ", " after ", " as ", ", although ", " because ")


def generate(sentences: int, seed: int) -> list[LabelledText]:
    """`sentences` labelled texts, each one sentence or, rarely, two. The same arguments give the same texts.

    Spans are sorted, flat and exact, and begin and end on borders of `ner.tokens.tokenize`.
    """
    random = Random(seed)
    domains, shares = tuple(_SHARES), tuple(_SHARES.values())
    return [_text(random.choices(domains, shares)[0], random) for _ in range(sentences)]


@cache
def frames() -> dict[str, tuple[Sequence, ...]]:
    """The parsed frames of each domain."""
    return {domain: tuple(parse(line) for line in lines) for domain, lines in frame_lines().items()}


@cache
def _tails() -> tuple[Sequence, ...]:
    return tuple(parse(f" {line}" if line[0].isalpha() or line[0] == "{" else line) for line in entries("tails"))


def _text(domain: str, random: Random) -> LabelledText:
    text = _sentence(domain, random)
    if domain != "headlines" and random.random() < _PAIR_SHARE:
        return _followed_by(text, _sentence(domain, random))
    return text


def _sentence(domain: str, random: Random) -> LabelledText:
    pieces = _read(domain, random)
    if domain in _NEWS:
        pieces = _extended(pieces, domain, random)
    return vary(single_full_stop(join(pieces)), random, is_headline=domain == "headlines")


def _read(domain: str, random: Random) -> list[Piece]:
    return list(expand(random.choice(frames()[domain]), fill, random))


def _extended(pieces: list[Piece], domain: str, random: Random) -> list[Piece]:
    if random.random() < _CLAUSE_SHARE and _is_statement(pieces):
        pieces = [*_without_stop(pieces), (random.choice(_LINKS), None), *_lowered(_read(domain, random))]
    if random.random() < _TAIL_SHARE and _is_statement(pieces):
        pieces = [*_without_stop(pieces), *expand(random.choice(_tails()), fill, random), (".", None)]
    if random.random() < _OPENER_SHARE:
        pieces = [(random.choice(groups("words")["opener"]) + " ", None), *_lowered(pieces)]
    return pieces


def _is_statement(pieces: list[Piece]) -> bool:
    text, label = pieces[-1]
    return label is None and text.endswith(".")


def _without_stop(pieces: list[Piece]) -> list[Piece]:
    return [*pieces[:-1], (pieces[-1][0].removesuffix("."), None)]


def _lowered(pieces: list[Piece]) -> list[Piece]:
    text, label = pieces[0]
    word = text.split(" ", 1)[0]
    if label is None and word.isalpha() and word not in _PROPER and (word[1:].islower() or word == "A"):
        return [(text[0].lower() + text[1:], None), *pieces[1:]]
    return pieces


def _followed_by(first: LabelledText, second: LabelledText) -> LabelledText:
    shift = len(first.text) + 1
    moved = (EntitySpan(span.start + shift, span.end + shift, span.label) for span in second.spans)
    return LabelledText(f"{first.text} {second.text}", (*first.spans, *moved))
