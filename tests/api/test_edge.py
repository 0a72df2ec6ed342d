"""What every answer carries, and which other sites may call."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.deprecation import deprecated
from api.roles import guarded_router, public
from ner.database import Database
from ner.migrations import migrate
from ner.settings import Settings
from tests.api.rooms import Room, open_room

SITE = "https://app.example"
PREFLIGHT = {"Origin": SITE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}


@pytest.fixture
def open_to_site(settings: Settings, tmp_path: Path) -> Iterator[Room]:
    store = Database(f"sqlite:///{tmp_path / 'site.db'}")
    migrate(store)
    room = open_room(settings.model_copy(update={"cors_origins": [SITE]}), store)
    with room.client:
        room.stable()
        yield room
    store.close()


def test_a_page_of_another_site_may_call_when_the_settings_name_it(open_to_site: Room) -> None:
    path = "/api/v1/ner/predict"
    asked = open_to_site.client.options(path, headers=PREFLIGHT)
    headers = open_to_site.headers() | {"Origin": SITE}
    answer = open_to_site.client.post(path, json={"text": "John"}, headers=headers)

    assert (asked.status_code, asked.headers["Access-Control-Allow-Origin"]) == (200, SITE)
    assert answer.headers["Access-Control-Allow-Origin"] == SITE
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_no_other_site_may_call(open_to_site: Room) -> None:
    foreign = PREFLIGHT | {"Origin": "https://evil.example"}

    assert open_to_site.client.options("/api/v1/ner/predict", headers=foreign).status_code == 400


def test_no_site_may_call_unless_the_settings_say_so(light_room: Room) -> None:
    answer = light_room.client.options("/api/v1/ner/predict", headers=PREFLIGHT)

    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("path", ["/api/v1/ner/health", "/api/v1/nowhere", "/api/v1/versions"])
def test_every_answer_has_its_id_and_the_headers_that_keep_browsers_safe(path: str, light_room: Room) -> None:
    headers = light_room.client.get(path).headers

    assert len(headers["X-Request-ID"]) == 32
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert headers["Cache-Control"] == "no-store"


def test_a_route_that_will_go_says_so_in_every_answer(light_room: Room) -> None:
    router = guarded_router()
    since, until = dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2027, 1, 1, tzinfo=dt.UTC)

    @router.get("/api/v0/old")
    @public
    @deprecated(since, until, "/api/v1/new")
    async def old() -> dict[str, bool]:
        return {"ok": True}

    light_room.app.router.routes.extend(router.routes)
    headers = light_room.client.get("/api/v0/old").headers

    assert headers["Deprecation"] == "@1767225600"
    assert headers["Sunset"] == "Fri, 01 Jan 2027 00:00:00 GMT"
    assert headers["Link"] == '</api/v1/new>; rel="successor-version"'
    assert "Deprecation" not in light_room.client.get("/api/v1/ner/health").headers
