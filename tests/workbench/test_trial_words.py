"""A canary's trial in words."""

import datetime as dt
from typing import Any

import pytest

from workbench.trial_words import beside, limit, measured, next_of, place

RATE = {
    **{"name": "error_rate", "title": "error rate", "limit": 0.01, "allowed_share": 0.01, "on_breach": "roll_back"},
    **{"verdict": "not enough evidence", "reason": "unclear", "value": 0.004, "low": 0.001, "high": 0.0123},
    **{"canary": {"exceeded": 2, "requests": 500, "share": 0.004}, "stable": None, "is_shared_outage": False},
    **{"requests_to_go": 320, "requests_to_go_range": [150, 900], "minutes_to_go": 12.0},
}
LATENCY = RATE | {"name": "latency_p99_ms", "limit": 500, "allowed_share": 0.01}
F1 = RATE | {"name": "f1_drop", "limit": 0.02, "allowed_share": None, "value": -0.004, "low": -0.019, "high": 0.011}
MEMORY = RATE | {"name": "memory_share", "limit": 0.8, "allowed_share": None, "value": 0.62, "low": None, "high": None}


@pytest.mark.parametrize(
    ("criterion", "asked", "found"),
    [
        (RATE, "at most 1 % of requests fail", "0.40 % (0.10 to 1.23 %), 2 of 500"),
        (LATENCY, "99 % of answers within 500 ms", "0.40 % (0.10 to 1.23 %), 2 of 500"),
        (F1, "less than 2 points", "−0.4 points (−1.9 to +1.1)"),
        (MEMORY, "less than 80 %", "62 %"),
        (MEMORY | {"value": None}, "less than 80 %", "–"),
    ],
)
def test_a_criterion_is_said_with_its_limit_and_its_interval(criterion: dict[str, Any], asked: str, found: str) -> None:
    assert limit(criterion).replace("\u00a0", " ") == asked
    assert measured(criterion).replace("\u00a0", " ") == found


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "about 320 requests to go (150 to 900), about 12 min"),
        ({"minutes_to_go": None, "requests_to_go_range": [150, None]}, "about 320 requests to go (150 or many more)"),
        ({"requests_to_go": None}, "unclear"),
        ({"verdict": "pass"}, "–"),
        ({"verdict": "fail"}, "rolled back at once"),
        ({"is_shared_outage": True}, "people are told: nobody answers beside it"),
        (
            {"is_shared_outage": True, "stable": {"exceeded": 9, "requests": 100, "share": 0.09}},
            "people are told: the stable version is beyond the limit too",
        ),
    ],
)
def test_what_comes_next_is_said(change: dict[str, Any], words: str) -> None:
    assert next_of(RATE | change) == words


def test_requests_to_go_that_do_not_come_in_are_said_to_be_missing() -> None:
    silent = RATE | {"minutes_to_go": None}
    assert next_of(silent, is_stale=True) == "about 320 requests to go (150 to 900), but none come in now"
    assert next_of(silent | {"requests_to_go": None}, is_stale=True) == "unclear"


def test_the_stable_version_is_named_only_where_it_answered() -> None:
    assert beside(RATE) == "–"
    answered = {"exceeded": 3, "requests": 1200, "share": 0.0025}
    assert beside(RATE | {"stable": answered}).replace("\u00a0", " ") == "0.25 %, 3 of 1,200"


@pytest.mark.parametrize(
    ("hours", "status", "words"),
    [
        (10, "running", "Step 2 of 3 · 50 % of the traffic · bakes for 14 h 0 min more (24 h to 48 h a step)"),
        (30, "running", "Step 2 of 3 · 50 % of the traffic · has baked for 30 h 0 min (24 h to 48 h a step)"),
        (30, "held", "Step 2 of 3 · 50 % of the traffic"),
    ],
)
def test_an_automatic_rollout_says_where_it_stands(hours: float, status: str, words: str) -> None:
    now = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    automatic = {
        **{"steps_percent": [10, 50, 100], "step": 1, "status": status, "shortest_hours": 24, "longest_hours": 48},
        "step_began_at": (now - dt.timedelta(hours=hours)).isoformat(),
    }
    assert place(automatic, now) == words
