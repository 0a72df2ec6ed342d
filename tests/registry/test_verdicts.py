import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.evidence import Tally, borders, log_evidence, log_worse, share_interval
from registry.forecast import forecast
from registry.verdicts import judge_f1, judge_rate


def brute_force(exceeded: int, requests: int, limit: float) -> tuple[float, float]:
    """The two mixtures by adding up many thin slices, in the angle in which the Beta(1/2, 1/2) prior is flat."""
    log_at_limit = exceeded * math.log(limit) + (requests - exceeded) * math.log1p(-limit)

    def mixture(low: float, high: float) -> float:
        angles = low + (high - low) * (np.arange(40_000) + 0.5) / 40_000
        shares = np.sin(angles) ** 2
        logs = exceeded * np.log(shares) + (requests - exceeded) * np.log1p(-shares) - log_at_limit
        return float(logs.max() + np.log(np.exp(logs - logs.max()).mean()))

    middle = math.asin(math.sqrt(limit))
    return mixture(middle, math.pi / 2), mixture(0, middle)


@settings(deadline=None)
@given(st.integers(1, 3000), st.floats(0, 1), st.sampled_from([0.001, 0.01, 0.05, 0.5, 0.9]))
def test_e_values_equal_the_integral_when_it_is_added_up(requests: int, share: float, limit: float) -> None:
    exceeded = round(share * requests)
    above, below = log_evidence(exceeded, requests, limit)
    assert (float(above), float(below)) == pytest.approx(brute_force(exceeded, requests, limit), rel=5e-4, abs=1e-4)


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.sampled_from([0.01, 0.2, 0.5]))
def test_no_bet_wins_on_average_when_the_share_is_at_the_limit(exceeded: int, kept: int, limit: float) -> None:
    now = np.exp(log_evidence(exceeded, exceeded + kept, limit))
    bad = np.exp(log_evidence(exceeded + 1, exceeded + kept + 1, limit))
    good = np.exp(log_evidence(exceeded, exceeded + kept + 1, limit))
    assert limit * bad + (1 - limit) * good == pytest.approx(now, rel=1e-9)


@pytest.mark.parametrize("limit", [0.01, 0.05, 0.5])
def test_borders_equal_a_search_through_every_count_when_requests_are_few(limit: float) -> None:
    requests = np.arange(1, 300)
    found = borders(requests, limit, 0.05)
    for number, fail_from, pass_up_to in zip(requests, found.fail_from, found.pass_up_to, strict=True):
        above, below = log_evidence(np.arange(number + 1), number, limit)
        assert fail_from == np.argmax(above >= math.log(20)) if (above >= math.log(20)).any() else number + 1
        assert pass_up_to == (below >= math.log(20)).sum() - 1


@settings(deadline=None)
@given(st.integers(1, 3000), st.floats(0, 1), st.sampled_from([0.01, 0.05, 0.2]))
def test_the_interval_of_a_share_lies_on_one_side_of_a_limit_exactly_where_the_evidence_does(
    requests: int, share: float, limit: float
) -> None:
    tally = Tally(round(share * requests), requests)
    low, high = share_interval(tally, 0.05)
    assert 0 <= low <= tally.exceeded / requests <= high <= 1
    above, below = log_evidence(tally.exceeded, requests, limit)
    assert (high < limit, low > limit) == (below >= math.log(20), above >= math.log(20))


