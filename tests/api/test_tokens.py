"""Access and refresh tokens, passwords, scopes, and how often one may try."""

from typing import Any

import jwt
import pytest

from api.callers import _AUDIENCE
from ner.settings import secret_key
from registry import keys
from tests.api.rooms import Room

TOKEN = "/api/v1/token"
SESSION = "/api/v1/session"
PASSWORD = "correct horse battery staple"


def _person(room: Room, name: str = "ada", role: keys.Role = "annotator") -> None:
    admin = room.headers("admin")
    assert room.client.post("/api/v1/users", json={"name": name, "role": role}, headers=admin).status_code == 201
    path = f"/api/v1/users/{name}/password"
    assert room.client.put(path, json={"password": PASSWORD}, headers=admin).status_code == 204


def _sign_in(room: Room, **body: str) -> dict[str, Any]:
    answer = room.client.post(TOKEN, json=body or {"name": "ada", "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _refresh(room: Room, token: str) -> Any:
    return room.client.post(f"{TOKEN}/refresh", json={"refresh_token": token})


def _who(room: Room, access: str) -> Any:
    return room.client.get(SESSION, headers={"Authorization": f"Bearer {access}"})


def test_a_person_signs_in_by_password_for_a_quarter_of_an_hour(room: Room) -> None:
    _person(room)
    tokens = _sign_in(room)

    assert _who(room, tokens["access_token"]).json() == {"name": "ada", "role": "annotator", "kind": "person"}
    claims = jwt.decode(
        tokens["access_token"],
        keys.derived_key(secret_key(room.settings), "session"),
        algorithms=["HS256"],
        audience=_AUDIENCE,
        issuer=_AUDIENCE,
    )
    assert claims["exp"] - claims["iat"] == tokens["expires_in"] == 900


def test_a_key_gives_tokens_that_end_with_it(room: Room) -> None:
    admin = room.headers("admin")
    made = room.client.post("/api/v1/keys", json={"name": "app"}, headers=admin).json()
    tokens = _sign_in(room, key=made["key"])
    assert _who(room, tokens["access_token"]).status_code == 200

    room.client.delete(f"/api/v1/keys/{made['id']}", headers=admin)

    assert _who(room, tokens["access_token"]).status_code == 401
    assert _refresh(room, tokens["refresh_token"]).status_code == 401


@pytest.mark.parametrize(
    ("name", "password"), [("ada", "a wrong password"), ("ada", ""), ("nobody", PASSWORD), ("", "")]
)
def test_nobody_signs_in_with_a_wrong_name_or_password(name: str, password: str, room: Room) -> None:
    _person(room)

    answer = room.client.post(TOKEN, json={"name": name, "password": password})

    assert (answer.status_code, answer.json()["error"]["message"]) == (401, "The name or the password is wrong.")


def test_a_refresh_token_is_replaced_by_the_next(room: Room) -> None:
    _person(room)
    first = _sign_in(room)

    second = _refresh(room, first["refresh_token"]).json()
    third = _refresh(room, second["refresh_token"]).json()

    assert len({tokens["refresh_token"] for tokens in (first, second, third)}) == 3
    assert _who(room, third["access_token"]).json()["name"] == "ada"


def test_a_refresh_token_that_comes_twice_ends_its_family(room: Room) -> None:
    _person(room)
    first = _sign_in(room)
    other = _sign_in(room)
    second = _refresh(room, first["refresh_token"]).json()

    assert _refresh(room, first["refresh_token"]).status_code == 401
    assert _refresh(room, second["refresh_token"]).status_code == 401
    assert _refresh(room, other["refresh_token"]).status_code == 200


def test_a_refresh_token_ends_when_it_is_revoked(room: Room) -> None:
    _person(room)
    tokens = _sign_in(room)

    assert room.client.post(f"{TOKEN}/revoke", json={"refresh_token": tokens["refresh_token"]}).status_code == 204

    assert _refresh(room, tokens["refresh_token"]).status_code == 401


def test_an_eleventh_attempt_in_an_hour_is_refused_even_with_the_right_password(light_room: Room) -> None:
    _person(light_room)
    wrong = {"name": "ada", "password": "a wrong password"}
    statuses = [light_room.client.post(TOKEN, json=wrong).status_code for _ in range(10)]

    refused = light_room.client.post(TOKEN, json={"name": "ada", "password": PASSWORD})

    assert statuses == [401] * 10
    assert (refused.status_code, refused.json()["error"]["kind"]) == (429, "rate_limited")
    assert int(refused.headers["Retry-After"]) > 0


def test_the_password_is_kept_as_argon2(room: Room) -> None:
    from ner import tables

    _person(room)
    with room.database.reading() as connection:
        (kept,) = connection.execute(tables.passwords.select()).mappings()

    assert kept["hash"].startswith("$argon2id$")
    assert PASSWORD not in kept["hash"]


@pytest.mark.parametrize("password", ["", "short", "x" * 201])
def test_a_password_is_refused_when_its_length_is_wrong(password: str, light_room: Room) -> None:
    _person(light_room)
    path = "/api/v1/users/ada/password"

    answer = light_room.client.put(path, json={"password": password}, headers=light_room.headers("admin"))

    assert answer.status_code == 422


def test_a_person_sets_their_own_password_and_nobody_elses(light_room: Room) -> None:
    _person(light_room)
    _person(light_room, "grace")
    headers = {"Authorization": f"Bearer {_sign_in(light_room)['access_token']}"}
    body = {"password": "another long password"}

    assert light_room.client.put("/api/v1/users/ada/password", json=body, headers=headers).status_code == 204
    assert light_room.client.put("/api/v1/users/grace/password", json=body, headers=headers).status_code == 403
    assert light_room.client.post(TOKEN, json={"name": "ada"} | body).status_code == 200


def test_a_key_with_scopes_does_nothing_else(light_room: Room) -> None:
    admin = light_room.headers("admin")
    body = {"name": "app", "role": "engineer", "scopes": ["predict"]}
    made = light_room.client.post("/api/v1/keys", json=body, headers=admin).json()
    headers = {"X-API-Key": made["key"]}

    assert light_room.predict("John", headers)["entities"]
    assert light_room.client.get("/v2/models/ner", headers=headers).status_code == 200
    refused = light_room.client.get("/api/v1/versions", headers=headers)
    assert (refused.status_code, refused.json()["error"]["kind"]) == (403, "not_allowed")
    assert "scope 'versions'" in refused.json()["error"]["message"]
    (shown,) = [
        key for key in light_room.client.get("/api/v1/keys", headers=admin).json()["keys"] if key["name"] == "app"
    ]
    assert shown["scopes"] == ["predict"]


def test_a_browser_signs_in_with_a_name_and_a_password(room: Room) -> None:
    _person(room)
    wrong = room.client.post(SESSION, json={"name": "ada", "password": "wrong"})
    assert wrong.status_code == 401
    assert room.client.post(SESSION, json={"name": "ada"}).status_code == 422
    opened = room.client.post(SESSION, json={"name": "ada", "password": PASSWORD})
    assert opened.json() == {"name": "ada", "role": "annotator", "kind": "person"}
    assert room.client.get(SESSION).json() == {"name": "ada", "role": "annotator", "kind": "person"}
    room.client.cookies.clear()
