"""The Open Inference Protocol, version 2."""

import json
from typing import Any

import pytest

from tests.api.rooms import BREAKS, Room

INFER = "/v2/models/ner/infer"


def _body(*texts: Any, **changes: Any) -> dict[str, Any]:
    tensor = {"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": list(texts)}
    return {"id": "mine", "inputs": [tensor | changes]}


def _infer(room: Room, body: dict[str, Any], path: str = INFER) -> Any:
    return room.client.post(path, json=body, headers=room.headers())


def test_texts_are_answered_tensor_by_tensor(light_room: Room) -> None:
    answer = _infer(light_room, _body("John is in Berlin", "nobody")).json()

    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("ner", "1.0.0", "mine")
    entities, versions = answer["outputs"]
    assert (entities["name"], entities["datatype"], entities["shape"]) == ("entities", "BYTES", [2])
    found, nothing = (json.loads(element) for element in entities["data"])
    assert found == [
        {"text": "John", "label": "per", "start": 0, "end": 4, "confidence": 0.9},
        {"text": "Berlin", "label": "geo", "start": 11, "end": 17, "confidence": 0.9},
    ]
    assert nothing == []
    assert versions["data"] == ["1.0.0", "1.0.0"]


def test_only_the_outputs_that_are_asked_for_are_answered(light_room: Room) -> None:
    answer = _infer(light_room, _body("John") | {"outputs": [{"name": "model_version"}]}).json()

    assert [output["name"] for output in answer["outputs"]] == ["model_version"]


def test_a_named_version_answers_whether_it_is_rolled_out_or_not(light_room: Room) -> None:
    light_room.version("1.1.0", {"Mars": "loc"})

    answer = _infer(light_room, _body("John on Mars"), "/v2/models/ner/versions/1.1.0/infer").json()

    assert answer["model_version"] == "1.1.0"
    assert json.loads(answer["outputs"][0]["data"][0])[0]["text"] == "Mars"


REFUSED: dict[str, tuple[dict[str, Any], int]] = {
    "no input": ({"inputs": []}, 422),
    "another input": (_body("John", name="tokens"), 422),
    "another datatype": (_body("John", datatype="FP32"), 422),
    "another shape": (_body("John", shape=[2]), 422),
    "two dimensions": (_body("John", shape=[1, 1]), 422),
    "no text": (_body(), 422),
    "an empty text": (_body("John", ""), 422),
    "a number": (_body("John", 5), 422),
    "too many texts": (_body(*["John"] * 257), 422),
    "an unknown output": (_body("John") | {"outputs": [{"name": "tokens"}]}, 422),
    "no inputs at all": ({"id": "mine"}, 422),
}


@pytest.mark.parametrize(("body", "status"), REFUSED.values(), ids=REFUSED)
def test_a_request_is_refused_with_a_sentence_when_it_has(body: dict[str, Any], status: int, light_room: Room) -> None:
    answer = _infer(light_room, body)

    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"].endswith(".")


def test_binary_tensors_are_refused_with_a_sentence(light_room: Room) -> None:
    headers = light_room.headers() | {"Inference-Header-Content-Length": "10"}

    answer = light_room.client.post(INFER, content=b"0123456789\x01", headers=headers)

    assert answer.status_code == 422
    assert "binary_data=False" in answer.json()["error"]["message"]


def test_the_request_fails_when_a_text_breaks_every_version(room: Room) -> None:
    room.stable(breaks=True)

    assert _infer(room, _body("John", f"Ada {BREAKS}")).status_code == 500


def test_health_and_metadata_say_what_there_is(light_room: Room) -> None:
    light_room.canary("1.1.0", 5)
    headers = light_room.headers()

    assert light_room.client.get("/v2/health/live").json() == {"live": True}
    assert light_room.client.get("/v2/health/ready").json() == {"ready": True}
    assert light_room.client.get("/v2", headers=headers).json()["name"] == "ner-workbench"
    assert light_room.client.get("/v2/models/ner/ready", headers=headers).json() == {"name": "ner", "ready": True}
    model = light_room.client.get("/v2/models/ner", headers=headers).json()
    assert model["versions"] == ["1.1.0", "1.0.0"]
    assert model["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    version = light_room.client.get("/v2/models/ner/versions/1.0.0", headers=headers).json()
    assert version["versions"] == ["1.0.0"]


def test_the_server_is_alive_but_not_ready_when_there_is_no_version(room: Room) -> None:
    assert room.client.get("/v2/health/live").status_code == 200
    assert room.client.get("/v2/health/ready").status_code == 503
    assert room.client.get("/v2/models/ner/ready", headers=room.headers()).status_code == 503


@pytest.mark.parametrize(
    "path", ["/v2/models/bert", "/v2/models/ner/versions/9.9.9", "/v2/models/ner/versions/9/ready"]
)
def test_an_unknown_model_or_version_is_not_found(path: str, light_room: Room) -> None:
    answer = light_room.client.get(path, headers=light_room.headers())

    assert (answer.status_code, answer.json()["error"]["kind"]) == (404, "not_found")
