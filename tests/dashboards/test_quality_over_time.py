import datetime as dt
import json
from typing import Any

import numpy as np
import pytest
from sqlalchemy.engine import Connection

from annotation.stored import insert_dataset
from dashboards.quality_over_time import FEWEST_DOCUMENTS, quality_over_time, table_of
from ner import tables
from ner.database import Database, utc_now
from tests.builders import registered
from tests.dashboards.test_standing import _document
from tests.dashboards.traffic_log import logged, write_log

Counts = list[tuple[int, int, int]]


def days_ago(days: int) -> dt.datetime:
    return utc_now().replace(hour=0, minute=0, second=1, microsecond=0) - dt.timedelta(days=days)


def settle(connection: Connection, settled: dict[int, Counts]) -> None:
    """Documents settled so many days ago, each with its right, found and gold spans."""
    dataset = insert_dataset(connection, "traffic", labels=["per"], actor="ada")
    flat = [(days, *counts) for days, documents in settled.items() for counts in documents]
    connection.execute(
        tables.corrected_scores.insert(),
        [
            {"version": "1.0.0", "document_id": _document(connection, dataset.id, number), "revision": 1}
            | {"settled_at": days_ago(days), "correct": right, "predicted": found, "gold": there}
            | {"expected_correct": 1.0, "expected_entities": 2.0}
            for number, (days, right, found, there) in enumerate(flat)
        ],
    )


def documents(seed: int, count: int, right: float) -> Counts:
    draw = np.random.default_rng(seed)
    return [(int(draw.binomial(4, right)), 4, 5) for _ in range(count)]


def points(database: Database, **asked: Any) -> list[dict[str, Any]]:
    with database.reading() as connection:
        body = quality_over_time(connection, **asked)
    assert json.loads(json.dumps(body)) == body
    found: list[dict[str, Any]] = body["points"]
    return found


@pytest.fixture
def served(database: Database) -> Database:
    with database.transaction() as connection:
        registered(connection, "1.0.0")
    return database


def test_each_day_is_scored_on_what_was_settled_then_when_people_correct(served: Database) -> None:
    before, after = documents(1, 200, 0.9), documents(2, 200, 0.6)
    with served.transaction() as connection:
        settle(connection, {2: before, 1: after})
    first, second = points(served)
    for point, counts in ((first, before), (second, after)):
        right, found, there = np.array(counts).sum(axis=0)
        score = point["measured"]
        expected = {"precision": right / found, "recall": right / there, "f1": 2 * right / (found + there)}
        assert {name: score[name]["value"] for name in expected} == pytest.approx(expected)
        draws = np.random.default_rng(0).integers(0, len(counts), (4_000, len(counts)))
        resampled = np.array(counts)[draws].sum(axis=1)
        low, high = np.quantile(2 * resampled[:, 0] / (resampled[:, 1] + resampled[:, 2]), (0.025, 0.975))
        assert (score["f1"]["low"], score["f1"]["high"]) == pytest.approx((low, high), abs=0.005)
    assert first["measured"]["change"] is None
    change = second["measured"]["change"]
    assert change["value"] == pytest.approx(second["measured"]["f1"]["value"] - first["measured"]["f1"]["value"])
    assert change["low"] < change["value"] < change["high"] < 0


def test_the_estimate_stands_beside_when_answers_say_what_they_expect(served: Database) -> None:
    sure = {"confidences": [0] * 9 + [2], "expected_correct": 1.8, "expected_entities": 2.2}
    with served.transaction() as connection:
        write_log(connection, [logged(at=days_ago(1), **sure) for _ in range(40)])
        settle(connection, {1: documents(3, 40, 0.8)})
    (point,) = points(served)
    assert point["estimated"]["f1"]["value"] == pytest.approx(2 * 1.8 / (2 + 2.2))
    assert point["measured"]["documents"] == point["estimated"]["documents"] == 40


def test_no_score_is_given_when_documents_are_few_or_long_ago(served: Database) -> None:
    with served.transaction() as connection:
        settle(connection, {1: documents(4, FEWEST_DOCUMENTS - 1, 0.8), 60: documents(5, 100, 0.8)})
    assert points(served) == []


def test_a_week_begins_on_monday_when_weeks_are_compared(served: Database) -> None:
    monday = utc_now().weekday() + 7
    with served.transaction() as connection:
        settle(
            connection,
            {monday: documents(6, 20, 0.8), monday - 6: documents(7, 20, 0.8), monday + 1: documents(8, 40, 0.8)},
        )
    before, last = points(served, by="week")
    assert (last["from"], last["measured"]["documents"]) == (days_ago(monday).date().isoformat(), 40)
    assert before["from"] == days_ago(monday + 7).date().isoformat()


def test_the_table_has_a_row_for_each_figure_when_there_are_scores(served: Database) -> None:
    with served.transaction() as connection:
        settle(connection, {2: documents(1, 40, 0.9), 1: documents(2, 40, 0.6)})
    with served.reading() as connection:
        rows = table_of(quality_over_time(connection))
    assert [row["figure"] for row in rows] == ["precision", "recall", "f1"] * 2 + ["change"]
    assert {tuple(row) for row in rows} == {("version", "from", "kind", "figure", "documents", "value", "low", "high")}
