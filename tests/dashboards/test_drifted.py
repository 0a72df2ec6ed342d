"""The documents behind a drift verdict are those that cause it."""

import json
import random
from typing import Any

import pytest

from annotation.capture import keep_text
from dashboards.drifted import drifted_documents
from dashboards.profile import build_profile
from ner.database import Database
from ner.errors import InvalidInput
from registry.logged import CapturedText
from registry.sealing import Seals
from tests.dashboards.traffic_log import a_text, rows_of, write_log


@pytest.fixture(scope="module")
def profile() -> dict[str, Any]:
    generator = random.Random(1)
    documents = [a_text(generator) for _ in range(2_000)]
    built = build_profile([text for text, _ in documents], [tagged for _, tagged in documents], {"w1"})
    return json.loads(json.dumps(built))


@pytest.fixture
def mixed(database: Database) -> tuple[Database, dict[str, set[str]]]:
    """400 usual answers, and five of each strange kind: the names of those."""
    generator = random.Random(2)
    usual = rows_of([a_text(generator) for _ in range(400)])
    foreign = rows_of([a_text(generator, strange=0.9) for _ in range(5)])
    others = rows_of([a_text(generator) for _ in range(15)])
    for row in others[:5]:
        row["characters"] = 4_000
    for row in others[5:10]:
        row.update(entities={"art": 3}, confidences=[0] * 9 + [3])
    for row in others[10:]:
        row.update(entities={"geo": 2}, confidences=[2] + [0] * 9)
    with database.transaction() as connection:
        write_log(connection, [*usual, *foreign, *others])
    parts = {"foreign": foreign, "long": others[:5], "art": others[5:10], "unsure": others[10:]}
    return database, {name: {row["request_id"] for row in rows} for name, rows in parts.items()}


@pytest.mark.parametrize(
    ("measure", "strange", "words"),
    [
        ("unknown_words", "foreign", "words unknown; 5."),
        ("vocabulary_overlap", "foreign", "words unknown"),
        ("foreign_texts", "foreign", "Looks more foreign than"),
        ("text_length", "long", "4,000 characters; "),
        ("entity_mix", "art", "Holds art (0.0 % of entities in training"),
        ("confidence", "unsure", "Confidence of about 5 % on average"),
    ],
)
def test_the_strangest_come_first_by_each_measure(
    mixed: tuple[Database, dict[str, set[str]]], profile: dict[str, Any], measure: str, strange: str, words: str
) -> None:
    database, names = mixed
    with database.reading() as connection:
        found = drifted_documents(connection, "1.0.0", profile, measure, limit=5)
    assert {one["request_id"] for one in found} == names[strange]
    assert all(words in one["reason"] for one in found)


def test_only_kept_texts_are_named_when_they_are_asked_for(
    mixed: tuple[Database, dict[str, set[str]]], profile: dict[str, Any]
) -> None:
    database, names = mixed
    one = min(names["long"])
    with database.transaction() as connection:
        keep_text(connection, Seals(b"k" * 32), CapturedText(one, "a long text", "1.0.0", None))
        found = drifted_documents(connection, "1.0.0", profile, "text_length", kept=True)
        assert [document["request_id"] for document in found] == [one]
        assert drifted_documents(connection, "9.9.9", profile, "text_length") == []
        with pytest.raises(InvalidInput, match="there are text_length"):
            drifted_documents(connection, "1.0.0", profile, "drifting")


@pytest.mark.parametrize("measure", ["text_length", "unknown_words", "entity_mix", "confidence", "foreign_texts"])
def test_whatever_is_found_has_its_reason_when_a_version_has_no_profile(
    mixed: tuple[Database, dict[str, set[str]]], measure: str
) -> None:
    with mixed[0].reading() as connection:
        found = drifted_documents(connection, "1.0.0", {}, measure)
    assert all(one["reason"] for one in found)
