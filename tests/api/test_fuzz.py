"""Whatever is sent, the server answers, and never that it failed."""

from random import Random

import pytest

from tests.api.rooms import Room
from tests.fuzzing import Shot, shots

_COUNT = 1_500


def _fire(room: Room, shot: Shot, key: str) -> None:
    headers = shot.headers | {"X-API-Key": key}
    answer = room.client.request(shot.method, shot.path, content=shot.body, headers=headers, follow_redirects=False)
    assert answer.status_code < 500, (shot, answer.text)
    if answer.status_code >= 400 and shot.path.startswith("/api/"):
        assert answer.json()["error"]["request_id"] == answer.headers["X-Request-ID"]


@pytest.mark.parametrize("seed", [1, 2])
def test_no_request_makes_the_server_fail(seed: int, light_room: Room) -> None:
    key = light_room.key("admin")
    for shot in shots(Random(seed), _COUNT):
        _fire(light_room, shot, key)


@pytest.mark.parametrize("filling", [b"x", b"[", b'{"text":', b"\xff", b'"\\ud800"'])
def test_ten_megabytes_are_answered(filling: bytes, light_room: Room) -> None:
    body = (filling * (10 * 2**20 // len(filling) + 1))[: 10 * 2**20]
    for path in ("/api/v1/ner/predict", "/api/v1/ner/batch"):
        _fire(light_room, Shot("POST", path, body, {"Content-Type": "application/json"}), light_room.key())
