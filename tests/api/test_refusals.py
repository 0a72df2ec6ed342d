"""Everything that is refused has one shape, a status below 500, and a sentence that says what to change."""

import shutil
from typing import Any

import pytest

from api import errors
from ner import errors as facts
from registry.rollout import set_stable
from tests.api.rooms import Room

PREDICT = "/api/v1/ner/predict"

BODIES: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 400, "not valid JSON"),
    "no JSON": (b"John lives in Berlin", 400, "not valid JSON"),
    "half of an object": (b'{"text": "John', 400, "not valid JSON"),
    "Latin-1": ('{"text": "Zoë"}'.encode("latin-1"), 400, "not valid JSON in UTF-8"),
    "half of a surrogate pair": (rb'{"text": "a \ud800 b"}', 400, "not valid JSON"),
    "deep nesting": (b"[" * 100_000, 400, "not valid JSON"),
    "a list": (b"[]", 422, "must be a JSON object"),
    "a bare string": (b'"John"', 422, "must be a JSON object"),
    "another field": (b'{"txt": "John"}', 422, "'text' is missing. 'txt' is not a field"),
    "a number for a text": (b'{"text": 5}', 422, "'text' should be a valid string"),
    "null for a text": (b'{"text": null}', 422, "'text' should be a valid string"),
    "NaN for a text": (b'{"text": NaN}', 422, "'text' should be a valid string"),
    "an empty text": (b'{"text": ""}', 422, "The text is empty"),
    "a blank text": ('{"text": " \\t\\r\\n\u3000"}'.encode(), 422, "The text is empty"),
    "a long text": (b'{"text": "' + b"x" * 100_001 + b'"}', 413, "100,001 characters"),
    "a long key": (b'{"text": "John", "document_key": "' + b"x" * 201 + b'"}', 422, "document_key"),
}


@pytest.mark.parametrize(("body", "status", "sentence"), BODIES.values(), ids=BODIES)
def test_predict_refuses_with_a_sentence_when_the_body_is(
    body: bytes, status: int, sentence: str, light_room: Room
) -> None:
    answer = light_room.client.post(PREDICT, content=body, headers=light_room.headers())

    _is_refusal(answer, status)
    assert sentence in answer.json()["error"]["message"]


WRITES: dict[str, tuple[bytes, int]] = {
    "half of a surrogate pair": (rb'{"dataset": "a\ud800", "recipe": "bilstm_crf.v1"}', 400),
    "the character NUL": (rb'{"dataset": "a\u0000b", "recipe": "bilstm_crf.v1"}', 422),
    "NaN": (b'{"dataset": "a", "recipe": "bilstm_crf.v1", "parameters": {"epochs": NaN}}', 400),
    "a huge number": (
        b'{"dataset": "a", "recipe": "bilstm_crf.v1", "parameters": {"epochs": 1' + b"0" * 400 + b"}}",
        400,
    ),
    "a number of 31 digits": (
        b'{"dataset": "a", "recipe": "bilstm_crf.v1", "parameters": {"epochs": 1' + b"0" * 30 + b"}}",
        422,
    ),
    "deep nesting": (b'{"parameters": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", 400),
    "not UTF-8": (b'{"dataset": "\xff"}', 400),
}


@pytest.mark.parametrize(("body", "status"), WRITES.values(), ids=WRITES)
def test_a_write_is_refused_when_its_json_holds(body: bytes, status: int, room: Room) -> None:
    headers = room.headers("engineer") | {"Content-Type": "application/json"}

    _is_refusal(room.client.post("/api/v1/runs", content=body, headers=headers), status)


NUMBERS = {
    "a revision beyond any": ("annotator", "/api/v1/documents/x/annotations", {"base_revision": 10**30}),
    "a share above the whole": ("engineer", "/api/v1/rollout/canary", {"version": "1.0.0", "percent": 101}),
    "a share that is no number": ("engineer", "/api/v1/rollout/canary", {"version": "1.0.0", "percent": "NaN"}),
    "a key for a million years": ("admin", "/api/v1/keys", {"name": "x", "days": 10**9}),
    "a limit beyond any": ("admin", "/api/v1/keys", {"name": "x", "rate_limit_per_hour": 10**20}),
    "a demo for ever": ("engineer", "/api/v1/demos", {"hours": 1e9}),
}


@pytest.mark.parametrize(("role", "path", "body"), NUMBERS.values(), ids=NUMBERS)
def test_a_number_is_refused_when_it_is(role: Any, path: str, body: dict[str, Any], room: Room) -> None:
    body = body if "base_revision" not in body else body | {"spans": [], "operation_id": "0123456789"}

    _is_refusal(room.client.post(path, json=body, headers=room.headers(role)), 422)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nowhere", 404),
        ("GET", "/api/v1/versions/9.9.9", 404),
        ("GET", "/api/v1/documents/none", 404),
        ("GET", "/api/v1/documents/a%00b", 422),
        ("GET", "/api/v1/datasets/x/documents?query=%00", 422),
        ("GET", "/api/v1/audit?limit=-1", 422),
        ("GET", "/api/v1/audit?offset=99999999999999999999", 422),
        ("GET", "/api/v1/drift?hours=nan", 422),
        ("GET", "/api/v1/traffic?hours=inf", 422),
        ("GET", "/api/v1/versions/%ED%A0%80", 404),
        ("PATCH", "/api/v1/ner/predict", 405),
    ],
)
def test_an_address_is_refused_when_nothing_fits_it(method: str, path: str, status: int, room: Room) -> None:
    _is_refusal(room.client.request(method, path, headers=room.headers("admin")), status)