def canaries(share: float, runs: int, requests: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Exceeding requests of each canary (columns) at each look (rows), one look every ten requests."""
    looks = np.arange(10, requests + 1, 10)
    return looks, np.random.default_rng(seed).binomial(10, share, size=(len(looks), runs)).cumsum(axis=0)


@pytest.mark.parametrize("share", [0.01, 0.05])
def test_at_most_one_canary_in_twenty_fails_when_it_is_exactly_at_the_limit(share: float) -> None:
    looks, exceeded = canaries(share, runs=10_000, requests=5_000, seed=1)
    assert (exceeded >= borders(looks, share, 0.05).fail_from[:, None]).any(axis=0).mean() <= 0.05


def test_at_most_one_canary_in_twenty_passes_when_it_is_exactly_at_the_limit() -> None:
    looks, exceeded = canaries(0.01, runs=10_000, requests=5_000, seed=2)
    assert (exceeded <= borders(looks, 0.01, 0.05).pass_up_to[:, None]).any(axis=0).mean() <= 0.05


@pytest.mark.parametrize(("share", "median"), [(0.05, 150), (0.10, 50)])
def test_few_requests_settle_it_when_a_canary_is_bad(share: float, median: int) -> None:
    looks, exceeded = canaries(share, runs=4_000, requests=5_000, seed=3)
    fails = exceeded >= borders(looks, 0.01, 0.05).fail_from[:, None]
    assert fails.any(axis=0).all()
    assert np.median(looks[fails.argmax(axis=0)]) <= median


@pytest.mark.parametrize(
    ("tally", "verdict"),
    [
        (Tally(0, 376), "not enough evidence"),
        (Tally(0, 377), "pass"),
        (Tally(8, 100), "fail"),
        (Tally(1, 100), "not enough evidence"),
        (Tally(0, 0), "not enough evidence"),
        (Tally(math.nan, math.nan), "not enough evidence"),
        (Tally(math.nan, 500), "not enough evidence"),
        (Tally(0, math.inf), "not enough evidence"),
        (Tally(500, 100), "not enough evidence"),
        (Tally(-1, 100), "not enough evidence"),
    ],
)
def test_the_verdict_has_three_values_when_counts_differ(tally: Tally, verdict: str) -> None:
    found = judge_rate(tally, 0.01)
    assert found.verdict == verdict
    assert found.reason.endswith(".")


def test_a_verdict_is_the_same_when_it_is_computed_again_from_what_it_holds() -> None:
    first = judge_rate(Tally(9, 200), 0.01, stable=Tally(3, 3800))
    again = judge_rate(first.canary, first.limit, stable=first.stable, false_alarm_rate=first.false_alarm_rate)
    assert again == first
    assert first.verdict == "fail"


def test_nothing_fails_when_both_versions_suffer_alike() -> None:
    found = judge_rate(Tally(60, 200), 0.01, stable=Tally(1200, 3800))
    assert found.verdict == "not enough evidence"
    assert found.is_shared_outage
    assert "no worse than" in found.reason


def test_nobody_is_blamed_when_stable_served_no_request() -> None:
    found = judge_rate(Tally(60, 200), 0.01, stable=Tally(0, 0))
    assert (found.verdict, found.is_shared_outage) == ("not enough evidence", True)
    assert found.reason.endswith("and nobody answered beside it.")
    assert judge_rate(Tally(60, 200), 0.01, stable=Tally(0, 0), alone_fails=True).verdict == "fail"


def test_few_canaries_are_called_worse_when_both_versions_are_equal() -> None:
    generator = np.random.default_rng(5)
    called = 0
    for _ in range(100):
        canary = generator.binomial(25, 0.05, size=20).cumsum()
        stable = generator.binomial(475, 0.05, size=20).cumsum()
        called += any(
            log_worse(Tally(canary[look], 25 * (look + 1)), Tally(stable[look], 475 * (look + 1))) >= math.log(20)
            for look in range(0, 20, 4)
        )
    assert called <= 5


def test_the_canary_is_called_worse_when_it_fails_and_the_other_does_not() -> None:
    assert log_worse(Tally(20, 200), Tally(4, 3800)) > math.log(20)
    assert log_worse(Tally(0, 200), Tally(400, 3800)) < 0


@pytest.mark.parametrize("share", [0.02, 0.05])
def test_the_forecast_is_about_right_when_half_the_evidence_is_there(share: float) -> None:
    looks, exceeded = canaries(share, runs=400, requests=12_000, seed=6)
    table = borders(looks, 0.01, 0.05)
    is_settled = (exceeded >= table.fail_from[:, None]) | (exceeded <= table.pass_up_to[:, None])
    ends = looks[is_settled.argmax(axis=0)]
    half = int(np.median(ends) / 2) // 10 * 10
    undecided = np.flatnonzero(ends > half)
    told = [forecast(Tally(int(exceeded[half // 10 - 1, run]), half), 0.01, 0.05) for run in undecided]
    ratios = [(half + one.requests) / ends[run] for one, run in zip(told, undecided, strict=True) if one is not None]
    assert np.median(ratios) == pytest.approx(1, abs=0.3)
    in_range = [
        half + one.low <= ends[run] and (one.high is None or ends[run] <= half + one.high + 10)
        for one, run in zip(told, undecided, strict=True)
        if one is not None
    ]
    assert sum(in_range) / len(undecided) >= 0.7


@settings(deadline=None)
@given(st.integers(1, 5000), st.floats(0, 0.2), st.sampled_from([0.01, 0.05]))
def test_a_forecast_lies_in_its_range_and_is_the_same_when_it_is_asked_again(
    requests: int, share: float, limit: float
) -> None:
    tally = Tally(round(share * requests), requests)
    told = forecast(tally, limit, 0.05)
    assert told == forecast(tally, limit, 0.05)
    assert told is None or 1 <= told.low <= told.requests <= (told.high or math.inf)


def test_no_end_is_promised_when_the_share_is_the_limit() -> None:
    assert forecast(Tally(10_000, 1_000_000), 0.01, 0.05) is None
    assert forecast(Tally(50_000, 1_000_000), 0.05, 0.05) is None


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        ((0.001, -0.012, 0.014), "pass"),
        ((-0.04, -0.06, -0.021), "fail"),
        ((-0.01, -0.03, 0.01), "not enough evidence"),
        ((math.nan, math.nan, math.nan), "not enough evidence"),
    ],
)
def test_f1_is_judged_by_its_interval_when_a_margin_is_given(
    interval: tuple[float, float, float], verdict: str
) -> None:
    assert judge_f1(*interval, margin=0.02)[0] == verdict
