from typing import Any

import pytest

from ner.errors import InvalidInput
from registry.policy import as_policy, default_policy
from registry.simulation import simulate


def shares(**truth: Any) -> dict[str, Any]:
    return simulate(default_policy(), runs=400, seed=7, **truth)


def test_a_healthy_canary_is_promoted_after_every_bake_when_all_goes_well() -> None:
    found = shares()
    assert found["promoted"] >= 0.9 * 400
    assert found["rolled_back"] == 0
    assert found["median_hours_to_outcome"] == 5 * 24
    assert [step["percent"] for step in found["steps"]] == [5, 25, 50, 75, 100]
    assert found["steps"][-1]["entered"] == found["promoted"]


def test_outcomes_add_up_when_canaries_are_borderline() -> None:
    found = shares(error_rate=0.009, f1_drop=0.015)
    assert found["promoted"] + found["rolled_back"] + found["undecided"] == found["runs"] == 400
    assert sum(found["reasons"].values()) == found["rolled_back"] + found["undecided"]


def test_five_percent_errors_are_rolled_back_within_150_requests_when_half_the_canaries_are_counted() -> None:
    found = shares(error_rate=0.05)
    assert found["rolled_back"] == 400
    assert found["reasons"] == {"error_rate": 400}
    assert found["median_requests_to_verdict"] <= 150


@pytest.mark.parametrize("truth", [{"error_rate": 0.01}, {"latency_p95_ms": 200, "latency_p50_ms": 199.9}])
def test_at_most_one_canary_in_twenty_is_rolled_back_when_it_is_exactly_at_a_limit(truth: dict[str, float]) -> None:
    found = simulate(default_policy(), runs=1000, seed=8, rate=20, **truth)
    assert found["rolled_back"] <= 50
    assert found["promoted"] <= 50


@pytest.mark.parametrize("rate", [0, 0.0001])
def test_nothing_is_promoted_or_rolled_back_when_there_is_no_traffic(rate: float) -> None:
    found = shares(rate=rate, error_rate=1.0)
    assert (found["promoted"], found["rolled_back"], found["undecided"]) == (0, 0, 400)
    assert found["median_requests_to_verdict"] is None


def test_a_slow_canary_is_investigated_to_the_end_of_the_bake_and_rolled_back_when_it_stays_slow() -> None:
    found = shares(latency_p95_ms=300)
    assert found["rolled_back"] == 400
    assert found["median_hours_to_outcome"] == 48


def test_a_canary_is_held_for_a_person_when_memory_is_short() -> None:
    found = shares(memory_share=0.9)
    assert (found["held"], found["promoted"], found["rolled_back"]) == (400, 0, 0)
    assert found["reasons"] == {"memory_share": 400}


def test_equal_f1_passes_and_a_real_drop_does_not_when_500_sentences_are_labelled() -> None:
    assert shares()["promoted"] >= 0.93 * 400
    assert shares(f1_drop=0.025)["promoted"] <= 0.05 * 400


def test_nothing_is_promoted_when_no_sentence_is_labelled() -> None:
    assert shares(labelled_documents=0)["promoted"] == 0


def test_the_same_seed_gives_the_same_figures_when_asked_twice() -> None:
    assert shares(error_rate=0.008) == shares(error_rate=0.008)


def test_a_policy_without_quality_promotes_on_requests_alone_when_it_says_so() -> None:
    policy = as_policy(
        {
            "steps_percent": [50, 100],
            "bake": {"shortest_hours": 0.1, "longest_hours": 1},
            "false_alarm_rate": 0.05,
            "criteria": {"error_rate": {"limit": 0.01, "on_breach": "roll_back"}},
        }
    )
    found = simulate(policy, runs=200, rate=20)
    assert found["promoted"] == 200
    assert found["median_hours_to_outcome"] < 1


@pytest.mark.parametrize(
    "truth",
    [
        {"error_rate": 1.2},
        {"error_rate": float("nan")},
        {"latency_p95_ms": -1},
        {"latency_p95_ms": 100, "latency_p50_ms": 200},
        {"f1_drop": 2},
        {"rate": -1},
        {"rate": float("nan")},
        {"runs": 0},
        {"labelled_documents": -1},
    ],
)
def test_a_sentence_is_raised_when_no_canary_can_be_so(truth: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=r"\.$"):
        simulate(default_policy(), **truth)
