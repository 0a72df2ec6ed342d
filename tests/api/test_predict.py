import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from ner import tables
from ner.database import Database
from ner.settings import Settings
from tests.api.rooms import BREAKS, Room, open_room

LONG = "Ada met nobody. " * 6_000

TEXTS = {
    "plain words": ("John is in Berlin", [("John", 0, 4), ("Berlin", 11, 17)]),
    "emoji outside the basic plane": ("🎉🎉 John 👩‍👩‍👧 Berlin", [("John", 3, 7), ("Berlin", 14, 20)]),
    "a combining mark": ("Jose\u0301 saw Zoë", [("Zoë", 10, 13)]),
    "a composed letter": ("José saw Zoë", [("José", 0, 4), ("Zoë", 9, 12)]),
    "Chinese and Japanese": ("他在東京", [("東", 2, 3)]),
    "right-to-left text": ("زار John القاهرة", [("John", 4, 8), ("القاهرة", 9, 16)]),
    "Windows line ends": ("John\r\n\r\nBerlin\r\n", [("John", 0, 4), ("Berlin", 8, 14)]),
    "a tab and a no-break space": ("\tJohn\u00a0Berlin", [("John", 1, 5), ("Berlin", 6, 12)]),
    "a document of 96,000 characters": (LONG, [("Ada", 16 * index, 16 * index + 3) for index in range(6_000)]),
    "the character NUL": ("John\x00 Berlin", [("John", 0, 4), ("Berlin", 6, 12)]),
}


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS)
def test_offsets_cover_the_surface_when_the_text_holds(
    text: str, expected: list[tuple[str, int, int]], light_room: Room
) -> None:
    answer = light_room.predict(text, light_room.headers())

    assert [(entity["text"], entity["start"], entity["end"]) for entity in answer["entities"]] == expected
    assert all(text[entity["start"] : entity["end"]] == entity["text"] for entity in answer["entities"])


def test_any_text_that_is_not_blank_is_answered(light_room: Room) -> None:
    headers = light_room.headers()

    @examples(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.text(min_size=1, max_size=200).filter(lambda text: bool(text.strip())))
    def answered(text: str) -> None:
        for entity in light_room.predict(text, headers)["entities"]:
            assert text[entity["start"] : entity["end"]] == entity["text"]

    answered()


def test_the_answer_holds_everything_that_the_contract_names(light_room: Room) -> None:
    answer = light_room.client.post(
        "/api/v1/ner/predict", json={"text": "John is in Berlin"}, headers=light_room.headers()
    )

    body = answer.json()
    assert body.pop("request_id") == answer.headers["X-Request-ID"]
    assert body == {
        "entities": [
            {"text": "John", "label": "per", "start": 0, "end": 4, "confidence": 0.9},
            {"text": "Berlin", "label": "geo", "start": 11, "end": 17, "confidence": 0.9},
        ],
        "confidence": [0.9, 0.9],
        "model_version": "1.0.0",
        "variant": "stable",
        "cached": False,
        "degraded": False,
    }


def test_the_second_answer_is_cached_and_equal_when_the_text_is_asked_twice(light_room: Room) -> None:
    headers = light_room.headers()

    first, second = (light_room.predict("John is in Berlin", headers) for _ in range(2))

    assert (first["cached"], second["cached"]) == (False, True)
    assert first["entities"] == second["entities"]
    assert first["request_id"] != second["request_id"]


def test_a_bad_text_fails_alone_when_it_comes_in_a_batch(light_room: Room) -> None:
    body = (
        '{"texts": ["John", 5, "", "  \\n", null, "\\ud800", "Berlin", ["a"], "'
        + "x" * (light_room.settings.max_text_characters + 1)
        + '", "Ada"]}'
    )

    answer = light_room.client.post("/api/v1/ner/batch", content=body, headers=light_room.headers())

    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    kinds = [result["error"]["kind"] if "error" in result else result["entities"][0]["text"] for result in results]
    invalid = "invalid_input"
    assert kinds == ["John", invalid, invalid, invalid, invalid, invalid, "Berlin", invalid, "text_too_long", "Ada"]
    ids = [result.get("request_id") or result["error"]["request_id"] for result in results]
    assert len(set(ids)) == len(ids)


def test_the_model_is_called_once_for_all_good_texts_of_a_batch(light_room: Room) -> None:
    tagger = light_room.app.state.wiring.serving.lineup.stable.tagger
    light_room.predict("John", light_room.headers())
    tagger.calls.clear()

    body = {"texts": ["John", "", "Berlin", "Ada"]}
    answer = light_room.client.post("/api/v1/ner/batch", json=body, headers=light_room.headers())

    assert tagger.calls == [["Berlin", "Ada"]]
    assert [result.get("cached") for result in answer.json()["results"]] == [True, None, False, False]


def test_only_the_text_that_breaks_the_model_fails_when_it_comes_in_a_batch(room: Room) -> None:
    room.stable(breaks=True)

    body = {"texts": ["John", f"Ada {BREAKS}", "Berlin"]}
    answer = room.client.post("/api/v1/ner/batch", json=body, headers=room.headers())

    first, second, third = answer.json()["results"]
    assert [first["entities"][0]["text"], third["entities"][0]["text"]] == ["John", "Berlin"]
    assert second["error"]["kind"] == "failed"
    assert "quote the text" not in answer.text


def test_a_batch_is_refused_when_it_holds_too_many_texts(light_room: Room) -> None:
    body = {"texts": ["John"] * (light_room.settings.max_batch_texts + 1)}

    answer = light_room.client.post("/api/v1/ner/batch", json=body, headers=light_room.headers())

    assert answer.status_code == 422
    assert answer.json()["error"]["message"] == "A batch holds at most 256 texts; this one has 257."


def test_an_empty_batch_has_no_results(light_room: Room) -> None:
    answer = light_room.client.post("/api/v1/ner/batch", json={"texts": []}, headers=light_room.headers())

    assert answer.json() == {"results": []}


def test_the_log_is_a_weighted_sample_unless_a_canary_is_on_trial(settings: Settings, database: Database) -> None:
    room = open_room(settings.model_copy(update={"log_rows_per_second": 1, "cache_entries": 0}), database)
    with room.client:
        room.stable()
        headers = room.headers()
        for number in range(60):
            room.predict(f"John {number}", headers)
        room.logged()
        sampled = _weights(database)
        room.canary("1.1.0", 0)
        for number in range(20):
            room.predict(f"John {number}", headers)
        room.logged()
    assert 0 < len(sampled) < 60
    assert max(sampled) > 1
    assert _weights(database)[len(sampled) :] == [1.0] * 20


def _weights(database: Database) -> list[float]:
    with database.reading() as connection:
        return list(connection.scalars(sa.select(tables.predictions.c.weight).order_by(tables.predictions.c.id)))
