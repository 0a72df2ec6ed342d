"""Gamma against hand values, against brute force, and against the reference package where it is installed."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboards.alignment import IntArray, best_alignment, dissimilarity, pairs_of
from dashboards.gamma import AnsweredText, measure_gamma
from ner.documents import EntitySpan

Rows = list[tuple[int, int, int, int]]
TEXT = "Maria Silva left New York for the old harbour of Recife in the spring, and nobody there had heard of her. "
A, HALF, OTHER = EntitySpan(0, 11, "per"), EntitySpan(6, 11, "per"), EntitySpan(0, 11, "geo")
FAR = EntitySpan(49, 55, "geo")


def units(rows: Rows) -> IntArray:
    return np.array(rows, dtype=np.int64).reshape(-1, 4)


def a_text(number: int = 0, /, **answers: Sequence[EntitySpan]) -> AnsweredText:
    return AnsweredText(str(number), TEXT, answers)


def partitions(rows: list[int], people: Sequence[int]) -> Iterator[list[list[int]]]:
    """Every way to put the rows into sets that hold at most one row of each person."""
    if not rows:
        yield []
        return
    first, *rest = rows
    for rest_of_them in partitions(rest, people):
        yield [[first], *rest_of_them]
        for index, members in enumerate(rest_of_them):
            if people[first] not in {people[member] for member in members}:
                yield [*rest_of_them[:index], [first, *members], *rest_of_them[index + 1 :]]


def disorder_by_hand(found: IntArray, members: list[int], people: int) -> float:
    known = [float(dissimilarity(found[[one]], found[[other]])[0]) for one, other in combinations(members, 2)]
    return (sum(known) + pairs_of(people) - len(known)) / pairs_of(people)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ((0, 10, 1), (0, 10, 1), 0.0),
        ((0, 10, 1), (0, 10, 2), 1.0),
        ((0, 10, 1), (5, 10, 1), (5 / 15) ** 2),
        ((0, 10, 1), (10, 20, 1), 1.0),
        ((0, 4, 1), (6, 10, 2), (12 / 8) ** 2 + 1),
    ],
)
def test_the_dissimilarity_of_two_spans_is_the_papers(
    left: tuple[int, ...], right: tuple[int, ...], expected: float
) -> None:
    one, other = units([(0, *left)]), units([(1, *right)])  # type: ignore[list-item]
    assert dissimilarity(one, other)[0] == pytest.approx(expected, abs=1e-12)


def test_spans_that_are_too_far_apart_stand_alone() -> None:
    # Both alone cost 2; together (50 + 50) / 20, squared.
    best = best_alignment(units([(0, 0, 10, 1), (1, 50, 60, 1), (1, 0, 9, 1)]), 2)
    assert {tuple(row) for row in best.units.tolist()} == {(0, 2), (-1, 1)}
    assert best.disorders.sum() == pytest.approx(1 + (1 / 19) ** 2)


SPANS = st.tuples(st.integers(0, 30), st.integers(1, 8), st.integers(0, 2))


@settings(max_examples=150, deadline=None)
@given(st.integers(2, 4).flatmap(lambda people: st.lists(st.tuples(st.integers(0, people - 1), SPANS), max_size=7)))
def test_the_alignment_is_the_best_of_all(drawn: list[tuple[int, tuple[int, int, int]]]) -> None:
    people = max([2, *(person + 1 for person, _ in drawn)])
    found = units([(person, start, start + length, label) for person, (start, length, label) in drawn])
    best = best_alignment(found, people)
    assert sorted(best.units[best.units >= 0].tolist()) == list(range(len(found)))
    told = [disorder_by_hand(found, [one for one in row if one >= 0], people) for row in best.units.tolist()]
    assert best.disorders == pytest.approx(told, abs=1e-9)
    everything = partitions(list(range(len(found))), found[:, 0].tolist())
    least = min(sum(disorder_by_hand(found, members, people) for members in one) for one in everything)
    assert best.disorders.sum() == pytest.approx(least, abs=1e-9)


def test_people_who_say_the_same_have_a_gamma_of_one() -> None:
    measured = measure_gamma([a_text(1, ada=[A, FAR], bo=[FAR, A]), a_text(2, ada=[], bo=[])])
    assert (measured.whole.gamma, measured.whole.interval) == (1, (1, 1))
    assert measured.least_agreed == []
    assert {label: value.gamma for label, value in measured.per_label.items()} == {"per": 1, "geo": 1}


def test_a_border_costs_less_than_a_label_and_the_interval_holds_the_figure() -> None:
    border = measure_gamma([a_text(ada=[A, FAR], bo=[HALF, FAR])]).whole
    label = measure_gamma([a_text(ada=[A, FAR], bo=[OTHER, FAR])]).whole
    assert border.gamma is not None
    assert label.gamma is not None
    assert label.gamma < border.gamma < 1
    for one in (border, label):
        assert one.interval is not None
        assert one.interval[0] <= (one.gamma or 0) <= one.interval[1]
        assert one.draws >= 30


def test_the_same_answers_give_the_same_figure_in_any_order() -> None:
    there = measure_gamma([a_text(ada=[A, FAR], bo=[HALF])])
    back = measure_gamma([a_text(bo=[HALF], ada=[FAR, A])])
    assert there.whole.gamma == pytest.approx(back.whole.gamma, abs=0.02)
    assert measure_gamma([a_text(ada=[A, FAR], bo=[HALF])]) == there


def test_spans_at_the_border_of_documents_are_never_put_together() -> None:
    last = EntitySpan(len(TEXT) - 5, len(TEXT), "per")
    first = EntitySpan(0, 5, "per")
    measured = measure_gamma([a_text(1, ada=[last], bo=[]), a_text(2, ada=[], bo=[first])])
    assert measured.whole.gamma is not None
    assert measured.whole.gamma < 0.1


def test_people_and_documents_are_told_apart() -> None:
    documents = [
        a_text(1, ada=[A, FAR], bo=[A, FAR], cy=[OTHER]),
        a_text(2, ada=[A], bo=[A]),
        a_text(3, ada=[FAR], cy=[A]),
        a_text(4, ada=[FAR]),
    ]
    measured = measure_gamma(documents)
    assert (measured.shared, measured.documents) == (3, 3)
    by_names = {(pair.left, pair.right): pair for pair in measured.pairs}
    assert {names: pair.documents for names, pair in by_names.items()} == {
        ("ada", "bo"): 2,
        ("ada", "cy"): 2,
        ("bo", "cy"): 1,
    }
    assert by_names["ada", "bo"].whole.gamma == 1
    assert [name for name, _ in measured.least_agreed] == ["3", "1"]


def test_gamma_says_why_it_is_undefined() -> None:
    assert measure_gamma([]).whole.why_not == "Nobody marked a span."
    assert measure_gamma([a_text(ada=[], bo=[])]).whole.why_not == "Nobody marked a span."


def test_of_very_many_spans_documents_are_drawn_and_counted() -> None:
    many = [a_text(number, ada=[A, FAR], bo=[HALF, FAR]) for number in range(1_500)]
    measured = measure_gamma(many)
    assert (measured.shared, measured.documents) == (1_500, 1_000)
    assert measured.whole.spans == 4_000


@pytest.mark.parametrize("people", [2, 3])
def test_gamma_is_that_of_the_reference_package(people: int) -> None:
    reference = pytest.importorskip("pygamma_agreement", reason="pygamma-agreement is not installed")
    from pyannote.core import Segment

    drawn = np.random.default_rng(people)
    answers: dict[str, list[EntitySpan]] = {}
    for name in "abc"[:people]:
        answers[name] = [
            EntitySpan(
                start + int(drawn.integers(0, 3)), start + 6 + int(drawn.integers(0, 4)), str(drawn.choice(["x", "y"]))
            )
            for start in range(5, 380, 25)
            if drawn.random() < 0.8
        ]
    continuum = reference.Continuum()
    for name, spans in answers.items():
        continuum.add_annotator(name)
        for span in spans:
            continuum.add(name, Segment(float(span.start), float(span.end)), span.label)
    continuum.bound_inf, continuum.bound_sup = 0.0, 400.0
    np.random.seed(1)
    told = continuum.compute_gamma(
        reference.CombinedCategoricalDissimilarity(alpha=1, beta=1, delta_empty=1.0),
        n_samples=300,
        sampler=reference.ShuffleContinuumSampler(),
    )
    rows = [
        (person, span.start, span.end, "xy".index(span.label))
        for person, spans in enumerate(answers.values())
        for span in spans
    ]
    best = best_alignment(units(rows), people)
    assert best.disorders.sum() * people / len(rows) == pytest.approx(told.observed_disorder, abs=1e-5)
    ours = measure_gamma([AnsweredText("1", "x" * 400, answers)]).whole
    assert ours.gamma == pytest.approx(told.gamma, abs=0.03)
