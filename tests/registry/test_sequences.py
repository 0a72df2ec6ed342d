"""Steps of sequences of different lengths: none is left out, none is doubled, and each finds its mirror image."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from registry.sequences import pack, reaching, turned_places

LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=8)


@given(LENGTHS, st.integers(0, 3))
def test_every_sequence_is_among_the_first_for_as_long_as_it_lasts(lengths: list[int], padding: int) -> None:
    counts = reaching(max(lengths) + padding, lengths)

    assert counts == sorted(counts, reverse=True)
    for step, count in enumerate(counts):
        there = [number for number, length in enumerate(lengths) if length > step]
        assert count == (there[-1] + 1 if there else 0)


@given(LENGTHS)
def test_nothing_is_packed_in_vain_where_the_longest_come_first(lengths: list[int]) -> None:
    packed = pack(max(lengths), sorted(lengths, reverse=True))

    assert packed.starts[-1] == len(packed.steps) == sum(lengths)


@given(LENGTHS)
def test_a_packed_row_knows_its_step_and_the_same_step_from_the_end(lengths: list[int]) -> None:
    packed = pack(max(lengths), lengths)
    rows = {(step, number): row for row, (step, number) in enumerate(zip(packed.steps, packed.sequences, strict=True))}

    assert len(rows) == len(packed.steps)
    for number, length in enumerate(lengths):
        for step in range(length):
            row = rows[step, number]
            assert packed.words[row] == sum(lengths[:number]) + step
            assert packed.starts[step] <= row < packed.starts[step + 1]
            assert packed.turned[row] == rows[length - 1 - step, number]


@given(LENGTHS)
def test_turning_twice_is_reading_from_the_start(lengths: list[int]) -> None:
    tokens, every = max(lengths), np.arange(len(lengths))
    turned = turned_places(tokens, lengths)

    assert np.array_equal(turned[turned, every], np.repeat(np.arange(tokens)[:, None], len(lengths), axis=1))
