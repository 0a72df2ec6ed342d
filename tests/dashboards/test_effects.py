import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboards.effects import Estimate, _resampled_totals, largest_gap, mix_distance, ratio, shift, vocabulary_overlap
from dashboards.windows import Window


def word_window(documents: int, seed: int, known: int = 3_000) -> Window:
    """Zipf-distributed words of which the first `known` ranks are in the model's vocabulary."""
    generator = np.random.default_rng(seed)
    ranks = np.minimum(generator.zipf(1.15, size=(documents, 16)), 10**7)
    words = np.where(ranks <= known, ranks, -ranks)
    zeros = np.zeros(documents, np.int64)
    return Window(
        zeros, zeros + 16, (words < 0).sum(axis=1), (), np.zeros((documents, 0), np.int64),
        np.zeros((documents, 10), np.int64), tuple(tuple(int(word) for word in row) for row in words), zeros,
    )  # fmt: skip


def test_the_overlap_of_a_whole_window_falls_but_that_of_samples_does_not_when_traffic_grows() -> None:
    small, large = word_window(100, seed=1), word_window(20_000, seed=2)
    whole = [np.mean(np.unique([w for words in window.words for w in words]) > 0) for window in (small, large)]
    sampled = [vocabulary_overlap(window) for window in (small, large)]
    assert whole[0] - whole[1] > 0.2
    assert sampled[0] is not None
    assert sampled[1] is not None
    assert sampled[0].value == pytest.approx(sampled[1].value, abs=0.03)


def test_there_is_no_overlap_when_words_do_not_fill_one_sample() -> None:
    assert vocabulary_overlap(word_window(10, seed=3)) is None


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), min_size=2, max_size=30))
def test_a_ratio_is_sum_over_sum_when_documents_differ_in_size(pairs: list[tuple[int, int]]) -> None:
    found = ratio(np.array([a for a, _ in pairs]), np.array([b for _, b in pairs]))
    assert found is not None
    assert found.value == pytest.approx(sum(a for a, _ in pairs) / sum(b for _, b in pairs))
    assert found.error >= 0


def test_the_error_of_a_ratio_is_right_when_words_cluster_in_documents() -> None:
    generator = np.random.default_rng(4)
    values, errors = [], []
    for _ in range(300):
        sizes = generator.integers(5, 60, size=200)
        found = ratio(generator.binomial(sizes, generator.beta(1, 9, size=200)), sizes)
        assert found is not None
        values.append(found.value)
        errors.append(found.error)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.15)


def test_the_interval_contains_the_distance_when_two_figures_are_near() -> None:
    effect = shift(Estimate(0.10, 0.01), Estimate(0.11, 0.01))
    assert effect.low == 0
    assert effect.size == pytest.approx(0.01)
    assert effect.high == pytest.approx(0.01 + 2.576 * 0.01 * 2**0.5)


def test_the_gap_is_the_share_that_moved_when_some_texts_are_longer() -> None:
    reference = list(np.linspace(0, 100, 201))
    moved = np.concatenate([np.linspace(0, 100, 700), np.full(300, 500.0)])
    assert largest_gap(moved, reference, 5_000).size == pytest.approx(0.3, abs=0.01)
    assert largest_gap(np.full(50, 7), [7.0] * 201, 50).size == 0


@pytest.mark.parametrize("documents", [50, 500, 5_000])
def test_the_distance_of_equal_mixes_is_near_zero_when_samples_are_small_or_large(documents: int) -> None:
    generator = np.random.default_rng(6)
    shares = np.array([0.4, 0.3, 0.15, 0.1, 0.04, 0.01])
    training = generator.multinomial(8_000, shares)
    lows = [mix_distance(generator.multinomial(3, shares, size=documents), training).low for _ in range(20)]
    assert max(lows) < 0.06


def test_the_distance_is_the_known_one_when_mixes_are_disjoint_or_equal() -> None:
    now = np.tile([[1, 0]], (500, 1))
    assert mix_distance(now, np.array([0, 5_000])).size == pytest.approx(1)
    assert mix_distance(now, np.array([5_000, 0])).size == 0


def test_a_mix_drawn_by_kinds_of_rows_spreads_as_one_drawn_row_by_row() -> None:
    generator = np.random.default_rng(3)
    now = generator.multinomial(4, [0.5, 0.3, 0.2], size=3_000)
    row_by_row = [now[generator.integers(len(now), size=len(now))].sum(axis=0) for _ in range(1_000)]
    by_kind = _resampled_totals(now, generator)
    assert by_kind.sum(axis=1) == pytest.approx(4.0 * len(now))
    assert by_kind.mean(axis=0) == pytest.approx(np.mean(row_by_row, axis=0), rel=0.01)
    assert by_kind.std(axis=0) == pytest.approx(np.std(row_by_row, axis=0), rel=0.25)
