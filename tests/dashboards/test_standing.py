"""The figures that alerts read."""

import datetime as dt
from typing import Any

import numpy as np
import pytest
from sqlalchemy.engine import Connection

from annotation.stored import insert_dataset
from dashboards.effects import WORDS_PER_SAMPLE
from dashboards.standing import measure_standing
from ner import tables
from ner.database import Database, utc_now
from registry.rollout import set_canary, set_stable
from registry.standing import F1_ESTIMATE, F1_GOLD, VOCABULARY_OVERLAP, Figure
from tests.builders import a_version, registered
from tests.dashboards.traffic_log import logged, write_log


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


def test_the_estimate_is_that_of_the_answers_of_the_last_day(served: Database) -> None:
    sure = {"confidences": [0] * 9 + [2], "expected_correct": 1.8, "expected_entities": 2.2}
    rows = [logged(**sure) for _ in range(40)]
    old = [logged(version="1.1.0", at=utc_now() - dt.timedelta(hours=30), **sure) for _ in range(40)]
    few = [logged(version="1.1.0", **sure) for _ in range(3)]
    with served.transaction() as connection:
        write_log(connection, rows + old + few)

    found = _measured(served)

    estimate = found["1.0.0", F1_ESTIMATE]
    assert estimate.value == pytest.approx(2 * 1.8 / (2 + 2.2))
    assert (estimate.low or 0) < estimate.value < (estimate.high or 0)
    assert estimate.documents == 40
    assert ("1.1.0", F1_ESTIMATE) not in found


def test_f1_is_that_of_settled_traffic_once_there_is_enough_of_it(served: Database) -> None:
    moment = utc_now() - dt.timedelta(days=1)
    with served.transaction() as connection:
        dataset = insert_dataset(connection, "traffic", labels=["per"], actor="ada")
        documents = [_document(connection, dataset.id, number) for number in range(60)]
        for version, count in (("1.0.0", 60), ("1.1.0", 40)):
            rows = [
                {"version": version, "document_id": document, "revision": 1, "settled_at": moment, "correct": 1}
                | {"predicted": 2, "gold": 2, "expected_correct": 1.5, "expected_entities": 2.0}
                for document in documents[:count]
            ]
            connection.execute(tables.corrected_scores.insert(), rows)

    found = _measured(served)

    settled = found["1.0.0", F1_GOLD]
    assert (settled.value, settled.documents, settled.measured_at) == (0.5, 60, moment)
    assert found["1.1.0", F1_GOLD].value == 0.9


def _document(connection: Connection, dataset_id: str, number: int) -> str:
    document_id = f"{number:032x}"
    values = {"id": document_id, "dataset_id": dataset_id, "position": number, "text": f"text {number}", "meta": {}}
    hashes = {"text_hash": document_id, "import_key": document_id, "revision": 1, "created_at": utc_now()}
    connection.execute(tables.documents.insert().values(**values, **hashes))
    return document_id
