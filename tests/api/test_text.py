"""Text in, text out, and what people say about it."""

import gzip
import json
import uuid
from collections.abc import Sequence
from typing import Any

import pytest

from tests.api.rooms import Room

LINES = [
    {"text": "John is in Berlin", "spans": [[0, 4, "per"], [11, 17, "geo"]]},
    {"text": "🎉 Zoë", "spans": [[2, 5, "per"]]},
    {"text": "Nobody is anywhere."},
]
NDJSON = {"Accept": "application/x-ndjson"}


def _file(lines: Sequence[dict[str, Any]] = LINES) -> bytes:
    named = [
        line | {"spans": [{"start": s, "end": e, "label": label} for s, e, label in line["spans"]]}
        if "spans" in line
        else line
        for line in lines
    ]
    return "\n".join(json.dumps(line) for line in named).encode()


def _import(room: Room, content: bytes | None = None, **headers: str) -> Any:
    return room.client.post(
        "/api/v1/datasets/news/import",
        params={"format": "auto", "filename": "news.jsonl"},
        content=content if content is not None else _file(),
        headers=room.headers("engineer") | headers,
    )


def _documents(room: Room, **parameters: Any) -> list[dict[str, Any]]:
    answer = room.client.get("/api/v1/datasets/news/documents", params=parameters, headers=room.headers())
    assert answer.status_code == 200, answer.text
    return list(answer.json()["documents"])


def _correct(room: Room, document: dict[str, Any], headers: dict[str, str], **changes: Any) -> Any:
    body = {
        "base_revision": document["revision"],
        "spans": [{"start": 0, "end": 6, "label": "per", "text": "Nobody"}],
        "operation_id": uuid.uuid4().hex,
    }
    return room.client.post(f"/api/v1/documents/{document['id']}/annotations", json=body | changes, headers=headers)


def test_a_file_is_imported_once(room: Room) -> None:
    first, second = _import(room).json(), _import(room).json()

    assert (first["dataset"], first["format"]) == ("news", "jsonl")
    assert (first["documents"], first["added"], first["skipped"]) == (3, 3, 0)
    assert first["entities"] == {"per": 2, "geo": 1}
    assert (second["added"], second["skipped"]) == (0, 3)
    (dataset,) = room.client.get("/api/v1/datasets", headers=room.headers()).json()["datasets"]
    assert (dataset["name"], dataset["documents"], dataset["gold"]) == ("news", 3, 2)


def test_a_file_may_be_sent_compressed_and_in_pieces(room: Room) -> None:
    packed = gzip.compress(_file())
    pieces = (packed[first : first + 7] for first in range(0, len(packed), 7))

    answer = room.client.post("/api/v1/datasets/news/import", content=pieces, headers=room.headers("engineer"))

    assert answer.json()["added"] == 3


def test_an_import_tells_its_progress_line_by_line_when_it_is_asked_to(room: Room) -> None:
    many = [{"text": f"John {number} is in Berlin"} for number in range(5_000)]

    answer = _import(room, _file(many), **NDJSON)

    assert answer.headers["Content-Type"].startswith("application/x-ndjson")
    *told, last = [json.loads(line) for line in answer.text.splitlines()]
    assert told
    assert all(0 <= line["progress"]["done"] <= line["progress"]["total"] for line in told)
    assert last["result"]["added"] == 5_000


@pytest.mark.parametrize("headers", [{}, NDJSON], ids=["at once", "line by line"])
def test_nothing_stays_when_a_line_of_the_file_is_malformed(headers: dict[str, str], room: Room) -> None:
    answer = _import(room, _file() + b'\n{"text": "broken", "spans": [[0', **headers)

    error = json.loads(answer.text.splitlines()[-1])["error"]
    assert error["kind"] == "malformed_file"
    assert error["message"].startswith("Line 4:")
    assert error["request_id"] == answer.headers["X-Request-ID"]
    assert answer.status_code == (200 if headers else 422)
    assert room.client.get("/api/v1/datasets", headers=room.headers()).json() == {"datasets": []}
    assert [path.name for path in room.settings.home.iterdir() if "draft-" in path.name] == []


def test_a_file_is_refused_when_it_is_larger_than_the_settings_allow(room: Room) -> None:
    megabytes = room.settings.max_upload_megabytes + 1

    answer = _import(room, b"x", **{"Content-Length": str(megabytes * 2**20)})

    assert (answer.status_code, answer.json()["error"]["kind"]) == (413, "body_too_large")


