"""What is kept of words: which are computed again, and which never."""

import random
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from registry import bilstm
from registry.features import COLUMNS, FeatureRows, WordRow
from registry.recurrence import Floats

WIDTH = 4
ROOM = 6


class Counting:
    """Computes gates that tell the word, and counts how often each was computed."""

    directions, width = 2, WIDTH

    def __init__(self) -> None:
        self.times: dict[int, int] = {}

    def __call__(self, rows: FeatureRows, gates: Floats | None = None) -> Floats:
        for number in rows[:, 0].tolist():
            self.times[number] = self.times.get(number, 0) + 1
        found = np.repeat(rows[:, :1], 2 * WIDTH, axis=1).reshape(-1, 2, WIDTH).astype(np.float32)
        if gates is not None:
            gates[:] = found
        return found


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
def kept(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> bilstm._KeptGates:
    monkeypatch.setattr(bilstm, "_ROOM_BYTES", ROOM * 4 * 2 * WIDTH)
    return bilstm._KeptGates(counting, 2, WIDTH)


def _row(number: int) -> WordRow:
    return np.full(COLUMNS, number, dtype=np.int32).tobytes()


def _told(kept: bilstm._KeptGates, numbers: list[int]) -> list[int]:
    gates, places = kept.of([_row(number) for number in numbers])
    return [int(number) for number in gates[places][:, 0, 0]]


def test_a_word_that_comes_often_is_computed_once_however_many_others_pass(
    kept: bilstm._KeptGates, counting: Counting
) -> None:
    for rare in range(100, 200):
        assert _told(kept, [7, rare, 7]) == [7, rare, 7]

    assert set(counting.times.values()) == {1}


def test_a_word_that_did_not_come_for_long_is_computed_again(kept: bilstm._KeptGates, counting: Counting) -> None:
    for number in [7, *range(100, 100 + 2 * ROOM), 7]:
        assert _told(kept, [number]) == [number]

    assert counting.times[7] == 2


def test_more_words_at_once_than_there_is_room_for_are_computed_together(
    kept: bilstm._KeptGates, counting: Counting
) -> None:
    many = [*range(3 * ROOM), *range(3 * ROOM)]

    assert _told(kept, many) == many
    assert set(counting.times.values()) == {1}


def test_threads_that_fill_and_change_rooms_are_each_told_of_their_own_words(kept: bilstm._KeptGates) -> None:
    def ask(seed: int) -> bool:
        choose = random.Random(seed)
        asked = [choose.choices(range(1, 4 * ROOM), k=choose.randint(1, ROOM)) for _ in range(500)]
        return all(_told(kept, numbers) == numbers for numbers in asked)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as threads:
            assert all(threads.map(ask, range(8)))
    finally:
        sys.setswitchinterval(interval)
