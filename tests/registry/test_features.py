"""Words to ids: what a row says, what the vocabulary keeps, and that both survive storage."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner.errors import BrokenPackage
from registry.features import (
    CHARACTERS,
    COLUMNS,
    PADDING,
    PIECES,
    UNKNOWN,
    Featuriser,
    build_vocabulary,
    load_vocabulary,
    normalise,
    pieces,
    shape,
    word_hash,
)

WORDS = ["London", "London", "london", "in", "in", "1997", "2004", "once"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("London", "Xxx"),
        ("USA", "XX"),
        ("U.S.", "X.X."),
        ("1997", "dd"),
        ("B-52s", "X-ddx"),
        ("...", ".."),
        ("中文", "xx"),
    ],
)
def test_a_shape_shows_letter_classes_with_runs_cut_at_two(word: str, expected: str) -> None:
    assert shape(word) == expected


@pytest.mark.parametrize(("word", "expected"), [("London", "london"), ("1997", "0000"), ("B-52", "b-00"), ("٣", "0")])
def test_a_normalised_word_is_lower_case_with_zeros_for_digits(word: str, expected: str) -> None:
    assert normalise(word) == expected


def test_a_word_has_one_piece_for_each_column() -> None:
    assert pieces("Rome") == [
        *("prefix1:r", "prefix2:ro", "prefix3:rom"),
        *("suffix1:e", "suffix2:me", "suffix3:ome", "suffix4:rome", "shape:Xxx"),
    ]
    assert len(pieces("a")) == PIECES


def test_a_word_is_known_when_its_normalised_form_was_seen_often_enough() -> None:
    vocabulary = build_vocabulary(WORDS, word_count=2)
    assert list(vocabulary.words) == ["london", "0000", "in"]
    rows = Featuriser(vocabulary).rows(["LONDON", "1066", "once", "never"])
    assert rows[:, 0].tolist() == [2, 3, UNKNOWN, UNKNOWN]


def test_a_row_holds_the_word_its_pieces_and_its_characters_in_that_order() -> None:
    vocabulary = build_vocabulary(["ab", "ab", "ab"], piece_count=1)
    row = Featuriser(vocabulary).rows(["ab"])[0]
    assert row[0] == vocabulary.words["ab"]
    assert row[1 : 1 + PIECES].tolist() == [vocabulary.pieces[piece] for piece in pieces("ab")]
    assert row[1 + PIECES :].tolist() == [vocabulary.characters[c] for c in "ab"] + [PADDING] * (CHARACTERS - 2)


def test_a_long_word_shows_its_beginning_and_its_end() -> None:
    vocabulary = build_vocabulary(["abcdefghijklmnopqrstuvwxyz"] * 3)
    letters = Featuriser(vocabulary).rows(["abcdefghijklmnopqrstuvwxyz"])[0, 1 + PIECES :]
    assert letters.tolist() == [vocabulary.characters[c] for c in "abcdefghij" + "uvwxyz"]


def test_the_vocabulary_does_not_depend_on_the_order_of_the_words() -> None:
    assert build_vocabulary(WORDS) == build_vocabulary(reversed(WORDS))
    assert list(build_vocabulary(WORDS).pieces) == list(build_vocabulary(reversed(WORDS)).pieces)


def test_sizes_leave_room_for_padding_and_the_unknown() -> None:
    vocabulary = build_vocabulary(WORDS)
    rows = Featuriser(vocabulary).rows(WORDS)
    assert rows[:, 0].max() < vocabulary.sizes()["words"] == len(vocabulary.words) + 2
    assert rows[:, 1 : 1 + PIECES].max() < vocabulary.sizes()["pieces"]
    assert rows[:, 1 + PIECES :].max() < vocabulary.sizes()["characters"]


@given(st.lists(st.text(min_size=1, max_size=20), max_size=30))
def test_a_saved_vocabulary_gives_the_same_rows_when_loaded(
    tmp_path_factory: pytest.TempPathFactory, words: list[str]
) -> None:
    path = tmp_path_factory.mktemp("vocabulary") / "vocabulary.json"
    vocabulary = build_vocabulary(words, word_count=1, piece_count=1)
    vocabulary.save(path)
    loaded = load_vocabulary(path)
    assert loaded == vocabulary
    assert np.array_equal(Featuriser(loaded).rows(words), Featuriser(vocabulary).rows(words))


@pytest.mark.parametrize("content", ["", "[]", json.dumps({"words": []}), json.dumps({"words": 1})])
def test_a_broken_vocabulary_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "vocabulary.json").write_text(content, encoding="utf-8")
    with pytest.raises(BrokenPackage, match="is not a vocabulary"):
        load_vocabulary(tmp_path / "vocabulary.json")


def test_a_missing_vocabulary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenPackage):
        load_vocabulary(tmp_path / "vocabulary.json")


def test_rows_of_no_words_keep_their_columns() -> None:
    assert Featuriser(build_vocabulary([])).rows([]).shape == (0, COLUMNS)


def test_rows_are_right_when_threads_share_a_featuriser() -> None:
    words = [f"word{number}" for number in range(3000)]
    vocabulary = build_vocabulary(words, word_count=1)
    expected = Featuriser(vocabulary).rows(words)
    shared = Featuriser(vocabulary)
    answers: list[bool] = []
    threads = [
        threading.Thread(target=lambda: answers.append(np.array_equal(shared.rows(words), expected))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 4


@given(st.text(max_size=10))
def test_a_word_hash_fits_31_bits_and_is_that_of_the_normalised_word(word: str) -> None:
    hashed = word_hash(word)
    assert 0 < hashed < 2**31
    assert word_hash(normalise(word)) == hashed