def test_what_was_imported_comes_out_again_with_a_summary(room: Room) -> None:
    _import(room)

    answer = room.client.get("/api/v1/datasets/news/export", params={"format": "jsonl"}, headers=room.headers())

    texts = [json.loads(line)["text"] for line in answer.content.decode().splitlines()]
    assert texts == [line["text"] for line in LINES]
    summary = json.loads(answer.headers["X-Export-Summary"])
    assert (summary["documents"], summary["entities"]) == (3, 3)
    assert isinstance(summary["losses"], list)
    assert [path.name for path in room.settings.home.iterdir() if "draft-" in path.name] == []


@pytest.mark.parametrize(
    ("dataset", "format_name", "status"), [("news", "xml", 422), ("nothing", "jsonl", 404)], ids=["format", "dataset"]
)
def test_an_export_is_refused_when_there_is_no_such(dataset: str, format_name: str, status: int, room: Room) -> None:
    _import(room)

    answer = room.client.get(
        f"/api/v1/datasets/{dataset}/export", params={"format": format_name}, headers=room.headers()
    )

    assert answer.status_code == status
    assert [path.name for path in room.settings.home.iterdir() if "draft-" in path.name] == []


def test_documents_are_found_by_page_text_and_state(room: Room) -> None:
    _import(room)

    assert [document["text"] for document in _documents(room, offset=1, limit=1)] == ["🎉 Zoë"]
    assert [document["text"] for document in _documents(room, query="BERLIN")] == ["John is in Berlin"]
    assert [document["text"] for document in _documents(room, state="unlabelled")] == ["Nobody is anywhere."]
    (party,) = _documents(room, query="Zoë")
    assert party["spans"] == [{"start": 2, "end": 5, "label": "per", "text": "Zoë"}]
    shown = room.client.get(f"/api/v1/documents/{party['id']}", headers=room.headers()).json()
    assert shown == party


def test_a_correction_is_stored_with_its_author(room: Room) -> None:
    _import(room)
    (document,) = _documents(room, state="unlabelled")
    key = room.key("annotator", name="grace")

    saved = _correct(room, document, {"X-API-Key": key}, model_version="1.0.0")

    assert saved.status_code == 201
    assert saved.json() == {"document_id": document["id"], "revision": 1, "is_gold": True, "check": None}
    path = f"/api/v1/documents/{document['id']}/revisions"
    (revision,) = room.client.get(path, headers=room.headers()).json()["revisions"]
    assert (revision["author"], revision["kind"], revision["model_version"]) == ("grace", "correction", "1.0.0")
    assert revision["spans"] == [{"start": 0, "end": 6, "label": "per", "text": "Nobody"}]


def test_a_correction_is_stored_once_when_it_is_sent_twice(room: Room) -> None:
    _import(room)
    (document,) = _documents(room, state="unlabelled")
    headers = room.headers("annotator")

    first, second = (_correct(room, document, headers, operation_id="the same one") for _ in range(2))

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    entries = room.client.get("/api/v1/audit", headers=headers).json()["entries"]
    assert [entry["action"] for entry in entries].count("annotation.saved") == 1


def test_both_corrections_come_back_when_one_is_stale(room: Room) -> None:
    _import(room)
    (document,) = _documents(room, state="unlabelled")
    _correct(room, document, {"X-API-Key": room.key("annotator", name="grace")})

    stale = _correct(room, document, room.headers("annotator"), spans=[])

    error = stale.json()["error"]
    assert (stale.status_code, error["kind"]) == (409, "stale_correction")
    assert error["details"]["theirs"]["author"] == "grace"
    assert error["details"]["theirs"]["spans"][0]["text"] == "Nobody"
    assert error["details"]["yours"]["spans"] == []


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "outside of the text": ({"start": 0, "end": 99, "label": "per"}, "invalid_span"),
    "empty": ({"start": 3, "end": 3, "label": "per"}, "invalid_span"),
    "another surface": ({"start": 0, "end": 4, "label": "per", "text": "Nobo dy"}, "invalid_span"),
    "an unknown label": ({"start": 0, "end": 6, "label": "star"}, "unknown_label"),
    "a field too many": ({"start": 0, "end": 6, "label": "per", "colour": "red"}, "invalid_input"),
}


@pytest.mark.parametrize(("span", "kind"), WRONG.values(), ids=WRONG)
def test_a_correction_is_refused_when_a_span_is(span: dict[str, Any], kind: str, room: Room) -> None:
    _import(room)
    (document,) = _documents(room, state="unlabelled")

    answer = _correct(room, document, room.headers("annotator"), spans=[span])

    assert (answer.status_code, answer.json()["error"]["kind"]) == (422, kind)


