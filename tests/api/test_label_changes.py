"""Search, and changes of labels, through the API."""

import json
from typing import Any

import pytest

from tests.api.rooms import Room

LINES = [
    {"text": "Ada in Rome", "spans": [[0, 3, "per"], [7, 11, "geo"]]},
    {"text": "Bo met Acme", "spans": [[0, 2, "per"]]},
]


@pytest.fixture
def news(room: Room) -> Room:
    content = "\n".join(json.dumps(line) for line in LINES).encode()
    room.client.post("/api/v1/datasets/news/import", content=content, headers=room.headers("engineer"))
    return room


def _get(room: Room, path: str, **parameters: Any) -> Any:
    return room.client.get(f"/api/v1/datasets/news/{path}", params=parameters, headers=room.headers("reviewer"))


def _post(room: Room, path: str, **body: Any) -> Any:
    return room.client.post(f"/api/v1/datasets/news/{path}", json=body, headers=room.headers("reviewer"))


def test_documents_are_found_with_the_places_of_what_was_sought(news: Room) -> None:
    page = _get(news, "search", label="per", pattern="^A").json()

    assert page["total"] == 1
    assert page["found"][0]["document"]["text"] == "Ada in Rome"
    assert page["found"][0]["hits"] == [{"start": 0, "end": 3}]
    assert _get(news, "search", pattern="(").status_code == 422


def test_a_label_is_renamed_after_a_preview_and_renamed_back(news: Room) -> None:
    body = {"kind": "rename", "labels": ["per"], "target": "person"}

    preview = _post(news, "changes/preview", **body).json()
    made = _post(news, "changes", **body)
    found = _get(news, "search", label="person").json()["total"]
    undone = _post(news, f"changes/{made.json()['id']}/undo").json()

    assert (preview["id"], preview["documents"], preview["spans"]) == (None, 2, {"per": 2})
    assert preview["examples"][1]["before"][0]["label"] == "per"
    assert preview["examples"][1]["after"][0] == {"start": 0, "end": 2, "label": "person", "text": "Bo"}
    assert (made.status_code, found, undone["labels"]) == (201, 2, ["geo", "per"])
    (listed,) = _get(news, "changes").json()["changes"]
    assert (listed["kind"], listed["target"], listed["is_undone"]) == ("rename", "person", True)
    assert _post(news, f"changes/{made.json()['id']}/undo").status_code == 409


def test_a_change_is_refused_in_one_sentence_when_it_does_not_fit(news: Room) -> None:
    answer = _post(news, "changes", kind="rename", labels=["per"], target="geo")

    assert answer.status_code == 422
    assert answer.json()["error"]["message"] == "There is a label 'geo' already; merge the two instead."