def test_a_body_is_refused_before_it_is_read_when_its_length_is_above_the_limit(light_room: Room) -> None:
    headers = light_room.headers() | {"Content-Length": str(17 * 2**20)}

    _is_refusal(light_room.client.post(PREDICT, content=b"{}", headers=headers), 413)


def test_a_body_is_refused_while_it_is_read_when_it_does_not_say_its_length(light_room: Room) -> None:
    blocks = (b" " * 2**20 for _ in range(17))

    _is_refusal(light_room.client.post(PREDICT, content=blocks, headers=light_room.headers()), 413)


def test_nothing_answers_when_no_version_is_stable(room: Room) -> None:
    answer = room.client.post(PREDICT, json={"text": "John"}, headers=room.headers())

    _is_refusal(answer, 503)
    assert answer.json()["error"]["kind"] == "no_serving_version"
    assert int(answer.headers["Retry-After"]) >= 1


def test_it_is_said_that_the_stable_version_cannot_be_loaded_when_that_is_why_nobody_answers(room: Room) -> None:
    room.version("1.0.0")
    with room.database.transaction() as connection:
        set_stable(connection, "1.0.0", actor="ada", reason="the first one")
    shutil.rmtree(room.settings.artifacts / "versions" / "1.0.0")
    room.app.state.wiring.serving.refresh()

    answer = room.client.post(PREDICT, json={"text": "John"}, headers=room.headers())

    _is_refusal(answer, 503)
    why = "Version 1.0.0 is stable, but could not be loaded"
    assert why in answer.json()["error"]["message"]
    with pytest.raises(facts.NoServingVersion, match=why):
        room.app.state.wiring.serving.by_alias("stable")


def test_the_inside_of_a_failure_is_not_told(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the password is 1234")

    monkeypatch.setattr("api.versions.list_versions", fail)
    answer = room.client.get("/api/v1/versions", headers=room.headers())

    assert answer.status_code == 500
    assert answer.json()["error"]["kind"] == "failed"
    assert "1234" not in answer.text
    assert answer.headers["X-Request-ID"] == answer.json()["error"]["request_id"]


def test_every_fact_has_its_status() -> None:
    def families(family: type[facts.NerError]) -> list[type[facts.NerError]]:
        return [family, *(kind for child in family.__subclasses__() for kind in families(child))]

    below = [
        kind for kind in families(facts.NerError) if not kind.__module__.startswith(("workbench", "training", "tests"))
    ]

    assert {kind.kind for kind in below} <= errors.STATUS.keys()


def _is_refusal(answer: Any, status: int) -> None:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error.keys() == {"kind", "message", "request_id", "details"}
    assert error["message"].endswith(".")
    assert error["request_id"] == answer.headers["X-Request-ID"]
