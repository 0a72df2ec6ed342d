"""Several people on the same documents, over HTTP."""

import json
import uuid
from typing import Any

import pytest

from tests.api.rooms import Room


def _dataset(room: Room, people: int, *texts: str) -> None:
    headers = room.headers("engineer")
    body = {"name": "news", "labels": ["per", "geo"], "annotators_required": people}
    assert room.client.post("/api/v1/datasets", json=body, headers=headers).status_code == 201
    content = "\n".join(json.dumps({"text": text}) for text in texts)
    room.client.post("/api/v1/datasets/news/import", content=content, headers=headers).raise_for_status()


def _next(room: Room, headers: dict[str, str], **query: str) -> dict[str, Any]:
    answer = room.client.get("/api/v1/tasks/next", params={"dataset": "news"} | query, headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _save(room: Room, task: dict[str, Any], headers: dict[str, str], end: int, where: str = "annotations") -> Any:
    document = task["document"]
    body = {
        "base_revision": document["revision"],
        "operation_id": uuid.uuid4().hex,
        "spans": [{"start": 0, "end": end, "label": "per"}],
    }
    return room.client.post(f"/api/v1/documents/{document['id']}/{where}", json=body, headers=headers)


def test_two_people_are_given_different_documents_and_one_that_is_given_back(room: Room) -> None:
    _dataset(room, 1, "John one", "John two")
    ada, bo = (room.headers("annotator", name=name) for name in ("ada", "bo"))

    first, second = _next(room, ada), _next(room, bo)
    assert first["document"]["id"] != second["document"]["id"]
    cy = room.headers("annotator", name="cy")
    assert _next(room, cy)["document"] is None
    given_back = room.client.delete(f"/api/v1/tasks/{first['document']['id']}/lease", headers=ada)
    assert given_back.status_code == 204
    assert _next(room, cy)["document"]["id"] == first["document"]["id"]


def test_a_disagreement_is_measured_and_decided(room: Room) -> None:
    _dataset(room, 2, "John Smith")
    ada, bo, reviewer = (
        room.headers("annotator", name="ada"),
        room.headers("annotator", name="bo"),
        room.headers("reviewer"),
    )
    for person, end in ((ada, 4), (bo, 10)):
        assert _save(room, _next(room, person), person, end).status_code == 201

    measured = room.client.get("/api/v1/datasets/news/agreement", headers=reviewer).json()
    assert (measured["documents"], measured["people"], measured["waiting"]) == (1, ["ada", "bo"], 1)
    assert (measured["pairs"][0]["exact_f1"], measured["pairs"][0]["partial_f1"]) == (0, 1)
    task = _next(room, reviewer, order="disagreements")
    assert [(one["author"], one["spans"][0]["text"]) for one in task["answers"]] == [
        ("ada", "John"),
        ("bo", "John Smith"),
    ]
    assert task["reason"] == "ada and bo do not agree."
    decided = _save(room, task, reviewer, 10, where="decision")
    assert (decided.status_code, decided.json()["is_gold"]) == (201, True)
    assert _next(room, reviewer, order="disagreements")["document"] is None
    refused = room.client.get("/api/v1/tasks/next", params={"dataset": "news", "order": "disagreements"}, headers=ada)
    assert refused.status_code == 403


def test_gamma_is_measured_for_everybody_pairs_labels_and_documents(room: Room) -> None:
    _dataset(room, 3, "John Smith and Mary Jones met in the old town of Rome")
    ada, bo = (room.headers("annotator", name=name) for name in ("ada", "bo"))
    for person, end in ((ada, 4), (bo, 10)):
        assert _save(room, _next(room, person), person, end).status_code == 201
    path, reviewer = "/api/v1/datasets/news/agreement/gamma", room.headers("reviewer")

    measured = room.client.get(path, headers=reviewer).json()
    assert (measured["shared"], measured["documents"], measured["whole"]["spans"]) == (1, 1, 2)
    # |0 - 0| + |4 - 10| over 4 + 10 characters, squared, is the disorder; chance gives more.
    low, high = measured["whole"]["interval"]
    assert 0 < low <= measured["whole"]["gamma"] <= high < 1
    assert measured["per_label"]["per"]["gamma"] == measured["whole"]["gamma"]
    assert [(one["left"], one["right"], one["documents"]) for one in measured["pairs"]] == [("ada", "bo", 1)]
    assert [one["gamma"] for one in measured["least_agreed"]] == pytest.approx([measured["whole"]["gamma"]])
    assert room.client.get(path, headers=reviewer).json() == measured
    assert room.client.get("/api/v1/datasets/none/agreement/gamma", headers=reviewer).status_code == 404


def test_what_the_version_is_least_sure_of_comes_with_its_reason(room: Room) -> None:
    room.stable(confidence=0.3)
    room.canary("1.1.0", 10, words={"John": "geo"})
    _dataset(room, 1, "nobody is here", "John", "nobody is there")
    headers = room.headers("annotator")

    task = _next(room, headers, order="uncertain")
    # One in seven is drawn evenly and says so.
    while task["reason"].startswith("Chosen at random"):
        task = _next(room, headers, order="uncertain")
    assert task["document"]["text"] == "John"
    assert task["reason"].startswith("Version 1.0.0 expects 0.7 errors of its own here; its lowest confidence is 0.30.")
    assert task["reason"].endswith("Spans that the canary marks differently: 2.")


def test_the_number_of_people_is_changed_by_an_engineer(room: Room) -> None:
    _dataset(room, 1, "John")
    path = "/api/v1/datasets/news/people"
    changed = room.client.put(path, json={"annotators_required": 2}, headers=room.headers("engineer"))
    assert changed.json() == {"name": "news", "labels": ["per", "geo"], "nesting": "flat", "annotators_required": 2}
    assert room.client.put(path, json={"annotators_required": 0}, headers=room.headers("engineer")).status_code == 422
    assert room.client.put(path, json={"annotators_required": 2}, headers=room.headers("reviewer")).status_code == 403
