"""Demo links: a permission that expires."""

import datetime as dt
import html
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa

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

    unknown = (
        "No demo opens with this link; check that the whole of it was copied, or ask whoever sent it for a new one."
    )
    sentences = {
        first: f"This demo was closed on {utc_now():%-d %B %Y}, ",
        second: f"This demo link expired on {past:%-d %B %Y, %H:%M} UTC; ask whoever sent it for a new one.",
        # Whoever does not hold a whole link learns nothing, not even that it was near one.
        "wrong": unknown, first[:-1]: unknown, second + "A": unknown, revoked: unknown, "": unknown,
    }  # fmt: skip
    for token, sentence in sentences.items():
        for answer in (_ask(room, token), _enter(room, token)):
            assert (answer.status_code, answer.json()["error"]["kind"]) == (401, "not_signed_in")
            assert answer.json()["error"]["message"].startswith(sentence)


def _enter(room: Room, token: str, passphrase: str | None = None) -> Any:
    return room.client.post("/api/v1/demos/enter", json={"token": token, "passphrase": passphrase})


def _listed(room: Room) -> list[dict[str, Any]]:
    return list(room.client.get("/api/v1/demos", headers=room.headers("engineer")).json()["demos"])


def test_links_are_listed_with_their_visits_and_without_their_tokens(room: Room) -> None:
    room.stable()
    demo_id, token = _create(room)
    for _ in range(3):
        _enter(room, token)
    _ask(room, token)
    _ask(room, token)

    listed = room.client.get("/api/v1/demos", headers=room.headers("engineer"))

    (demo,) = listed.json()["demos"]
    assert (demo["id"], demo["visits"], demo["questions"]) == (demo_id, 3, 2)
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
    (demo,) = _listed(room)
    assert (demo["visits"], demo["questions"]) == (0, 0)


def test_a_link_says_what_it_shows_when_it_is_opened(room: Room) -> None:
    room.stable()
    _, token = _create(room)

    entry = _enter(room, token).json()

    assert (entry["needs_passphrase"], entry["version"], entry["compared_with"]) == (False, "1.0.0", None)


def test_a_passphrase_is_asked_for_besides_the_link(room: Room) -> None:
    room.stable()
    _, token = _create(room, passphrase="correct horse")

    assert _enter(room, token).json() == {
        "needs_passphrase": True,
        **{"ticket": None, "version": None, "compared_with": None, "expires_at": None},
    }
    for wrong in ("wrong horse", "correct horse ", "\ud800"):
        answer = room.client.post(
            "/api/v1/demos/enter",
            content=json.dumps({"token": token, "passphrase": wrong}),
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code in {400, 401, 422}
    assert _ask(room, token).status_code == 401
    ticket = _enter(room, token, "correct horse").json()["ticket"]

    question = {"token": token, "text": "John on Mars", "ticket": ticket}
    assert room.client.post("/api/v1/demos/answer", json=question).json()["left"]["entities"][0]["text"] == "John"
    (demo,) = _listed(room)
    assert (demo["visits"], demo["questions"], demo["has_passphrase"]) == (1, 1, True)
    with room.database.reading() as connection:
        kept = str(connection.scalar(sa.select(tables.demos.c.passphrase_hash)))
    assert kept.startswith("$argon2id$")


def test_a_ticket_opens_no_other_demo_and_not_for_ever(light_room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = [_create(light_room, passphrase="correct horse")[1] for _ in range(2)]
    ticket = _enter(light_room, tokens[0], "correct horse").json()["ticket"]

    def asked(token: str, ticket: str) -> int:
        body = {"token": token, "text": "John", "ticket": ticket}
        return int(light_room.client.post("/api/v1/demos/answer", json=body).status_code)

    assert asked(tokens[0], ticket) == 200
    ends, _, seal = ticket.partition(".")
    for other in ("", "x", f"{int(ends) + 1}.{seal}", f"{ends}.{seal[:-1]}é", "9" * 40 + ".x"):
        assert asked(tokens[0], other) == 401
    assert asked(tokens[1], ticket) == 401
    later = utc_now() + dt.timedelta(hours=13)
    monkeypatch.setattr("registry.demos.utc_now", lambda: later)
    assert asked(tokens[0], ticket) == 401


def test_guessing_a_passphrase_ends_after_thirty_tries_an_hour(
    light_room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.demos.is_right", lambda _kept, passphrase: passphrase == "correct horse")
    _, token = _create(light_room, passphrase="correct horse")

    statuses = [_enter(light_room, token, f"guess {number}").status_code for number in range(32)]

    assert statuses == [401] * 30 + [429] * 2
    assert _enter(light_room, token, "correct horse").status_code == 429


def test_the_budget_of_a_link_ends_its_answers(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.stable()
    monkeypatch.setitem(room.settings.__dict__, "rate_limit_per_hour", 3)
    _, token = _create(room)
    _, other = _create(room)

    assert [_ask(room, token).status_code for _ in range(5)] == [200] * 3 + [429] * 2
    assert _ask(room, other).status_code == 200


def test_a_link_shows_no_version_but_its_own(room: Room) -> None:
    room.stable()
    room.version("1.1.0", {"Mars": "loc"})
    _, token = _create(room, version="1.0.0")

    for more in ({"version": "1.1.0"}, {"compared_with": "1.1.0"}):
        body = {"token": token, "text": "John on Mars", **more}
        assert room.client.post("/api/v1/demos/answer", json=body).status_code == 422
    for method, path in (("GET", "/api/v1/versions"), ("POST", "/api/v1/versions/1.1.0/predict")):
        for headers in ({"X-API-Key": token}, {"Authorization": f"Bearer {token}"}):
            assert room.client.request(method, path, headers=headers, json={"text": "x"}).status_code == 401
    assert "1.1.0" not in _enter(room, token).text + _ask(room, token).text


@pytest.mark.parametrize(
    "origin",
    ["*", "https://*", "https://a.example; script-src *", "javascript:x", "https://a b", "https://x/'", "", "null"],
)
def test_a_link_is_refused_when_a_site_is_none(light_room: Room, origin: str) -> None:
    body = {"frame_origins": [origin]}
    answer = light_room.client.post("/api/v1/demos", json=body, headers=light_room.headers("engineer"))
    assert answer.status_code == 422


def test_a_link_says_which_sites_may_embed_it_as_long_as_it_works(light_room: Room) -> None:
    body = {"frame_origins": ["https://Intranet.example/", "http://localhost:3000"]}
    made = light_room.client.post("/api/v1/demos", json=body, headers=light_room.headers("engineer")).json()
    token = parse_qs(urlsplit(made["url"]).query)["token"][0]

    def origins(of: str) -> list[str]:
        return list(light_room.client.post("/api/v1/demos/frame", json={"token": of}).json()["frame_origins"])

    assert origins(token) == ["https://intranet.example", "http://localhost:3000"]
    assert origins("wrong") == []
    assert html.unescape(made["iframe"]).startswith(f'<iframe src="{made["url"]}"')
    light_room.client.delete(f"/api/v1/demos/{made['id']}", headers=light_room.headers("engineer"))
    assert origins(token) == []
