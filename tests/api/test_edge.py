"""What every answer carries, and which other sites may call."""

from collections.abc import Iterator
from pathlib import Path

import pytest

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