def test_the_next_task_brings_the_stable_version_s_suggestions(room: Room) -> None:
    room.stable()
    _import(room, _file([{"text": "Ada is in Berlin"}, {"text": "John"}]))
    headers = room.headers("annotator")

    task = room.client.get("/api/v1/tasks/next", params={"dataset": "news"}, headers=headers).json()
    plain = room.client.get(
        "/api/v1/tasks/next", params={"dataset": "news", "suggest": "false"}, headers=headers
    ).json()
    seen = {"dataset": "news", "exclude": task["document"]["id"]}
    second = room.client.get("/api/v1/tasks/next", params=seen, headers=headers).json()

    assert task["document"]["text"] == "Ada is in Berlin"
    assert [(span["start"], span["end"]) for span in task["suggestions"]] == [(0, 3), (10, 16)]
    assert (task["model_version"], task["remaining"]) == ("1.0.0", 2)
    assert task["reason"].endswith(".")
    assert (plain["suggestions"], plain["model_version"]) == ([], None)
    assert second["document"]["text"] == "John"


def test_there_is_no_task_when_everything_was_seen(room: Room) -> None:
    _import(room, _file([{"text": "John"}]))
    headers = room.headers("annotator")
    (document,) = _documents(room)

    task = room.client.get(
        "/api/v1/tasks/next", params={"dataset": "news", "exclude": document["id"]}, headers=headers
    ).json()

    assert (task["document"], task["remaining"]) == (None, 0)


def test_a_document_is_a_task_by_its_name_with_the_rules_of_its_dataset(room: Room) -> None:
    room.stable()
    _import(room, _file([{"text": "Ada is in Berlin"}]))
    (document,) = _documents(room)

    task = room.client.get(f"/api/v1/tasks/{document['id']}", headers=room.headers("annotator")).json()
    none = room.client.get("/api/v1/tasks/none", headers=room.headers("annotator"))

    assert task["document"] == document
    assert task["nesting"] == "flat"
    assert [(span["start"], span["end"]) for span in task["suggestions"]] == [(0, 3), (10, 16)]
    assert none.status_code == 404


def test_a_label_joins_the_dataset_once_and_a_person_may_use_it(room: Room) -> None:
    _import(room)
    before = _labels(room)

    for _ in range(2):
        body = {"labels": ["disease"]}
        answer = room.client.post("/api/v1/datasets/news/labels", json=body, headers=room.headers("reviewer"))
        assert answer.json() == {"labels": [*before, "disease"]}
    (document,) = _documents(room, state="unlabelled")
    spans = [{"start": 0, "end": 1, "label": "disease"}]
    assert _correct(room, document, room.headers("annotator"), spans=spans).status_code == 201
    refused = room.client.post("/api/v1/datasets/news/labels", json=body, headers=room.headers("annotator"))
    assert refused.status_code == 403


def _labels(room: Room) -> list[str]:
    listed = room.client.get("/api/v1/datasets", headers=room.headers()).json()["datasets"]
    return next(dataset["labels"] for dataset in listed if dataset["name"] == "news")


@pytest.mark.parametrize("parameters", [{}, {"source": "elsewhere"}])
def test_a_task_is_refused_when_it_is_not_said_of_what(parameters: dict[str, str], room: Room) -> None:
    answer = room.client.get("/api/v1/tasks/next", params=parameters, headers=room.headers("annotator"))

    assert (answer.status_code, answer.json()["error"]["kind"]) == (422, "invalid_input")


def test_a_text_of_low_confidence_becomes_a_task_only_while_capture_is_on(room: Room) -> None:
    room.stable(confidence=0.3)
    admin = room.headers("admin")
    assert room.client.get("/api/v1/capture", headers=admin).json() == {"enabled": False}
    room.predict("John before", admin)
    assert room.client.put("/api/v1/capture", json={"enabled": True}, headers=admin).json() == {"enabled": True}
    room.predict("John during", admin)
    room.predict("nobody is named here", admin)
    room.client.put("/api/v1/capture", json={"enabled": False}, headers=admin)
    room.predict("John after", admin)
    room.logged()

    traffic = {"source": "traffic"}
    task = room.client.get("/api/v1/tasks/next", params=traffic, headers=admin).json()
    seen = traffic | {"exclude": task["document"]["id"]}
    rest = room.client.get("/api/v1/tasks/next", params=seen, headers=admin).json()

    assert task["document"]["text"] == "John during"
    assert task["document"]["dataset"] == "traffic"
    assert "geo" in task["labels"]
    assert rest["document"] is None
    spans = [{"start": 0, "end": 4, "label": "per"}]
    assert _correct(room, task["document"], admin, spans=spans).status_code == 201


def test_a_text_of_high_confidence_is_not_kept(room: Room) -> None:
    room.stable(confidence=0.9)
    admin = room.headers("admin")
    room.client.put("/api/v1/capture", json={"enabled": True}, headers=admin)
    room.predict("John", admin)
    room.logged()

    task = room.client.get("/api/v1/tasks/next", params={"source": "traffic"}, headers=admin).json()

    assert task["document"] is None
