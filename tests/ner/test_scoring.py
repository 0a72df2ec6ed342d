import itertools
import random
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ner.documents import EntitySpan
from ner.errors import InvalidInput
from ner.outcomes import OUTCOMES, match_spans
from ner.predictions import ScoredSpan
from ner.scoring import paired_f1_difference, performance, span_differences, strict_score
from ner.tags import encode_tags

LABELS = ("geo", "org", "per")


@st.composite
def flat_spans(draw: st.DrawFn, length: int = 30) -> list[EntitySpan]:
    borders = sorted(draw(st.sets(st.integers(0, length), max_size=10)))
    return [
        EntitySpan(start, end, draw(st.sampled_from(LABELS)))
        for start, end in itertools.pairwise(borders)
        if draw(st.booleans())
    ]


@st.composite
def any_spans(draw: st.DrawFn, length: int = 12) -> list[EntitySpan]:
    pairs = st.tuples(st.integers(0, length - 1), st.integers(1, 6), st.sampled_from(LABELS))
    return [EntitySpan(start, start + size, label) for start, size, label in draw(st.sets(pairs, max_size=5))]


documents = st.lists(st.tuples(flat_spans(), flat_spans()), min_size=1, max_size=8)


def scored(spans: list[EntitySpan], confidence: float = 0.9) -> list[ScoredSpan]:
    return [ScoredSpan(span.start, span.end, span.label, confidence) for span in spans]


def noisy_documents(count: int, right: float, seed: int) -> tuple[list[list[EntitySpan]], list[list[ScoredSpan]]]:
    """Documents with a difficulty of their own; on average `right` of the spans are found."""
    generator = random.Random(seed)
    gold, predicted = [], []
    for _ in range(count):
        ease = min(1.0, max(0.0, right + generator.uniform(-0.1, 0.1)))
        spans = [
            EntitySpan(10 * place, 10 * place + 5, generator.choice(LABELS)) for place in range(generator.randint(0, 6))
        ]
        gold.append(spans)
        predicted.append(
            [
                ScoredSpan(span.start, span.end if generator.random() < ease else span.end + 1, span.label, ease)
                for span in spans
            ]
        )
    return gold, predicted


def test_scores_count_borders_and_label_when_either_is_wrong() -> None:
    gold = [[EntitySpan(0, 4, "per"), EntitySpan(14, 22, "geo")], [EntitySpan(0, 5, "org")]]
    predicted = [
        [EntitySpan(0, 4, "per"), EntitySpan(14, 22, "org")],
        [EntitySpan(0, 9, "org"), EntitySpan(10, 12, "geo")],
    ]
    score = strict_score(gold, predicted)
    assert (score.correct, score.predicted, score.gold) == (1, 4, 3)
    assert score.precision == 1 / 4
    assert score.recall == 1 / 3
    assert score.f1 == pytest.approx(2 / 7)


def test_a_sentence_is_raised_when_the_sides_differ_in_length() -> None:
    with pytest.raises(InvalidInput, match="2 documents with gold spans but 1 "):
        strict_score([[], []], [[]])


@pytest.mark.parametrize(
    ("wanted", "found", "kinds"),
    [
        ([(0, 4, "per")], [(0, 4, "per")], ["match"]),
        ([(0, 4, "per")], [(0, 4, "geo")], ["label"]),
        ([(0, 4, "per")], [(0, 9, "per")], ["border"]),
        ([(0, 4, "per")], [(2, 9, "geo")], ["both"]),
        ([(0, 4, "per")], [], ["missing"]),
        ([], [(0, 4, "per")], ["spurious"]),
        ([(0, 4, "per")], [(4, 8, "per")], ["missing", "spurious"]),
        # The long span goes to the half it shares more with; the other half is missing.
        ([(0, 4, "per"), (5, 15, "per")], [(0, 15, "per")], ["missing", "border"]),
        # An exact pair is never broken up, even where another pairing would share more characters.
        ([(0, 4, "per"), (0, 10, "per")], [(0, 4, "per")], ["match", "missing"]),
    ],
)
def test_differences_are_named_when_two_versions_disagree(
    wanted: list[tuple[int, int, str]], found: list[tuple[int, int, str]], kinds: list[str]
) -> None:
    left, right = [EntitySpan(*span) for span in wanted], scored([EntitySpan(*span) for span in found])
    assert [kind for kind, _, _ in span_differences(left, right)] == kinds


@settings(deadline=None)
@given(any_spans(), any_spans())
def test_no_pairing_shares_more_characters_when_all_are_tried(
    wanted: list[EntitySpan], found: list[EntitySpan]
) -> None:
    def shared(first: EntitySpan, second: EntitySpan) -> int:
        return max(0, min(first.end, second.end) - max(first.start, second.start))

    pairs = match_spans(wanted, found)
    kept = [(first, second) for outcome, first, second in pairs if outcome != "correct"]
    left = [first for first, _ in kept if first]
    right = [second for _, second in kept if second]
    if len(left) > len(right):
        left, right = right, left
    best = max(sum(map(shared, left, order)) for order in itertools.permutations(right, len(left)))
    assert sum(shared(first, second) for first, second in kept if first and second) == best


