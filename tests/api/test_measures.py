"""What the API says about itself."""

import re

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from api.measures import WINDOW_SECONDS, Recent
from ner import tables
from ner.predictions import ScoredSpan, Tagged
from registry.prediction_log import entity_facts
from tests.api.rooms import Room


def _sample(room: Room, name: str, **labels: str) -> float:
    """The value of one Prometheus sample."""
    for line in room.client.get("/metrics").text.splitlines():
        found = re.fullmatch(rf"{name}(?:\{{(.*)\}})? (\S+)", line)
        if found and all(f'{label}="{value}"' in (found[1] or "") for label, value in labels.items()):
            return float(found[2])
    raise AssertionError(f"{name} {labels} is not exposed")


def test_health_is_healthy_when_the_stable_version_is_loaded_and_the_database_answers(light_room: Room) -> None:
    light_room.canary("1.1.0", 5)

    health = light_room.client.get("/api/v1/ner/health").json()

    assert health.pop("software")
    assert health == {
        "status": "healthy",
        "version": "1.0.0",
        "canary": "1.1.0",
        "canary_percent": 5.0,
        "database": "up",
        "alerts": [],
    }


def test_health_is_degraded_when_there_is_no_version(room: Room) -> None:
    health = room.client.get("/api/v1/ner/health").json()

    assert (health["status"], health["version"]) == ("degraded", None)


def test_metrics_are_null_when_nothing_was_asked(room: Room) -> None:
    metrics = room.client.get("/api/v1/ner/metrics").json()

    assert metrics == {
        "latency_p50": None,
        "latency_p95": None,
        "latency_p99": None,
        "throughput": 0.0,
        "error_rate": None,
        "cache_hit_rate": None,
        "requests": 0,
        "window_seconds": WINDOW_SECONDS,
    }


def test_metrics_count_answers_errors_and_cache_hits(room: Room) -> None:
    headers = room.headers()
    room.client.post("/api/v1/ner/predict", json={"text": "too early"}, headers=headers)
    room.stable()
    for _ in range(3):
        room.predict("John", headers)

    metrics = room.client.get("/api/v1/ner/metrics").json()

    assert (metrics["requests"], metrics["error_rate"]) == (4, 0.25)
    assert metrics["cache_hit_rate"] == pytest.approx(2 / 3)
    assert 0 < metrics["latency_p50"] <= metrics["latency_p95"] <= metrics["latency_p99"]


@given(st.lists(st.floats(0.01, 1000), min_size=1, max_size=200))
def test_percentiles_are_those_of_the_window(latencies: list[float]) -> None:
    recent = Recent()
    recent.answered(10_000.0, failed=True, now=0.0)
    for latency in latencies:
        recent.answered(latency, failed=False, now=WINDOW_SECONDS + 1.0)

    summary = recent.summary(WINDOW_SECONDS + 2.0)

    assert summary.latency_p50 == pytest.approx(np.percentile(latencies, 50))
    assert (summary.requests, summary.error_rate) == (len(latencies), 0.0)


def test_prometheus_counts_requests_by_route_status_version_and_variant(light_room: Room) -> None:
    headers = light_room.headers()
    for text in ("John", "John", "Ada in Berlin", ""):
        light_room.client.post("/api/v1/ner/predict", json={"text": text}, headers=headers)
    light_room.client.get("/api/v1/versions/9.9.9", headers=headers)
    route = "/api/v1/ner/predict"

    assert _sample(light_room, "ner_requests_total", route=route, status="200", version="1.0.0", variant="stable") == 3
    assert _sample(light_room, "ner_requests_total", route=route, status="422") == 1
    assert _sample(light_room, "ner_requests_total", route="/api/v1/versions/{version}", status="404") == 1
    assert _sample(light_room, "ner_request_seconds_count", route=route, version="1.0.0", variant="stable") == 3
    assert _sample(light_room, "ner_request_seconds_bucket", route=route, version="1.0.0", le="0.15") <= 3
    assert _sample(light_room, "ner_entities_total", label="per", version="1.0.0") == 3
    assert _sample(light_room, "ner_cache_lookups_total", result="hit") == 1
    assert _sample(light_room, "ner_model_load_seconds", version="1.0.0") > 0


def test_prometheus_shows_the_share_of_the_canary(light_room: Room) -> None:
    light_room.canary("1.1.0", 5)

    assert _sample(light_room, "ner_canary_share") == 0.05


def test_an_unknown_address_does_not_become_a_label(light_room: Room) -> None:
    light_room.client.get("/api/v1/secret-of-somebody")

    exposed = light_room.client.get("/metrics").text

    assert "secret-of-somebody" not in exposed
    assert _sample(light_room, "ner_requests_total", route="none", status="404") == 1


def test_an_answer_is_logged_as_facts_without_its_text(room: Room) -> None:
    room.stable()
    key = room.key(name="the app")
    answer = room.predict("John is in Berlin", {"X-API-Key": key})
    room.predict("John is in Berlin", {"X-API-Key": key})
    room.logged()

    with room.database.reading() as connection:
        first, second = connection.execute(sa.select(tables.predictions).order_by(tables.predictions.c.id)).mappings()
        key_id = connection.scalar(sa.select(tables.api_keys.c.id).where(tables.api_keys.c.name == "the app"))

    assert first["request_id"] == answer["request_id"]
    assert (first["version"], first["variant"], first["status"], first["key_id"]) == ("1.0.0", "stable", 200, key_id)
    assert (first["characters"], first["tokens"], first["unknown_tokens"]) == (17, 4, 2)
    assert (first["entities"], first["lowest_confidence"]) == ({"per": 1, "geo": 1}, 0.9)
    assert first["confidences"] == [0] * 9 + [2]
    assert first["word_sample"] == [7, -9]
    assert first["latency_ms"] > 0
    assert (first["cached"], second["cached"]) == (False, True)
    assert "John" not in str(dict(first))


def test_each_text_of_a_batch_is_logged_under_its_own_id(light_room: Room) -> None:
    body = {"texts": ["John", "", "Ada"]}
    answer = light_room.client.post("/api/v1/ner/batch", json=body, headers=light_room.headers())
    light_room.logged()

    with light_room.database.reading() as connection:
        logged = set(connection.scalars(sa.select(tables.predictions.c.request_id)))

    assert logged == {result["request_id"] for result in answer.json()["results"] if "request_id" in result}
    assert len(logged) == 2


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 1)), max_size=20))
def test_every_entity_falls_in_one_label_and_one_tenth(found: list[tuple[str, float]]) -> None:
    spans = tuple(ScoredSpan(0, 1, label, confidence) for label, confidence in found)

    labels, lowest, tenths = entity_facts(Tagged(spans, 0, 0))

    assert sum(labels.values()) == sum(tenths) == len(found)
    assert lowest == min((confidence for _, confidence in found), default=None)
