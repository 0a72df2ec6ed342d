import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner import tokens
from ner.documents import EntitySpan
from ner.tokens import align, sentences, tokenize, words

PIECES = st.one_of(
    st.characters(exclude_categories=("Cs",)),
    st.sampled_from([*"aB1 .,'\n\t-", "\u0301", "👩‍👩‍👧", "東", "ا", "ש", "é", "\r\n", "U.S. ", "Mr. "]),
)
TEXTS = st.lists(PIECES, max_size=60).map("".join)


PARTS = "abYZ.,;: '1\n-_\u00e9\u0301\u4e2d"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Barack Obama's wife.", ["Barack", "Obama", "'s", "wife", "."]),
        ("Mr. Blair of Apple Inc. paid $10.50", ["Mr.", "Blair", "of", "Apple", "Inc.", "paid", "$", "10.50"]),
        ("10,000 at 12:30", ["10,000", "at", "12:30"]),
        ("in the U.S. today", ["in", "the", "U.S.", "today"]),
        ("Jean-Claude", ["Jean", "-", "Claude"]),
        ("我爱北京", ["我", "爱", "北", "京"]),
        ("e\u0301cole", ["e\u0301cole"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("Rome.", ["Rome", "."]),
        ("J. Smith", ["J.", "Smith"]),
        ("#tag @user", ["#", "tag", "@", "user"]),
        ("a\u0085b", ["a", "b"]),
        ("", []),
        (" \n\t ", []),
    ],
)
def test_a_text_is_cut_into_tokens(text: str, expected: list[str]) -> None:
    assert words(text, tokenize(text)) == expected


@given(TEXTS)
def test_tokens_cover_everything_but_whitespace_in_order(text: str) -> None:
    tokens = tokenize(text)
    assert all(start < end for start, end in tokens)
    assert all(before[1] <= after[0] for before, after in pairwise(tokens))
    covered = {place for start, end in tokens for place in range(start, end)}
    assert [place for place, character in enumerate(text) if not character.isspace() and place not in covered] == []
    assert not any(text[place].isspace() for place in covered)


@given(
    st.lists(st.sampled_from([*"abYZ.,;: '1\n-_\u00e9\u0301\u4e2d", "Mr.", "U.S.", "end "]), max_size=12).map("".join)
)
def test_the_short_way_of_plain_words_changes_nothing(text: str) -> None:
    every_rule = re.compile(tokens._TOKEN.pattern.replace(tokens._PLAIN, "(?!)"), re.VERBOSE)
    assert every_rule.search("plain, ") is not None
    assert tokenize(text) == [match.span() for match in every_rule.finditer(text)]


@given(TEXTS, st.integers(2, 12))
def test_sentences_cover_every_token_once_and_stay_short(text: str, longest: int) -> None:
    tokens = tokenize(text)
    ranges = sentences(text, tokens, longest=longest)
    assert [index for first, end in ranges for index in range(first, end)] == list(range(len(tokens)))
    assert all(0 < end - first <= longest for first, end in ranges)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("One here. Two there.", 2),
        ('He said "No." Then he left.', 2),
        ("Mr. Smith of Corp. Ltd. came. She left", 2),
        ("first line\nsecond line\r\nthird", 3),
        ("他在上海。我爱北京！", 2),
        ("wait ... what", 2),
        ("3.5 percent", 1),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, count: int) -> None:
    tokens = tokenize(text)
    assert len(sentences(text, tokens)) == count


def test_spans_that_cut_a_token_are_handed_back() -> None:
    text = "New York"
    inside, whole, blank = EntitySpan(0, 2, "geo"), EntitySpan(0, 8, "geo"), EntitySpan(3, 8, "geo")
    assert align(tokenize(text), [whole, inside, blank]) == ([(0, 2, "geo")], [inside, blank])
