from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.agreement import cohen_kappa, measure_agreement, nominal_alpha, token_labels
from ner.documents import EntitySpan

TEXT = "Maria Silva left New York"
PERSON, CITY, HALF = EntitySpan(0, 11, "per"), EntitySpan(17, 25, "geo"), EntitySpan(21, 25, "geo")


def test_kappa_is_the_worked_example_of_the_textbooks() -> None:
    # Two raters, 50 items: 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no; observed 0.7, by chance 0.5.
    left = ["yes"] * 25 + ["no"] * 25
    right = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohen_kappa(left, right) == pytest.approx(0.4, abs=1e-12)


def test_alpha_is_krippendorffs_own_example() -> None:
    # Krippendorff 2011, "Computing Krippendorff's alpha-reliability", section C: nominal, alpha 0.743.
    observers = (
        "1 2 3 3 2 1 4 1 2 . . .",
        "1 2 3 3 2 2 4 1 2 5 . 3",
        ". 3 3 3 2 3 4 2 2 5 1 .",
        "1 2 3 3 2 4 4 1 2 5 1 .",
    )
    units = [
        [value for value in values if value != "."] for values in zip(*(row.split() for row in observers), strict=True)
    ]
    assert nominal_alpha(units)[0] == pytest.approx(0.743, abs=5e-4)


@given(st.lists(st.lists(st.sampled_from("abc"), min_size=2, max_size=4), min_size=1, max_size=8))
def test_alpha_equals_its_definition_by_pairs(units: list[list[str]]) -> None:
    within = sum(
        2 * sum(one != other for one, other in combinations(values, 2)) / (len(values) - 1) for values in units
    )
    everything = [value for values in units for value in values]
    between = 2 * sum(one != other for one, other in combinations(everything, 2))
    alpha, why_not = nominal_alpha(units)
    if between == 0:
        assert (alpha, why_not is not None) == (None, True)
    else:
        expected = 1 - (len(everything) - 1) * within / between
        assert alpha == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("ab")), min_size=1, max_size=20))
def test_kappa_equals_its_definition(pairs: list[tuple[str, str]]) -> None:
    ours, theirs = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    chance = sum(ours[label] / len(pairs) * theirs[label] / len(pairs) for label in "ab")
    seen = sum(one == other for one, other in pairs) / len(pairs)
    kappa = cohen_kappa([one for one, _ in pairs], [other for _, other in pairs])
    if abs(chance - 1) < 1e-12:
        assert kappa is None
    else:
        assert kappa == pytest.approx((seen - chance) / (1 - chance), abs=1e-9)


def test_the_innermost_span_labels_a_token() -> None:
    nested = [EntitySpan(0, 11, "per"), EntitySpan(6, 11, "org")]
    assert token_labels(TEXT, nested) == ["per", "org", "O", "O", "O"]


def test_people_are_compared_in_pairs_on_what_both_corrected() -> None:
    documents = [
        (TEXT, {"ada": [PERSON, CITY], "bo": [PERSON, HALF]}),
        (TEXT, {"ada": [PERSON], "bo": [PERSON], "cy": []}),
        (TEXT, {"ada": [CITY]}),
    ]
    measured = measure_agreement(documents)
    assert (measured.documents, measured.people) == (2, ["ada", "bo", "cy"])
    by_names = {(pair.left, pair.right): pair for pair in measured.pairs}
    pair = by_names["ada", "bo"]
    assert pair.documents == 2
    assert pair.exact_f1 == pytest.approx(2 * 2 / 6)
    assert pair.partial_f1 == pytest.approx(1.0)
    assert pair.per_label == {"geo": 0.0, "per": 1.0}
    assert pair.exact_f1_interval is not None
    assert pair.exact_f1_interval[0] <= pair.exact_f1 <= pair.exact_f1_interval[1]
    assert by_names["ada", "cy"].exact_f1 == 0


def test_the_order_of_spans_does_not_matter() -> None:
    one = measure_agreement([(TEXT, {"ada": [PERSON, CITY], "bo": [CITY, PERSON]})])
    assert one.pairs[0].exact_f1 == 1
    assert one.alpha == 1


def test_agreement_says_why_it_is_undefined() -> None:
    assert measure_agreement([]).why_not == "No token was labelled by two people."
    same = measure_agreement([(TEXT, {"ada": [], "bo": []})])
    assert same.alpha is None
    assert "no disagreement to compare with" in (same.why_not or "")
    assert same.pairs[0].exact_f1 is None
