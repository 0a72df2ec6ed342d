import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ner.documents import EntitySpan
from ner.scoring import paired_f1_difference
from registry.quality_verdicts import (
    Judged,
    PairedCounts,
    Stratum,
    f1_difference,
    judge_quality,
    neyman_shares,
)


def some_documents(count: int, *, seed: int, worse: float = 0.0, strata: bool = False) -> list[Judged]:
    """Three spans in each document; either version misses one now and then, the canary more often by `worse`."""
    random = np.random.default_rng(seed)
    made = []
    for stable_misses, canary_misses in random.random((count, 2)) < (0.1, 0.1 + worse):
        stratum: Stratum = ("disagree" if stable_misses or canary_misses else "agree") if strata else "all"
        counts = PairedCounts(3 - stable_misses, 3 - stable_misses, 3, 3 - canary_misses, 3 - canary_misses, 3)
        made.append(Judged(counts, stratum))
    return made


def as_spans(right: float) -> list[EntitySpan]:
    return [EntitySpan(3 * place, 3 * place + 2, "per") for place in range(int(right))]


@pytest.mark.parametrize("seed", range(4))
def test_the_interval_is_that_of_the_paired_bootstrap_when_every_document_counts_once(seed: int) -> None:
    documents = some_documents(400, seed=seed, worse=0.05)
    found = f1_difference(documents)
    stable, canary = ([as_spans(one.counts[at]) for one in documents] for at in (0, 3))
    expected = paired_f1_difference([as_spans(3)] * 400, stable, canary, resamples=4000, seed=1)
    assert found is not None
    assert found.difference == pytest.approx(expected["difference"])
    assert found.low == pytest.approx(expected["low"], abs=0.0025)
    assert found.high == pytest.approx(expected["high"], abs=0.0025)


def test_the_weighted_sums_are_those_of_all_documents_on_average_when_strata_are_sampled() -> None:
    everything = [*some_documents(40, seed=3, strata=True)]
    of = {name: [one for one in everything if one.stratum == name] for name in ("disagree", "agree")}
    disagree, agree = of["disagree"][:6], of["agree"][:5]
    population = {"disagree": len(disagree), "agree": len(agree)}
    totals = []
    for some, others in itertools.product(itertools.combinations(disagree, 3), itertools.combinations(agree, 1)):
        found = f1_difference([*some, *others], population)
        assert found is not None
        totals.append(sum(np.array(one.counts) * found.weights[one.stratum] for one in (*some, *others)))
    whole = sum(np.array(one.counts) for one in (*disagree, *agree))
    assert np.mean(totals, axis=0) == pytest.approx(whole)


@pytest.mark.parametrize(("share", "least", "most"), [(None, 0.91, 0.985), (0.8, 0.91, 0.985)])
def test_the_interval_covers_the_truth_as_often_as_it_says_when_it_is_asked_often(
    share: float | None, least: float, most: float
) -> None:
    everything = some_documents(20_000, seed=7, worse=0.03, strata=share is not None)
    truth = f1_difference(everything)
    assert truth is not None
    random, covered, rounds = np.random.default_rng(2), 0, 300
    for _ in range(rounds):
        seen = [everything[place] for place in random.integers(len(everything), size=1000)]
        if share is None:
            found = f1_difference(seen[:300])
        else:
            of = {name: [one for one in seen if one.stratum == name] for name in ("disagree", "agree")}
            population = {name: len(members) for name, members in of.items()}
            found = f1_difference(
                [*of["disagree"][: int(200 * share)], *of["agree"][: int(200 * (1 - share))]], population
            )
        assert found is not None
        covered += found.low <= truth.difference <= found.high
    assert least <= covered / rounds <= most


def test_the_interval_is_narrower_when_disagreeing_documents_are_labelled_first() -> None:
    seen = some_documents(4000, seed=5, strata=True)
    population = {name: sum(one.stratum == name for one in seen) for name in ("disagree", "agree")}
    first = [one for one in seen if one.stratum == "disagree"][:160] + [one for one in seen if one.stratum == "agree"][
        :40
    ]
    at_random = f1_difference([Judged(one.counts) for one in seen[:500]])
    stratified = f1_difference(first, population)
    assert at_random is not None
    assert stratified is not None
    assert stratified.width < at_random.width


@given(seed=st.integers(0, 10_000), count=st.integers(100, 300), worse=st.floats(-0.1, 0.3))
@settings(max_examples=40, deadline=None)
def test_a_verdict_says_what_its_interval_says_when_labels_are_judged(seed: int, count: int, worse: float) -> None:
    judged = judge_quality(some_documents(count, seed=seed, worse=worse))
    assert judged.basis == "labels"
    assert judged.difference is not None
    assert judged.difference.low <= judged.difference.difference <= judged.difference.high
    expected = (
        "pass" if judged.difference.low > -0.02 else "fail" if judged.difference.high < -0.02 else "not enough evidence"
    )
    assert judged.verdict == expected


def test_a_better_canary_passes_and_a_much_worse_one_fails_when_enough_is_labelled() -> None:
    assert judge_quality(some_documents(1500, seed=1, worse=-0.08)).verdict == "pass"
    assert judge_quality(some_documents(1500, seed=1, worse=0.3)).verdict == "fail"


def test_it_says_how_many_labels_are_missing_when_there_are_few() -> None:
    few = judge_quality(some_documents(20, seed=1))
    assert (few.verdict, few.basis) == ("not enough evidence", "nothing")
    assert few.reason == "20 of at least 100 documents are labelled."
    lopsided = judge_quality(
        [one for one in some_documents(1200, seed=1, strata=True) if one.stratum == "disagree"],
        {"disagree": 100, "agree": 900},
    )
    assert lopsided.reason.startswith("0 of at least 10 documents on which the versions agree are labelled")


def test_the_estimate_stands_in_and_says_so_when_nothing_is_labelled() -> None:
    counts = [one.counts for one in some_documents(600, seed=2, worse=0.3)]
    judged = judge_quality([], {"disagree": 100, "agree": 900}, estimates=counts)
    assert (judged.verdict, judged.basis) == ("fail", "estimate")
    assert "estimated from the versions' own probabilities on 600 texts" in judged.reason


def test_it_is_not_sure_when_the_few_differences_all_point_one_way() -> None:
    same = PairedCounts(3, 3, 3, 3, 3, 3)
    found = f1_difference([Judged(same)] * 60)
    assert found is not None
    assert found.low < -0.01 < 0.01 < found.high


def test_nothing_is_claimed_when_there_is_no_entity() -> None:
    assert f1_difference([]) is None
    assert judge_quality([Judged(PairedCounts(0, 0, 0, 0, 0, 0))] * 190).verdict == "not enough evidence"


def test_labels_go_where_size_and_spread_are_when_they_are_shared_out() -> None:
    shares = neyman_shares({"disagree": 100, "agree": 900}, {"disagree": 0.9, "agree": 0.1})
    assert shares["disagree"] == pytest.approx(0.5)
    assert math.isclose(sum(shares.values()), 1)
