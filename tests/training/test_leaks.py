"""Near-duplicates against the definition, computed pair by pair."""

import random

from training.leaks import ALIKE, FEWEST_WORDS, RUN, near_duplicates
from training.splits import normalise

WORDS = (
    *("the", "a", "minister", "bank", "river", "talks", "said", "on", "monday"),
    *("in", "oslo", "quito", "after", "long", "night", "of", "rain"),
)


def _share(left: str, right: str) -> float:
    sets = []
    for text in (left, right):
        words = normalise(text).split()
        sets.append({tuple(words[first : first + RUN]) for first in range(len(words) - RUN + 1)})
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def _varied(text: str, choose: random.Random) -> str:
    words = text.split()
    for _ in range(choose.randint(0, 2)):
        words[choose.randrange(len(words))] = choose.choice(WORDS)
    return " ".join(words)


def test_what_is_found_is_what_comparing_every_pair_finds() -> None:
    choose = random.Random(4)
    references = [" ".join(choose.choices(WORDS, k=choose.randint(FEWEST_WORDS, 40))) for _ in range(80)]
    texts = [_varied(choose.choice(references), choose) for _ in range(120)]
    found = dict(near_duplicates(texts, references))
    for place, text in enumerate(texts):
        shares = [_share(text, reference) for reference in references]
        assert (place in found) == (max(shares) >= ALIKE)
        if place in found:
            assert shares[found[place]] == max(shares)
    assert 0 < len(found) < len(texts)


def test_case_punctuation_and_numbers_do_not_tell_texts_apart() -> None:
    text = "The talks in Oslo ended on 12 May after a long night , officials said ."
    assert near_duplicates([text.upper().replace("12", "7").replace(" ,", "")], [text]) == [(0, 0)]


def test_short_texts_are_never_near_duplicates() -> None:
    assert near_duplicates(["Rain in Oslo ."], ["Rain in Oslo ."]) == []
