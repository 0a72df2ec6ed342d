"""The figures that alerts read."""

import datetime as dt
from typing import Any

import numpy as np
import pytest

from dashboards.effects import WORDS_PER_SAMPLE
from dashboards.standing import measure_standing
from ner import tables
from ner.database import Database, utc_now
from registry.rollout import set_canary, set_stable
from registry.standing import F1_GOLD, VOCABULARY_OVERLAP, Figure
from tests.builders import a_version, registered


def _log(database: Database, version: str, words: list[list[int]], hours_ago: float = 1) -> None:
    at = utc_now() - dt.timedelta(hours=hours_ago)
    row: dict[str, Any] = {
        **{"request_id": "r", "at": at, "version": version, "variant": "stable", "status": 200, "latency_ms": 1.0},
        **{"cached": False, "key_id": "k", "characters": 60, "tokens": 12, "unknown_tokens": 1, "entities": {}},
        **{"lowest_confidence": None, "confidences": [0] * 10},
    }
    with database.transaction() as connection:
        connection.execute(tables.predictions.insert(), [row | {"word_sample": sample} for sample in words])


def _texts(count: int, unknown: float, seed: int = 0) -> list[list[int]]:
    """Texts of ten words, each drawn from 5,000 by Zipf's law; a word is unknown with probability `unknown`."""
    draw = np.random.default_rng(seed)
    is_unknown = draw.random(5_000) < unknown
    weights = 1 / np.arange(1, 5_001)
    words = draw.choice(5_000, size=(count, 10), p=weights / weights.sum())
    return [[-int(word) - 1 if is_unknown[word] else int(word) + 1 for word in row] for row in words]


def _measured(database: Database, profile: dict[str, Any] | None = None) -> dict[tuple[str, str], Figure]:
    with database.reading() as connection:
        figures = measure_standing(connection, lambda _: profile or {})
    return {(figure.version, figure.name): figure for figure in figures}


@pytest.fixture
def served(database: Database) -> Database:
    with database.transaction() as connection:
        registered(connection, "1.0.0", "1.1.0", "1.2.0")
    with database.transaction() as connection:
        set_stable(connection, "1.0.0", actor="ada")
        set_canary(connection, "1.1.0", 5, actor="ada")
    return database


def test_f1_is_shown_for_what_serves_with_its_interval(served: Database) -> None:
    found = _measured(served)
    assert {version for version, _ in found} == {"1.0.0", "1.1.0"}
    f1 = found["1.0.0", F1_GOLD]
    assert (f1.value, f1.low, f1.high) == (0.9, 0.88, 0.92)
    assert f1.measured_at == pytest.approx(utc_now(), abs=dt.timedelta(minutes=5))


def test_the_overlap_is_the_same_on_a_busy_day_as_on_a_quiet_one(served: Database) -> None:
    _log(served, "1.0.0", _texts(200, 0.3))
    _log(served, "1.1.0", _texts(5_000, 0.3))
    found = _measured(served)
    quiet, busy = found["1.0.0", VOCABULARY_OVERLAP], found["1.1.0", VOCABULARY_OVERLAP]
    assert (quiet.documents, busy.documents) == (200, 5_000)
    assert quiet.value == pytest.approx(busy.value, abs=0.04)
    assert (busy.low or 0) < busy.value < (busy.high or 0) < (busy.low or 0) + 0.02


def test_no_overlap_is_shown_when_there_is_too_little_traffic_or_only_old_traffic(served: Database) -> None:
    _log(served, "1.0.0", _texts(WORDS_PER_SAMPLE // 10 - 1, 0.3))
    _log(served, "1.1.0", _texts(500, 0.3), hours_ago=30)
    assert {name for _, name in _measured(served)} == {F1_GOLD}


def test_the_samples_are_as_large_as_those_of_the_profile(served: Database) -> None:
    _log(served, "1.0.0", _texts(20, 0.5))
    found = _measured(served, {"vocabulary_overlap": {"words_per_sample": 100}})
    assert found["1.0.0", VOCABULARY_OVERLAP].documents == 20


def test_a_version_without_scores_has_no_f1(database: Database) -> None:
    from registry.versions import register

    with database.transaction() as connection:
        register(connection, a_version("1.0.0", performance={}))
        set_stable(connection, "1.0.0", actor="ada")
    assert _measured(database) == {}
