import datetime as dt
import json
import random
from typing import Any

import pytest
import sqlalchemy as sa

from dashboards.drift import drift
from dashboards.profile import build_profile
from dashboards.windows import traffic_window
from ner.database import Database, utc_now
from ner.migrations import migrate
from tests.dashboards.traffic_log import a_text, logged, rows_of, write_log

NAMES = ["text_length", "unknown_words", "vocabulary_overlap", "entity_mix", "confidence", "foreign_texts"]


@pytest.fixture(scope="module")
def profile() -> dict[str, Any]:
    generator = random.Random(1)
    documents = [a_text(generator) for _ in range(3_000)]
    built = build_profile([text for text, _ in documents], [tagged for _, tagged in documents], {"w1", "w2"})
    return json.loads(json.dumps(built))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Database:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('drift') / 'test.db'}")
    migrate(database)
    return database


def judged(store: Database, profile: dict[str, Any], rows: list[dict[str, Any]], version: str) -> dict[str, Any]:
    with store.transaction() as connection:
        if rows:
            write_log(connection, [row | {"version": version} for row in rows])
        return drift(connection, version, profile, hours=24)


def verdicts(found: dict[str, Any]) -> dict[str, str]:
    return {measure["name"]: measure["verdict"] for measure in found["measures"]}


@pytest.mark.parametrize("count", [30, 100, 300, 1_000, 4_000])
def test_no_alarm_is_raised_when_text_has_not_changed_whatever_the_volume(
    store: Database, profile: dict[str, Any], count: int
) -> None:
    for seed in range(5):
        generator = random.Random(100 * count + seed)
        found = judged(store, profile, rows_of([a_text(generator) for _ in range(count)]), f"{count}.{seed}.0")
        assert "drifted" not in verdicts(found).values()
    if count >= 1_000:
        assert set(verdicts(found).values()) == {"steady"}
        assert found["verdict"] == "steady"


def test_a_version_without_texts_to_compare_with_can_be_steady(store: Database, profile: dict[str, Any]) -> None:
    older = {name: value for name, value in profile.items() if name != "reference_documents"}
    generator = random.Random(77)
    found = judged(store, older, rows_of([a_text(generator) for _ in range(2_000)]), "0.9.0")
    assert set(verdicts(found)) == set(NAMES) - {"foreign_texts"}
    assert found["verdict"] == "steady"


def test_a_tenth_of_foreign_text_is_noticed_when_there_are_a_thousand_documents(
    store: Database, profile: dict[str, Any]
) -> None:
    noticed = 0
    for seed in range(10):
        generator = random.Random(seed)
        documents = [a_text(generator, strange=0.6 if place % 10 == 0 else 0.05) for place in range(1_000)]
        found = judged(store, profile, rows_of(documents), f"10.{seed}.0")
        noticed += found["verdict"] == "drifted"
    assert noticed >= 8
    assert verdicts(found)["unknown_words"] == "drifted"
    words = found["measures"][1]
    assert words["now"] > words["training"]
    assert words["effect_interval"][0] > words["threshold"]
    assert "more words that the model does not know" in words["sentence"]
    assert "unknown words" in found["sentence"]


def test_other_entities_are_noticed_when_only_they_change(store: Database, profile: dict[str, Any]) -> None:
    generator = random.Random(5)
    documents = [a_text(generator, label_weights=(1, 1, 8)) for _ in range(1_000)]
    found = judged(store, profile, rows_of(documents), "20.0.0")
    assert verdicts(found) == dict.fromkeys(NAMES, "steady") | {"entity_mix": "drifted"}


def test_long_texts_and_lost_confidence_are_noticed_when_both_change(store: Database, profile: dict[str, Any]) -> None:
    generator = random.Random(6)
    rows = rows_of([a_text(generator) for _ in range(500)])
    for row in rows:
        row["characters"] *= 2
        row["confidences"] = [*row["confidences"][5:], 0, 0, 0, 0, 0]
    found = verdicts(judged(store, profile, rows, "21.0.0"))
    assert (found["text_length"], found["confidence"]) == ("drifted", "drifted")
    assert found["unknown_words"] != "drifted"


def test_more_documents_are_asked_for_when_there_are_few(store: Database, profile: dict[str, Any]) -> None:
    generator = random.Random(7)
    found = judged(store, profile, rows_of([a_text(generator) for _ in range(10)]), "22.0.0")
    assert set(verdicts(found).values()) == {"not enough evidence"}
    assert found["measures"][0]["more_documents"] == 20
    assert found["measures"][0]["sentence"] == "About 20 more documents are needed to tell."


def test_nothing_is_said_when_nothing_was_asked(store: Database, profile: dict[str, Any]) -> None:
    found = judged(store, profile, [], "23.0.0")
    assert found["verdict"] == "not enough evidence"
    assert found["sentence"] == "This version has answered nothing in the last 24 hours."
    assert json.loads(json.dumps(found)) == found


def test_nothing_is_said_when_a_version_has_no_profile(store: Database) -> None:
    generator = random.Random(8)
    found = judged(store, {}, rows_of([a_text(generator) for _ in range(100)]), "24.0.0")
    assert set(verdicts(found).values()) == {"not enough evidence"}


def test_a_profile_is_built_when_there_is_almost_nothing_to_build_it_from() -> None:
    empty = build_profile([], [], set())
    assert (empty["documents"], empty["unknown_words"], empty["vocabulary_overlap"]) == (0, None, None)
    text, tagged = a_text(random.Random(9))
    assert build_profile([text], [tagged], {"w1"})["documents"] == 1


def test_a_profile_is_small_and_gives_no_word_away_when_there_are_many_texts(profile: dict[str, Any]) -> None:
    assert len(json.dumps(profile)) < 128_000
    assert all(isinstance(word, int) for word in profile["word_sample"])
    assert profile["training_words"] == 2


def test_other_versions_failures_and_old_answers_do_not_count_when_drift_is_measured(
    database: Database, profile: dict[str, Any]
) -> None:
    generator = random.Random(10)
    rows = [
        *rows_of([a_text(generator) for _ in range(40)], version="1.0.0"),
        *rows_of([a_text(generator) for _ in range(7)], version="1.1.0"),
        *rows_of([a_text(generator) for _ in range(5)], version="1.0.0", at=utc_now() - dt.timedelta(hours=30)),
        logged(status=500, tokens=0),
    ]
    with database.transaction() as connection:
        write_log(connection, rows)
        assert drift(connection, "1.0.0", profile, hours=24)["documents"] == 40
        assert drift(connection, "1.0.0", profile, hours=48)["documents"] == 45


def test_traffic_is_found_by_its_index_however_long_the_log_is(store: Database) -> None:
    asked: list[tuple[str, Any]] = []
    with store.transaction() as connection:
        sa.event.listen(connection, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
        traffic_window(connection, "1.0.0", since=utc_now() - dt.timedelta(hours=24))
        plans = [
            connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given).all()
            for statement, given in tuple(asked)
        ]
    steps = [step[-1] for plan in plans for step in plan]
    assert steps
    assert all("INDEX ix_predictions_at_version" in step for step in steps if " predictions" in step)
