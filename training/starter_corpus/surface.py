"""How a sentence may look on the page: blanks around punctuation, capitals, a missing full stop."""

import re
from collections.abc import Callable
from random import Random

from ner.documents import EntitySpan, LabelledText
from ner.tokens import tokenize

_SMALL_WORDS = frozenset(("a", "an", "the", "of", "in", "on", "at", "to", "for", "by", "and", "or", "with", "as"))
# A border between two of these is inside a word for a treebank: "al-Qaida", "1990s", "O'Brien".
_GLUE = re.compile(r"\w[-/&'\w]|[-/&']\w")
_CLITIC = re.compile(r"'\w")


def vary(sentence: LabelledText, random: Random, *, is_headline: bool) -> LabelledText:
    """One of the looks, at random. Spans stay exact."""
    draw = random.random()
    if is_headline and draw < 0.25:
        sentence = _recased(sentence, str.upper)
    elif is_headline and draw < 0.55:
        sentence = _recased(sentence, _title_case)
    elif draw < 0.01:
        sentence = _recased(sentence, str.lower)
    elif draw < 0.02:
        sentence = _recased(sentence, str.upper)
    if random.random() < 0.05:
        sentence = without_full_stop(sentence)
    return spaced(sentence) if random.random() < 0.5 else sentence


def without_full_stop(sentence: LabelledText) -> LabelledText:
    """The sentence without its last character if that is a full stop outside all spans."""
    end = len(sentence.text) - 1
    if not sentence.text.endswith(".") or (sentence.spans and sentence.spans[-1].end > end):
        return sentence
    return LabelledText(sentence.text[:end], sentence.spans)


def single_full_stop(sentence: LabelledText) -> LabelledText:
    """`in the U.S..` to `in the U.S.`: an abbreviation's stop also ends the sentence."""
    return LabelledText(sentence.text[:-1], sentence.spans) if sentence.text.endswith("..") else sentence


def spaced(sentence: LabelledText) -> LabelledText:
    """Tokens separated by single blanks, as treebanks print them; words with hyphens stay whole."""
    text, previous_end = "", 0
    places: dict[int, int] = {}
    for start, end in tokenize(sentence.text):
        is_glued = start == previous_end and _GLUE.match(sentence.text, start - 1, start + 1)
        if text and (not is_glued or _CLITIC.match(sentence.text, start, end)):
            text += " "
        places[start] = len(text)
        text += sentence.text[start:end]
        places.setdefault(-end, len(text))
        previous_end = end
    spans = tuple(EntitySpan(places[span.start], places[-span.end], span.label) for span in sentence.spans)
    return LabelledText(text, spans)


def _recased(sentence: LabelledText, recase: Callable[[str], str]) -> LabelledText:
    text = recase(sentence.text)
    # Some letters have capitals of two characters; such a sentence stays as it is.
    return LabelledText(text, sentence.spans) if len(text) == len(sentence.text) else sentence


def _title_case(text: str) -> str:
    words = text.split(" ")
    return " ".join(word if word in _SMALL_WORDS else word[:1].upper() + word[1:] for word in words)