@settings(deadline=None)
@given(documents)
def test_rows_sum_to_gold_and_columns_to_predicted_when_documents_are_random(
    pairs: list[tuple[list[EntitySpan], list[EntitySpan]]],
) -> None:
    gold, predicted = [first for first, _ in pairs], [second for _, second in pairs]
    found = performance(gold, [scored(spans) for spans in predicted], resamples=50)
    names, matrix = found["confusion"]["labels"], np.array(found["confusion"]["matrix"])
    for index, label in enumerate(names[:-1]):
        assert matrix[index].sum() == sum(span.label == label for spans in gold for span in spans)
        assert matrix[:, index].sum() == sum(span.label == label for spans in predicted for span in spans)
    assert matrix[-1, -1] == 0
    outcomes = found["outcomes"]
    assert tuple(outcomes) == OUTCOMES
    assert sum(outcomes.values()) - outcomes["spurious"] == sum(map(len, gold)) == found["entities"]
    assert sum(outcomes.values()) - outcomes["missed"] == sum(map(len, predicted))
    assert outcomes["correct"] == strict_score(gold, predicted).correct
    assert sum(found["confidence"]["histogram"]) == sum(map(len, predicted))


@settings(deadline=None)
@given(documents)
def test_intervals_contain_the_score_when_documents_are_random(
    pairs: list[tuple[list[EntitySpan], list[EntitySpan]]],
) -> None:
    found = performance([first for first, _ in pairs], [scored(second) for _, second in pairs], resamples=50)
    for name in ("precision", "recall", "f1"):
        low, high = found[f"{name}_interval"]
        assert 0 <= low <= found[name] <= high <= 1
    for part in found["per_label"].values():
        assert part["f1_interval"][0] <= part["f1"] <= part["f1_interval"][1]


@settings(deadline=None)
@given(documents)
def test_strict_f1_equals_seqeval_when_tags_are_strict_iob2(
    pairs: list[tuple[list[EntitySpan], list[EntitySpan]]],
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from seqeval.metrics.v1 import precision_recall_fscore_support
        from seqeval.scheme import IOB2

        tags = [
            [encode_tags(30, [(span.start, span.end, span.label) for span in spans]) for spans in side]
            for side in zip(*pairs, strict=True)
        ]
        if not any(spans for side in pairs for spans in side):
            return
        precision, recall, f1, _ = precision_recall_fscore_support(*tags, average="micro", scheme=IOB2, zero_division=0)
    score = strict_score([first for first, _ in pairs], [second for _, second in pairs])
    assert (score.precision, score.recall, score.f1) == pytest.approx((precision, recall, f1))


def test_intervals_cover_the_truth_about_as_often_as_they_say_when_samples_repeat() -> None:
    truth = 0.7
    covered = 0
    for seed in range(150):
        gold, predicted = noisy_documents(200, truth, seed)
        low, high = performance(gold, predicted, resamples=200, seed=seed)["f1_interval"]
        covered += low <= truth <= high
    assert 0.88 <= covered / 150 <= 0.99


def test_the_interval_is_honest_when_a_few_documents_are_all_right() -> None:
    gold = [[EntitySpan(0, 4, "per")]] * 5
    found = performance(gold, [scored(spans) for spans in gold])
    assert found["f1"] == 1
    assert found["f1_interval"] == [pytest.approx(0.025 ** (1 / 5)), 1]


def test_nothing_is_claimed_when_there_is_nothing_to_score() -> None:
    found = performance([], [])
    assert (found["f1"], found["f1_interval"], found["confidence"]["ece"]) == (0, [0, 1], None)
    assert found["confusion"] == {"labels": ["none"], "matrix": [[0]]}


def test_calibration_error_is_the_gap_when_confidence_is_overstated() -> None:
    gold = [[EntitySpan(0, 4, "per")]] * 600 + [[]] * 400
    predicted = [[ScoredSpan(0, 4, "per", 0.8)]] * 1000
    found = performance(gold, predicted, resamples=10)["confidence"]
    assert found["histogram"] == [0] * 8 + [1000, 0]
    assert found["reliability"] == [
        {"low": 0.8, "high": 0.8, "count": 1000, "mean_confidence": pytest.approx(0.8), "precision": 0.6}
    ]
    assert found["ece"] == pytest.approx(0.2)


def test_bins_hold_equal_mass_and_no_error_when_confidence_is_honest() -> None:
    generator = np.random.default_rng(3)
    confidences = generator.beta(5, 1, size=20_000)
    hits = generator.random(20_000) < confidences
    gold = [[EntitySpan(0, 4, "per")] if hit else [] for hit in hits]
    predicted = [[ScoredSpan(0, 4, "per", float(value))] for value in confidences]
    found = performance(gold, predicted, resamples=10)["confidence"]
    assert [part["count"] for part in found["reliability"]] == [2000] * 10
    assert found["ece"] < 0.015


def test_the_difference_is_found_when_the_right_version_is_better_on_the_same_documents() -> None:
    gold, left = noisy_documents(400, 0.70, seed=1)
    right = [
        [
            ScoredSpan(w.start, w.end, w.label, 0.9) if (i + j) % 5 == 0 else f
            for j, (w, f) in enumerate(zip(wanted, found, strict=True))
        ]
        for i, (wanted, found) in enumerate(zip(gold, left, strict=True))
    ]
    found = paired_f1_difference(gold, left, right)
    assert 0 < found["low"] <= found["difference"] <= found["high"] < 0.2
    backwards = paired_f1_difference(gold, right, left)
    assert backwards["difference"] == pytest.approx(-found["difference"])
    assert backwards["low"] == pytest.approx(-found["high"], abs=0.002)


def test_no_difference_is_claimed_when_both_versions_answer_alike() -> None:
    gold, left = noisy_documents(50, 0.7, seed=2)
    assert paired_f1_difference(gold, left, left) == {"difference": 0, "low": 0, "high": 0}
