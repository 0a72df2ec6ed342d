"""Keys, sessions, cookies and one-time links."""

import datetime as dt

import jwt
import pytest

from api import callers
from api.callers import COOKIE
from ner.database import utc_now
from ner.settings import secret_key
from registry import keys
from tests.api.rooms import Room

SESSION = "/api/v1/session"
WRITE = {"X-Requested-With": "workbench"}


def _link(room: Room, name: str = "ada", role: keys.Role = "annotator", minutes: float = 15) -> str:
    with room.database.transaction() as connection:
        return keys.create_sign_in_link(connection, secret_key(room.settings), name, role, minutes)


@pytest.mark.parametrize("form", ["X-API-Key", "bearer", "BEARER"])
def test_a_key_is_recognised_when_it_is_sent_as(form: str, light_room: Room) -> None:
    key = light_room.key("engineer", name="the app")
    headers = {"X-API-Key": key} if form == "X-API-Key" else {"Authorization": f"{form} {key}"}

    assert light_room.client.get(SESSION, headers=headers).json() == {
        "name": "the app",
        "role": "engineer",
        "kind": "key",
    }


@pytest.mark.parametrize(
    "spoil", ["ner_00000000_x", "x", "ner__", "ner_", "Bearer x", "{key}x", "x{key}", "{shorter}", ""]
)
def test_a_key_is_refused_when_it_is(spoil: str, light_room: Room) -> None:
    key = light_room.key()
    wrong = spoil.format(key=key, shorter=key[:-1])

    answer = light_room.client.get(SESSION, headers={"X-API-Key": wrong})

    assert answer.status_code == 401
    assert key not in answer.text


def test_a_key_is_refused_when_it_has_expired(room: Room) -> None:
    with room.database.transaction() as connection:
        _, key = keys.create_key(
            connection, secret_key(room.settings), "old", "viewer", rate_limit_per_hour=None, days=-1, created_by="x"
        )

    assert room.client.get(SESSION, headers={"X-API-Key": key}).status_code == 401


def test_a_key_is_refused_at_once_when_it_was_revoked_through_this_process(room: Room) -> None:
    admin = room.headers("admin")
    made = room.client.post("/api/v1/keys", json={"name": "app"}, headers=admin).json()
    headers = {"X-API-Key": made["key"]}
    assert room.client.get(SESSION, headers=headers).json() == {"name": "app", "role": "viewer", "kind": "key"}

    for _ in range(2):
        assert room.client.delete(f"/api/v1/keys/{made['id']}", headers=admin).status_code == 204

    assert room.client.get(SESSION, headers=headers).status_code == 401
    listed = room.client.get("/api/v1/keys", headers=admin).json()["keys"]
    (shown,) = [one for one in listed if one["id"] == made["id"]]
    assert shown["revoked_at"] is not None
    assert made["key"] not in str(listed)


