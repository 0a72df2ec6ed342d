"""Demo links: a permission that expires."""

import datetime as dt
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ner import tables
from ner.database import utc_now
from tests.api.rooms import Room


def _create(room: Room, **body: Any) -> tuple[str, str]:
    """The id and the token of a new link."""
    answer = room.client.post("/api/v1/demos", json=body, headers=room.headers("engineer"))
    assert answer.status_code == 201, answer.text
    return answer.json()["id"], parse_qs(urlsplit(answer.json()["url"]).query)["token"][0]


def _ask(room: Room, token: str, text: str = "John on Mars") -> Any:
    return room.client.post("/api/v1/demos/answer", json={"token": token, "text": text})


def test_a_link_answers_without_a_key(room: Room) -> None:
    room.stable()
    _, token = _create(room)

    answer = _ask(room, token).json()

    assert (answer["version"], answer["compared_with"], answer["right"]) == ("1.0.0", None, None)
    assert answer["left"]["entities"][0]["text"] == "John"


def test_two_versions_answer_side_by_side(room: Room) -> None:
    room.stable()
    room.version("1.1.0", {"Mars": "loc"})
    _, token = _create(room, version="1.0.0", compared_with="1.1.0")

    answer = _ask(room, token).json()

    assert [entity["text"] for entity in answer["left"]["entities"]] == ["John"]
    assert [entity["text"] for entity in answer["right"]["entities"]] == ["Mars"]
    assert answer["right"]["model_version"] == "1.1.0"


def test_a_link_shows_the_version_that_was_stable_when_it_was_made(room: Room) -> None:
    room.stable()
    _, token = _create(room)
    room.version("1.1.0", {"Mars": "loc"})
    room.client.post("/api/v1/rollout/promote", json={"version": "1.1.0"}, headers=room.headers("engineer"))

    assert _ask(room, token).json()["version"] == "1.0.0"


def test_a_link_ends_when_it_is_revoked_or_its_hour_has_come(room: Room) -> None:
    room.stable()
    revoked, first = _create(room)
    expired, second = _create(room, hours=1)
    with room.database.transaction() as connection:
        past = utc_now() - dt.timedelta(seconds=1)
        connection.execute(tables.demos.update().where(tables.demos.c.token_hash == expired).values(expires_at=past))
    for _ in range(2):
        path = f"/api/v1/demos/{revoked}"
        assert room.client.delete(path, headers=room.headers("engineer")).status_code == 204

    for token in (first, second, "wrong", ""):
        answer = _ask(room, token)
        assert (answer.status_code, answer.json()["error"]["kind"]) == (401, "not_signed_in")


def test_links_are_listed_with_their_visits_and_without_their_tokens(room: Room) -> None:
    room.stable()
    demo_id, token = _create(room)
    for _ in range(3):
        _ask(room, token)

    listed = room.client.get("/api/v1/demos", headers=room.headers("engineer"))

    (demo,) = listed.json()["demos"]
    assert (demo["id"], demo["visits"]) == (demo_id, 3)
    assert token not in listed.text


@pytest.mark.parametrize(
    ("body", "status"),
    [({"version": "9.9.9"}, 404), ({"compared_with": "9.9.9"}, 404), ({"hours": 0}, 422)],
    ids=["version", "other version", "hours"],
)
def test_a_link_is_refused_when_there_is_no_such(body: dict[str, Any], status: int, room: Room) -> None:
    room.stable()

    answer = room.client.post("/api/v1/demos", json=body, headers=room.headers("engineer"))

    assert answer.status_code == status


def test_a_link_is_refused_when_no_version_is_stable(room: Room) -> None:
    assert room.client.post("/api/v1/demos", json={}, headers=room.headers("engineer")).status_code == 503


def test_a_link_has_the_budget_of_a_new_key(light_room: Room) -> None:
    _, token = _create(light_room)

    answer = _ask(light_room, token)

    assert answer.headers["RateLimit-Limit"] == str(light_room.settings.rate_limit_per_hour)


def test_an_empty_text_is_refused_and_is_no_visit(room: Room) -> None:
    room.stable()
    _, token = _create(room)

    assert _ask(room, token, " ").status_code == 422
    (demo,) = room.client.get("/api/v1/demos", headers=room.headers("engineer")).json()["demos"]
    assert demo["visits"] == 0
