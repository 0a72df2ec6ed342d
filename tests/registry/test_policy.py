from pathlib import Path
from typing import Any

import pytest

from ner.errors import InvalidInput
from registry.policy import as_policy, default_policy, load_policy


def a_policy(**changes: Any) -> dict[str, Any]:
    return {
        "steps_percent": [10, 100],
        "bake": {"shortest_hours": 1, "longest_hours": 2},
        "false_alarm_rate": 0.05,
        "criteria": {"error_rate": {"limit": 0.01, "on_breach": "roll_back"}},
    } | changes


def test_the_plan_is_the_agreed_one_when_no_policy_is_given() -> None:
    policy = default_policy()
    assert policy.steps_percent == (5, 25, 50, 75, 100)
    assert (policy.shortest_hours, policy.longest_hours) == (24, 48)
    assert {c.name: (c.limit, c.on_breach) for c in policy.criteria} == {
        "error_rate": (0.01, "roll_back"),
        "latency_p95_ms": (200, "investigate"),
        "latency_p99_ms": (500, "hold"),
        "f1_drop": (0.02, "investigate"),
        "memory_share": (0.80, "hold"),
    }


def test_a_percentile_becomes_a_share_of_slow_requests_when_it_is_a_criterion() -> None:
    shares = {c.name: (c.allowed_share, c.slower_than_ms) for c in default_policy().criteria}
    assert shares == {
        "error_rate": (0.01, None),
        "latency_p95_ms": (0.05, 200),
        "latency_p99_ms": (0.01, 500),
        "f1_drop": (None, None),
        "memory_share": (None, None),
    }
    assert [c.name for c in default_policy().rate_criteria] == ["error_rate", "latency_p95_ms", "latency_p99_ms"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"steps_percent": [25, 5, 100]}, "must grow"),
        ({"steps_percent": [5, 50]}, "end with 100"),
        ({"steps_percent": "all"}, "list of shares"),
        ({"steps_percent": [0, 100]}, "number from 0.01 to 100"),
        ({"bake": {"shortest_hours": 3, "longest_hours": 2}}, "bake.longest_hours must be a number from 3"),
        ({"bake": {"shortest_hours": 3, "hours": 2}}, "bake does not know hours"),
        ({"false_alarm_rate": float("nan")}, "false_alarm_rate must be a number"),
        ({"false_alarm_rate": True}, "false_alarm_rate must be a number"),
        ({"criteria": {}}, "at least one promise"),
        ({"criteria": {"speed": {"limit": 1, "on_breach": "hold"}}}, "'speed' is not a criterion"),
        ({"criteria": {"error_rate": {"limit": 1.5, "on_breach": "hold"}}}, "criteria.error_rate.limit must be"),
        ({"criteria": {"latency_p95_ms": {"limit": 200, "on_breach": "shout"}}}, "must be one of roll_back, hold"),
        ({"extra": 1}, "does not know extra"),
    ],
)
def test_a_sentence_names_the_key_when_a_policy_cannot_work(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        as_policy(a_policy(**changes))


def test_a_policy_of_minutes_is_read_when_the_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "quick.yml"
    path.write_text(
        "steps_percent: [50, 100]\n"
        "bake: {shortest_hours: 0.01, longest_hours: 0.02}\n"
        "false_alarm_rate: 0.01\n"
        "criteria:\n  latency_p99_9_ms: {limit: 800, on_breach: hold}\n"
    )
    policy = load_policy(path)
    assert policy.shortest_hours == 0.01
    assert policy.criteria[0].allowed_share == 0.001


@pytest.mark.parametrize("content", [b"steps_percent: [1", b"\xff\xfe\x00", b"just words"])
def test_a_sentence_is_raised_when_the_file_is_no_policy(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.yml"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match="olicy"):
        load_policy(path)


def test_a_sentence_is_raised_when_the_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read: No such file"):
        load_policy(tmp_path / "none.yml")