def test_a_key_is_refused_within_two_seconds_when_another_process_revoked_it(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr(callers.time, "monotonic", lambda: now)
    key = room.key()
    headers = {"X-API-Key": key}
    assert room.client.get(SESSION, headers=headers).status_code == 200
    with room.database.transaction() as connection:
        record = keys.find_key(connection, secret_key(room.settings), key)
        assert record is not None
        keys.revoke_key(connection, record.id, actor="another process")

    now += callers.FRESH_SECONDS + 0.01

    assert room.client.get(SESSION, headers=headers).status_code == 401


def test_a_new_key_has_the_limit_of_the_settings_unless_the_request_says_otherwise(room: Room) -> None:
    admin = room.headers("admin")
    for body in ({"name": "a"}, {"name": "b", "rate_limit_per_hour": None}, {"name": "c", "rate_limit_per_hour": 7}):
        assert room.client.post("/api/v1/keys", json=body, headers=admin).status_code == 201

    listed = room.client.get("/api/v1/keys", headers=admin).json()["keys"]

    assert {one["name"]: one["rate_limit_per_hour"] for one in listed if len(one["name"]) == 1} == {
        "a": 1000,
        "b": None,
        "c": 7,
    }


def test_a_link_signs_in_once(room: Room) -> None:
    token = _link(room)

    first = room.client.get("/sign-in", params={"token": token}, follow_redirects=False)
    assert (first.status_code, first.headers["Location"]) == (303, "/")
    cookie = first.headers["Set-Cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert room.client.get(SESSION).json() == {"name": "ada", "role": "annotator", "kind": "person"}

    room.client.cookies.clear()
    second = room.client.get("/sign-in", params={"token": token}, follow_redirects=False)
    assert second.status_code == 401
    assert "Set-Cookie" not in second.headers


@pytest.mark.parametrize("token", ["", "x", "\u00e9", "ner_12345678_x"])
def test_a_link_is_refused_when_its_token_is_wrong(token: str, room: Room) -> None:
    assert room.client.get("/sign-in", params={"token": token}, follow_redirects=False).status_code == 401


def test_a_link_is_refused_when_it_has_expired(room: Room) -> None:
    token = _link(room, minutes=-0.01)

    assert room.client.get("/sign-in", params={"token": token}, follow_redirects=False).status_code == 401


def test_an_administrator_gives_a_person_a_link(room: Room) -> None:
    admin = room.headers("admin")
    assert room.client.post("/api/v1/users", json={"name": "Zoë", "role": "reviewer"}, headers=admin).status_code == 201

    link = room.client.post("/api/v1/users/Zoë/link", headers=admin).json()

    assert link["url"].startswith("http://workbench.test/sign-in?token=")
    assert dt.datetime.fromisoformat(link["expires_at"]) > utc_now()
    room.client.get(link["url"], follow_redirects=False)
    assert room.client.get(SESSION).json() == {"name": "Zoë", "role": "reviewer", "kind": "person"}


def test_a_person_is_added_once(room: Room) -> None:
    admin = room.headers("admin")
    body = {"name": "ada", "role": "viewer"}

    statuses = [room.client.post("/api/v1/users", json=body, headers=admin).status_code for _ in range(2)]

    assert statuses == [201, 409]
    assert [user["name"] for user in room.client.get("/api/v1/users", headers=admin).json()["users"]] == ["ada"]


def test_a_session_opened_with_a_key_ends_with_the_key(room: Room) -> None:
    key = room.key("annotator", name="the laptop")
    opened = room.client.post(SESSION, json={"key": f" {key}\n"})
    assert opened.json() == {"name": "the laptop", "role": "annotator", "kind": "key"}
    assert room.client.get(SESSION).status_code == 200

    with room.database.transaction() as connection:
        record = keys.find_key(connection, secret_key(room.settings), key)
        assert record is not None
        keys.revoke_key(connection, record.id, actor="ada")
    room.app.state.wiring.callers.forget()

    assert room.client.get(SESSION).status_code == 401


def test_no_session_is_opened_with_a_wrong_key(room: Room) -> None:
    answer = room.client.post(SESSION, json={"key": "ner_12345678_wrong"})

    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers


def test_a_session_serves_as_a_bearer_token_too(room: Room) -> None:
    room.client.get("/sign-in", params={"token": _link(room)}, follow_redirects=False)
    token = room.client.cookies[COOKIE]
    room.client.cookies.clear()

    answer = room.client.get(SESSION, headers={"Authorization": f"Bearer {token}"})

    assert answer.json() == {"name": "ada", "role": "annotator", "kind": "person"}


def test_signing_out_clears_the_cookie(room: Room) -> None:
    room.client.get("/sign-in", params={"token": _link(room)}, follow_redirects=False)

    assert room.client.delete(SESSION, headers=WRITE).status_code == 204
    assert room.client.get(SESSION).status_code == 401


def test_a_write_by_cookie_is_refused_without_the_header_that_no_other_site_can_send(room: Room) -> None:
    room.client.get("/sign-in", params={"token": _link(room, role="engineer")}, follow_redirects=False)
    body = {"reason": "because"}

    assert room.client.post("/api/v1/rollout/rollback", json=body).status_code == 403
    assert room.client.post("/api/v1/rollout/rollback", json=body, headers=WRITE).status_code == 409


def _claims() -> dict[str, object]:
    now = utc_now()
    name = "ner-workbench"
    return {"sub": "ada", "kind": "user", "iat": now, "exp": now + dt.timedelta(hours=1), "aud": name, "iss": name}


SPOILED: dict[str, tuple[dict[str, object], str]] = {
    "an hour that has passed": ({"exp": utc_now() - dt.timedelta(seconds=1)}, "HS256"),
    "no end": ({"exp": None}, "HS256"),
    "another audience": ({"aud": "somebody else"}, "HS256"),
    "no audience": ({"aud": None}, "HS256"),
    "another issuer": ({"iss": "somebody else"}, "HS256"),
    "nobody": ({"sub": "nobody"}, "HS256"),
    "another algorithm": ({}, "HS512"),
    "no signature": ({}, "none"),
}


@pytest.mark.parametrize(("changes", "algorithm"), SPOILED.values(), ids=SPOILED)
def test_a_session_is_refused_when_it_has(changes: dict[str, object], algorithm: str, light_room: Room) -> None:
    with light_room.database.transaction() as connection:
        keys.create_user(connection, "ada", "viewer", actor="x")
    secret = keys.derived_key(secret_key(light_room.settings), "session") * 2
    claims = {name: value for name, value in (_claims() | changes).items() if value is not None}
    token = jwt.encode(claims, None if algorithm == "none" else secret[: 32 if algorithm == "HS256" else 64], algorithm)

    answer = light_room.client.get(SESSION, headers={"Authorization": f"Bearer {token}"})

    assert (answer.status_code, answer.json()["error"]["message"]) == (401, "This session has ended; sign in again.")


def test_a_session_made_with_the_right_key_and_claims_is_accepted(room: Room) -> None:
    with room.database.transaction() as connection:
        keys.create_user(connection, "ada", "viewer", actor="x")
    token = jwt.encode(_claims(), keys.derived_key(secret_key(room.settings), "session"), "HS256")

    assert room.client.get(SESSION, headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_callers_are_still_recognised_for_a_while_when_the_database_is_away(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr(callers.time, "monotonic", lambda: now)
    headers = room.headers()
    assert room.client.get(SESSION, headers=headers).status_code == 200
    known = room.app.state.wiring.callers
    monkeypatch.setattr(known, "_database", _Away())

    now += 60
    assert room.client.get(SESSION, headers=headers).status_code == 200
    stranger = room.client.get(SESSION, headers={"X-API-Key": "ner_12345678_x"})
    assert (stranger.status_code, stranger.json()["error"]["kind"]) == (503, "database_away")
    now += 300
    assert room.client.get(SESSION, headers=headers).status_code == 503


class _Away:
    """A database that does not answer."""

    def reading(self) -> object:
        import sqlalchemy as sa

        raise sa.exc.OperationalError("SELECT 1", {}, ConnectionError("no route to host"))
