"""Long sentences are cut into overlapping windows whose cores cover every token once."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner.tokens import tokenize
from registry.windows import LONGEST, OVERLAP, windows


@given(st.lists(st.sampled_from(["word", "Word", ".", "\n", ",", '"']), max_size=700))
def test_cores_cover_every_token_once_and_lie_within_their_windows(pieces: list[str]) -> None:
    text = " ".join(pieces)
    tokens = tokenize(text)
    cut = windows(text, tokens)
    assert [index for window in cut for index in range(window.core_first, window.core_end)] == list(range(len(tokens)))
    for window in cut:
        assert 0 <= window.first <= window.core_first < window.core_end <= window.end <= len(tokens)
        assert window.length <= LONGEST


def test_each_sentence_has_a_window_of_its_own() -> None:
    text = "One here. Two there.\nThree"
    assert [(w.first, w.end) for w in windows(text, tokenize(text))] == [(0, 3), (3, 6), (6, 7)]


@pytest.mark.parametrize("length", [LONGEST + 1, 2 * LONGEST, 5 * LONGEST + 3])
def test_a_long_sentence_is_read_with_context_on_both_sides_of_every_cut(length: int) -> None:
    text = "word " * length
    cut = windows(text, tokenize(text))
    assert (cut[0].first, cut[-1].end) == (0, length)
    for before, after in itertools.pairwise(cut):
        assert before.end - before.core_end == OVERLAP // 2
        assert after.core_first - after.first == OVERLAP // 2
