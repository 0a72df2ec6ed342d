"""Where another version answers for a canary: the log says so, the canary is blamed, and nobody else is."""

import datetime as dt
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from ner import tables
from ner.database import utc_now
from ner.predictions import Tagged
from registry.policy import default_policy
from registry.rollup_table import fold_hours, fold_minutes, read_rollups
from registry.tallies import Tallies, TallyCounter, Trialled
from tests.api.rooms import BREAKS, Room

_NAMES = ("version", "variant", "status", "stood_in_for", "covered_by")


def _rows(room: Room) -> list[Any]:
    room.logged()
    with room.database.reading() as connection:
        return list(connection.execute(sa.select(tables.predictions).order_by(tables.predictions.c.id)))


def _facts(room: Room) -> list[tuple[Any, ...]]:
    return [tuple(getattr(row, name) for name in _NAMES) for row in _rows(room)]


def _tallies(room: Room) -> Tallies:
    room.logged()
    policy = default_policy()
    began = utc_now() - dt.timedelta(hours=1)
    with room.database.reading() as connection:
        return TallyCounter(policy.rate_criteria).count(connection, Trialled("1.1.0", "1.0.0", began, began))


@contextmanager
def _hanging(room: Room) -> Iterator[None]:
    """The canary answers nothing meanwhile."""
    canary = room.app.state.wiring.serving.lineup.canary.tagger
    may_go, tag = threading.Event(), canary.tag

    def hang(texts: Sequence[str]) -> list[Tagged]:
        may_go.wait(60)
        return [Tagged((), 0, 0) for _ in texts]

    canary.tag = hang
    try:
        yield
    finally:
        may_go.set()
        canary.tag = tag


def test_the_log_says_who_stood_in_and_whose_failure_was_covered(light_room: Room) -> None:
    light_room.canary("1.1.0", 100, breaks=True)
    light_room.predict(f"John {BREAKS}", light_room.headers())
    light_room.predict("John", light_room.headers())

    assert _facts(light_room) == [
        ("1.1.0", "canary", 500, "", "stable"),
        ("1.0.0", "stable", 200, "canary", ""),
        ("1.1.0", "canary", 200, "", ""),
    ]


def test_a_failure_is_covered_by_nobody_when_the_stable_version_fails_too(light_room: Room) -> None:
    light_room.canary("1.1.0", 100, breaks=True)
    light_room.app.state.wiring.serving.lineup.stable.tagger._breaks = True
    body = {"text": f"John {BREAKS}"}
    answer = light_room.client.post("/api/v1/ner/predict", json=body, headers=light_room.headers())

    assert answer.status_code == 500
    assert _facts(light_room) == [("1.1.0", "canary", 500, "", ""), ("1.0.0", "stable", 500, "", "")]


def test_the_log_says_who_stood_in_when_the_canary_was_never_loaded(light_room: Room) -> None:
    light_room.version("1.1.0")
    folder = light_room.settings.artifacts / "versions" / "1.1.0"
    folder.rename(folder.with_name("elsewhere"))
    body = {"version": "1.1.0", "percent": 100}
    light_room.client.post("/api/v1/rollout/canary", json=body, headers=light_room.headers("engineer"))
    light_room.predict("John", light_room.headers())

    assert _facts(light_room) == [("1.0.0", "stable", 200, "canary", "")]
    tallies = _tallies(light_room)
    assert {one.requests for one in tallies.stable.values()} == {0}


def test_only_the_canary_is_judged_when_the_stable_version_stands_in_for_it(
    light_room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.answering._CANARY_SECONDS", 0.6)
    light_room.canary("1.1.0", 100)
    with _hanging(light_room):
        for number in range(2):
            light_room.predict(f"John {number}", light_room.headers())

    tallies = _tallies(light_room)
    found = {name: (one.exceeded, one.requests) for name, one in tallies.step.items()}
    # It failed twice, and each time took longer than every limit.
    assert found == {"error_rate": (2, 2), "latency_p95_ms": (2, 2), "latency_p99_ms": (2, 2)}
    assert {(one.exceeded, one.requests) for one in tallies.stable.values()} == {(0, 0)}


def test_the_versions_of_a_batch_do_not_wait_for_each_other(light_room: Room) -> None:
    light_room.canary("1.1.0", 50)
    texts = [f"John {number}" for number in range(20)]
    with _hanging(light_room):
        body = {"texts": texts}
        results = light_room.client.post("/api/v1/ner/batch", json=body, headers=light_room.headers()).json()["results"]

    assert {result["degraded"] for result in results} == {True, False}
    rows = _rows(light_room)
    own = [row.latency_ms for row in rows if row.variant == "stable" and not row.stood_in_for]
    instead = [row.latency_ms for row in rows if row.stood_in_for]
    covered = [row.latency_ms for row in rows if row.covered_by]
    assert len(own) + len(instead) == 20
    assert len(instead) == len(covered)
    # The canary is given a second.
    assert max(own) < min(covered) <= min(instead)
    assert min(covered) >= 1_000


def test_traffic_counts_each_request_once_and_shows_who_stood_in(light_room: Room) -> None:
    light_room.canary("1.1.0", 100, breaks=True)
    headers = light_room.headers("engineer")
    for number in range(3):
        light_room.predict(f"John {number} {BREAKS}", headers)
    light_room.predict("John", headers)
    light_room.logged()

    body = light_room.client.get("/api/v1/traffic", headers=headers).json()
    assert (body["total"]["requests"], body["total"]["errors_5xx"]) == (4, 0)
    assert sum(row["requests"] for row in body["series"]) == 4
    arms = {(arm["variant"], arm["stood_in_for"]): arm for arm in body["arms"]}
    canary, instead = arms["canary", ""], arms["stable", "canary"]
    assert (canary["requests"], canary["errors_5xx"], canary["covered"], canary["share"]) == (4, 3, 3, 0.25)
    assert (instead["requests"], instead["errors_5xx"], instead["covered"], instead["share"]) == (3, 0, 0, 0.75)
    assert "stood_in_for" in light_room.client.get("/api/v1/figures/arms/csv", headers=headers).text


def test_the_counts_stay_apart_when_minutes_and_hours_are_folded(light_room: Room) -> None:
    light_room.canary("1.1.0", 100, breaks=True)
    for number in range(3):
        light_room.predict(f"John {number} {BREAKS}", light_room.headers())
        light_room.logged()
    arms = {("1.1.0", "canary", "", "stable"): 3, ("1.0.0", "stable", "canary", ""): 3}

    for fold, later in ((fold_minutes, dt.timedelta(hours=1)), (fold_hours, dt.timedelta(days=4))):
        with light_room.database.transaction() as connection:
            assert fold(connection, now=utc_now() + later) > 0
            rollups = read_rollups(connection, since=utc_now() - dt.timedelta(hours=2))
        assert {rollup.arm: rollup.requests for rollup in rollups} == arms


def test_no_version_is_blamed_in_the_metrics_when_one_stands_in(light_room: Room) -> None:
    light_room.canary("1.1.0", 100, breaks=True)
    light_room.predict(f"John {BREAKS}", light_room.headers())

    shown = light_room.client.get("/metrics").text
    assert 'ner_request_seconds_count{route="/api/v1/ner/predict",variant="stand-in",version="1.0.0"} 1.0' in shown
    assert 'ner_answer_failures_total{variant="canary",version="1.1.0"} 1.0' in shown
