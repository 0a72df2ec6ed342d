"""The demo for people without a key: built, opened with a link, and closed in plain words.

The tests that build it are coroutines: outside of a running event loop Gradio opens loops that it never closes.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import Mount

from tests.workbench.world import BOTH, PLACES, World
from workbench.api_client import ApiClient, RetryPolicy
from workbench.demos.demo import NO_TOKEN, WRONG, answer, build_demo, enter, mount_demo, segments

TEXT = "Maria went to Oslo ."


@pytest.fixture
def http(world: World) -> Iterator[TestClient]:
    world.add_stable("1.0.0", PLACES)
    world.add_version("1.1.0", BOTH)
    with world.api("engineer") as http:
        yield http


def token_of(demo: dict[str, Any]) -> str:
    return str(demo["url"].rpartition("token=")[2])


async def test_the_demo_is_built_without_telemetry() -> None:
    blocks = build_demo("http://127.0.0.1:9")
    assert blocks.analytics_enabled is False


def test_one_version_is_shown_when_the_link_is_for_one(http: TestClient) -> None:
    api = ApiClient(http)
    said, room, left, right, rows = answer(api, token_of(api.create_demo(hours=1)), TEXT)
    assert said == "Version 1.0.0."
    assert room["visible"] is True
    assert left.value == [{"token": "Maria went to ", "class_or_confidence": None}] or "Oslo" in str(left.value)
    assert right["visible"] is False
    assert [row[:3] for row in rows["value"]] == [["1.0.0", "Oslo", "geo"]]


def test_two_versions_are_shown_side_by_side_when_the_link_is_for_two(http: TestClient) -> None:
    api = ApiClient(http)
    token = token_of(api.create_demo(version="1.0.0", compared_with="1.1.0", hours=1))
    said, _, left, right, rows = answer(api, token, TEXT)
    assert said == "Versions 1.0.0 and 1.1.0, side by side."
    assert (left.label, right.label) == ("1.0.0", "1.1.0")
    assert [row[:2] for row in rows["value"]] == [["1.0.0", "Oslo"], ["1.1.0", "Maria"], ["1.1.0", "Oslo"]]


def test_the_room_is_closed_when_there_is_no_token(http: TestClient) -> None:
    said, room, *_ = answer(ApiClient(http), "", TEXT)
    assert (said, room["visible"]) == (NO_TOKEN, False)


@pytest.mark.parametrize("end", ["unknown", "revoked"])
def test_the_room_is_closed_with_a_sentence_when_the_link_is_not_valid(http: TestClient, end: str) -> None:
    api = ApiClient(http)
    demo = api.create_demo(hours=1)
    token = "no such token"
    if end == "revoked":
        api.revoke_demo(demo["id"])
        token = token_of(demo)
    said, room, *_ = answer(api, token, TEXT)
    assert room["visible"] is False
    assert said.startswith({"unknown": "No demo opens with this link", "revoked": "This demo was closed on"}[end])
    assert said.endswith(".")


def test_the_room_stays_open_when_the_text_is_refused(http: TestClient) -> None:
    api = ApiClient(http)
    token = token_of(api.create_demo(hours=1))
    said, room, *_ = answer(api, token, "a" * 100_001)
    assert room["visible"] is True
    assert "100" in said
    said, room, *_ = answer(api, token, "  ")
    assert (said, room["visible"]) == ("Type a text, then press the button.", True)


def test_the_room_is_open_at_once_when_the_link_asks_for_no_passphrase(http: TestClient) -> None:
    api = ApiClient(http)
    ticket, gate, said, room, *_ = enter(api, token_of(api.create_demo(hours=1)), None)
    assert ticket
    assert (gate["visible"], said, room["visible"]) == (False, "Version 1.0.0.", True)


def test_the_room_opens_with_the_passphrase_and_not_with_another(http: TestClient) -> None:
    api = ApiClient(http)
    token = token_of(api.create_demo(version="1.0.0", compared_with="1.1.0", passphrase="correct horse"))
    ticket, gate, said, room, *_ = enter(api, token, None)
    assert (ticket, gate["visible"], room["visible"]) == ("", True, False)
    assert "1.0.0" not in said
    ticket, gate, said, room, *_ = enter(api, token, "wrong horse")
    assert (ticket, gate["visible"], said, room["visible"]) == ("", True, WRONG, False)
    ticket, gate, said, room, *_ = enter(api, token, "correct horse")
    assert (gate["visible"], said, room["visible"]) == (False, "Versions 1.0.0 and 1.1.0, side by side.", True)
    assert answer(api, token, TEXT, ticket)[0] == said
    assert answer(api, token, TEXT)[1]["visible"] is False


@pytest.mark.filterwarnings("ignore:You should not use the 'timeout' argument")
async def test_only_the_sites_that_a_link_names_may_embed_its_page(http: TestClient) -> None:
    api = ApiClient(http)
    tokens = [token_of(api.create_demo(hours=1, frame_origins=sites)) for sites in ((), ("https://a.example",))]
    app = FastAPI()
    mount_demo(app, http)
    with TestClient(app) as client:
        closed, opened = (client.get("/demo/", params={"token": token}).headers for token in tokens)
        unknown = client.get("/demo/", params={"token": "x", "frame": "https://evil.example"}).headers
        asset = client.get("/demo/config").headers
    assert closed["content-security-policy"] == unknown["content-security-policy"] == "frame-ancestors 'self'"
    assert opened["content-security-policy"] == "frame-ancestors 'self' https://a.example"
    assert (opened["referrer-policy"], opened["x-robots-tag"]) == ("no-referrer", "noindex")
    assert "x-frame-options" not in opened
    assert "content-security-policy" not in asset


async def test_the_page_is_mounted_and_asks_no_other_host_for_fonts() -> None:
    app = FastAPI()
    mount_demo(app, "http://127.0.0.1:9")
    with TestClient(app) as client:
        page = client.get("/demo/")
        config = client.get("/demo/config").json()
    assert page.status_code == 200
    assert [sheet for sheet in config.get("stylesheets", []) if "://" in sheet] == []


async def test_a_demo_that_nobody_asks_looks_for_questions_twenty_times_a_second_at_most() -> None:
    app = FastAPI()
    mount_demo(app, "http://127.0.0.1:9")
    with TestClient(app) as client:
        assert client.get("/demo/config").status_code == 200
        mounted = next(route.app for route in app.routes if isinstance(route, Mount) and route.path == "/demo")
        queue = mounted.get_blocks()._queue  # type: ignore[attr-defined]
        pauses: list[float] = []

        async def rest(seconds: float) -> None:
            pauses.append(seconds)
            queue.stopped = True

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("gradio.queueing.asyncio.sleep", rest)
            for looking in (queue.start_processing, queue.start_progress_updates):
                queue.stopped = False
                await looking()
    assert pauses == [0.05, 1.0]


@given(st.text(max_size=40), st.lists(st.tuples(st.integers(0, 39), st.integers(1, 40)), max_size=5))
def test_the_pieces_are_the_text_when_they_are_joined(text: str, borders: list[tuple[int, int]]) -> None:
    spans = [{"start": start, "end": end, "label": "per"} for start, end in borders if start < end <= len(text)]
    pieces = segments(text, spans)
    assert "".join(piece for piece, _ in pieces) == text
    assert all(piece for piece, _ in pieces)


def test_the_longest_is_kept_when_entities_overlap() -> None:
    spans = [{"start": 0, "end": 3, "label": "geo"}, {"start": 0, "end": 8, "label": "org"}]
    assert segments("New York", spans) == [("New York", "org")]


def test_a_guest_is_told_when_to_come_back_when_the_demo_was_asked_too_often(http: TestClient) -> None:
    api = ApiClient(http, retry=RetryPolicy(attempts=1))
    token = token_of(api.create_demo(hours=1, passphrase="correct horse"))
    for _ in range(30):
        enter(api, token, "wrong horse")
    ticket, gate, said, room, *_ = enter(api, token, "correct horse")
    assert (ticket, gate["visible"], room["visible"]) == ("", True, False)
    assert re.fullmatch(r"This demo has been asked too often in the last hour; try again in \d+ minutes?\.", said)
