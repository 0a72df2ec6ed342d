"""The desk over HTTP: sources with their state, an endpoint in another process, single decisions, and all the rest."""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from annotation.endpoint import ask_endpoint
from annotation.sources import SuggestionSource
from ner import tables
from ner.database import utc_now
from ner.errors import SourceFailed
from ner.settings import Settings
from tests.api.rooms import Room

TEXT = "Ada left Oslo, then Oslo forgot her"


@pytest.fixture(scope="module")
def language_model() -> Iterator[str]:
    """The address of a stand-in for a language model, in a process of its own."""
    path = Path(__file__).with_name("language_model.py")
    process = subprocess.Popen([sys.executable, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
    process.communicate(timeout=10)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"endpoint_private_addresses": True})


@pytest.fixture
def news(room: Room) -> Room:
    room.stable(confidence=0.7)
    content = json.dumps({"text": TEXT}).encode()
    engineer = room.headers("engineer")
    room.client.post("/api/v1/datasets/news/import", content=content, headers=engineer).raise_for_status()
    labels = {"labels": ["per", "geo"]}
    room.client.post("/api/v1/datasets/news/labels", json=labels, headers=engineer).raise_for_status()
    return room


def _task(room: Room, headers: dict[str, str]) -> dict[str, Any]:
    answer = room.client.get("/api/v1/tasks/next", params={"dataset": "news"}, headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _put_source(room: Room, name: str, role: Any = "engineer", **body: Any) -> httpx.Response:
    return room.client.put(f"/api/v1/datasets/news/sources/{name}", json=body, headers=room.headers(role))


def _answer(task: dict[str, Any], *spans: tuple[int, int, str]) -> dict[str, Any]:
    return {
        "base_revision": task["document"]["revision"],
        "operation_id": uuid.uuid4().hex,
        "spans": [{"start": start, "end": end, "label": label} for start, end, label in spans],
        "offers": task["suggestions"],
        "effort": {"active_ms": 2500, "key_presses": 3},
    }


def test_every_suggestion_says_where_it_is_from_and_what_became_of_it_is_known(news: Room) -> None:
    entries = [{"text": "Oslo", "label": "geo"}]
    assert _put_source(news, "towns", kind="gazetteer", content={"entries": entries}).json()["version"] == 1
    person = news.headers("annotator", name="bo")

    task = _task(news, person)
    offered = [(one["start"], one["source"], one["source_version"], one["confidence"]) for one in task["suggestions"]]
    assert offered == [(0, "model", "1.0.0", 0.7), (9, "towns", "1", None), (20, "towns", "1", None)]
    path = f"/api/v1/documents/{task['document']['id']}/annotations"
    body = _answer(task, (0, 3, "per"), (9, 13, "geo"))
    for _ in range(2):
        assert news.client.post(path, json=body, headers=person).status_code == 201
    fared = news.client.get("/api/v1/datasets/news/sources", headers=person).json()["outcomes"]
    assert [(one["source"], one["accepted"], one["rejected"]) for one in fared] == [("model", 1, 0), ("towns", 1, 1)]
    habits = news.client.get("/api/v1/datasets/news/habits", headers=news.headers("reviewer")).json()["people"]
    assert [(one["person"], one["seconds_per_answer"], one["keys_per_answer"]) for one in habits] == [("bo", 2.5, 3)]


def test_nothing_that_is_only_offered_reaches_gold(news: Room) -> None:
    _put_source(news, "towns", kind="gazetteer", content={"entries": [{"text": "Oslo", "label": "geo"}]})
    headers = news.headers("annotator")
    task = _task(news, headers)
    assert len(task["suggestions"]) == 3
    news.client.post(f"/api/v1/documents/{task['document']['id']}/annotations", json=_answer(task), headers=headers)

    exported = news.client.get("/api/v1/datasets/news/export", params={"format": "jsonl"}, headers=headers)
    assert json.loads(exported.text)["spans"] == []


def test_an_endpoint_is_asked_on_demand_and_its_key_is_never_shown(news: Room, language_model: str) -> None:
    content = {"url": language_model, "model": "right", "guidelines": "Towns only.", "price_in": 2, "price_out": 10}
    body = {"kind": "endpoint", "content": content, "key": "a secret key"}
    assert _put_source(news, "llm", **body).status_code == 403
    saved = _put_source(news, "llm", "admin", **body)
    assert (saved.json()["has_key"], "a secret key" in saved.text) == (True, False)
    annotator = news.headers("annotator")
    task = _task(news, annotator)
    assert {one["source"] for one in task["suggestions"]} == {"model"}

    path = f"/api/v1/documents/{task['document']['id']}/suggestions"
    answer = news.client.post(path, json={"source": "llm"}, headers=annotator).json()

    found = [(TEXT[one["start"] : one["end"]], one["start"], one["source"]) for one in answer["suggestions"]]
    assert found == [("Ada", 0, "llm"), ("Oslo", 9, "llm")]
    assert (answer["tokens_in"], answer["tokens_out"], answer["cost"]) == (1000, 200, 0.004)
    asked = httpx.get(language_model).json()[-1]
    assert asked["key"] == "Bearer a secret key"
    assert asked["messages"][1]["content"] == TEXT
    assert "Towns only." in asked["messages"][0]["content"]
    assert asked["response_format"]["type"] == "json_schema"
    trail = news.client.get("/api/v1/audit", headers=annotator).json()["entries"]
    assert [one["action"] for one in trail if one["action"].startswith("source")] == ["source.asked", "source.saved"]
    _put_source(news, "llm", "admin", kind="endpoint", content=content, enabled=False)
    assert news.client.post(path, json={"source": "llm"}, headers=annotator).status_code == 422


def test_the_key_of_an_endpoint_stays_with_its_address(news: Room, language_model: str) -> None:
    content = {"url": language_model, "model": "right"}
    _put_source(news, "llm", "admin", kind="endpoint", content=content, key="a secret key")
    kept = _put_source(news, "llm", "admin", kind="endpoint", content=content | {"model": "newer"}).json()
    assert (kept["has_key"], kept["notice"]) == (True, None)

    elsewhere = {"url": language_model.replace("/v1", "/elsewhere"), "model": "right"}
    moved = _put_source(news, "llm", "admin", kind="endpoint", content=elsewhere).json()

    assert (moved["has_key"], "give the key for this one" in moved["notice"]) == (False, True)
    back = _put_source(news, "llm", "admin", kind="endpoint", content=content).json()
    assert (back["has_key"], back["notice"]) == (False, None)
    headers = news.headers("annotator")
    path = f"/api/v1/documents/{_task(news, headers)['document']['id']}/suggestions"
    news.client.post(path, json={"source": "llm"}, headers=headers).raise_for_status()
    assert httpx.get(language_model).json()[-1]["key"] in {None, ""}
    given = _put_source(news, "llm", "admin", kind="endpoint", content=elsewhere, key="another").json()
    assert (given["has_key"], given["notice"]) == (True, None)
    # An engineer may make a pattern of it, which holds no key that could come back.
    _put_source(news, "llm", kind="pattern", content={"pattern": "Oslo", "label": "geo"})
    assert not _put_source(news, "llm", "admin", kind="endpoint", content=elsewhere).json()["has_key"]
    trail = news.client.get("/api/v1/audit", headers=headers).json()["entries"]
    saved = [one["details"]["lost_key"] for one in trail if one["action"] == "source.saved"]
    assert saved == [False, True, False, False, True, False, False]


def test_what_an_endpoint_says_wrongly_is_counted_and_not_guessed(news: Room, language_model: str) -> None:
    _put_source(news, "llm", "admin", kind="endpoint", content={"url": language_model, "model": "wrong"})
    headers = news.headers("annotator")
    path = f"/api/v1/documents/{_task(news, headers)['document']['id']}/suggestions"

    answer = news.client.post(path, json={"source": "llm"}, headers=headers).json()

    assert [(one["start"], one["label"]) for one in answer["suggestions"]] == [(0, "per")]
    assert answer["left_out"] == {"not in the text": 2, "ambiguous": 1, "unknown label": 1, "malformed": 2}


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("slow", "did not answer within"),
        ("partial", "cut its answer off"),
        ("prose", "does not hold the list"),
        ("broken", "JSON object"),
        ("refusing", "status 429"),
        ("endless", "more than 2 MB"),
    ],
)
def test_an_endpoint_that_fails_is_named_in_one_sentence(language_model: str, model: str, sentence: str) -> None:
    content = {"url": language_model, "model": model, "guidelines": "", "price_in": 0, "price_out": 0}
    source = SuggestionSource("llm", "endpoint", content, 1, True, "ada", utc_now())

    with pytest.raises(SourceFailed, match=sentence):
        seconds = 0.4 if model == "slow" else 20
        ask_endpoint(source, "", TEXT, ["per", "geo"], may_be_private=True, timeout_seconds=seconds)


def test_an_endpoint_that_is_not_there_is_a_bad_gateway(news: Room) -> None:
    _put_source(news, "llm", "admin", kind="endpoint", content={"url": "http://127.0.0.1:9", "model": "m"})
    headers = news.headers("annotator")
    path = f"/api/v1/documents/{_task(news, headers)['document']['id']}/suggestions"

    answer = news.client.post(path, json={"source": "llm"}, headers=headers)

    assert (answer.status_code, answer.json()["error"]["kind"]) == (502, "source_failed")
    assert "cannot be reached" in answer.json()["error"]["message"]


def test_single_spans_are_judged_and_the_rest_stays_unknown(news: Room) -> None:
    headers = news.headers("annotator")
    queue = news.client.get("/api/v1/datasets/news/judgements/next", headers=headers).json()
    (item,) = queue["items"]
    assert (item["before"], item["surface"], item["after"][:5]) == ("", "Ada", " left")
    body = {name: item[name] for name in ("start", "end", "label", "source", "source_version", "confidence")}
    body |= {"operation_id": uuid.uuid4().hex, "verdict": "rejected", "text": "Ada"}
    path = f"/api/v1/documents/{item['document_id']}/judgements"

    assert news.client.post(path, json=body, headers=headers).json()["is_new"] is True
    assert news.client.post(path, json=body, headers=headers).json()["is_new"] is False
    wrong = body | {"operation_id": uuid.uuid4().hex, "text": "Bob"}
    assert news.client.post(path, json=wrong, headers=headers).status_code == 422

    again = news.client.get("/api/v1/datasets/news/judgements/next", headers=headers).json()
    assert (again["items"], again["judged"]) == ([], 1)
    (partial,) = news.client.get("/api/v1/datasets/news/judgements", headers=headers).json()["documents"]
    assert (partial["accepted"], partial["rejected"][0]["text"]) == ([], "Ada")
    task = _task(news, headers)
    assert (task["suggestions"], task["document"]["is_gold"]) == ([], False)


def test_whoever_takes_what_is_wrong_on_purpose_is_told_and_it_is_not_stored(news: Room) -> None:
    path = "/api/v1/datasets/news/checks"
    assert news.client.put(path, json={"percent": 50}, headers=news.headers("reviewer")).status_code == 403
    assert news.client.put(path, json={"percent": 50}, headers=news.headers("engineer")).json() == {"percent": 50}
    outcomes = []
    for number in range(12):
        person = news.headers("annotator", name=f"person {number}")
        document = news.client.get("/api/v1/datasets/news/documents", headers=person).json()["documents"][0]
        task = news.client.get(f"/api/v1/tasks/{document['id']}", headers=person).json()
        spans = [(one["start"], one["end"], one["label"]) for one in task["suggestions"]]
        body = _answer(task, *spans)
        for _ in range(2):
            told = news.client.post(f"/api/v1/documents/{document['id']}/annotations", json=body, headers=person)
            assert told.status_code == 201, told.text
        stored = news.client.get(f"/api/v1/documents/{document['id']}", headers=person).json()
        assert [one["text"] for one in stored["spans"]] == ["Ada"]
        outcomes.append(told.json()["check"] and told.json()["check"]["outcome"])
    assert "taken" in outcomes
    assert None in outcomes


def test_keys_comments_and_guidelines_are_kept_over_http(news: Room) -> None:
    reviewer, annotator = news.headers("reviewer", name="ada"), news.headers("annotator", name="bo")
    keys = {"bindings": {"save": ["Enter"], "skip": ["g"]}}
    assert news.client.put("/api/v1/preferences/keys", json=keys, headers=annotator).json() == keys
    assert news.client.get("/api/v1/preferences/keys", headers=annotator).json() == keys
    assert news.client.get("/api/v1/preferences/keys", headers=reviewer).json() == {"bindings": {}}
    clash = {"bindings": {"save": ["g"], "skip": ["g"]}}
    assert news.client.put("/api/v1/preferences/keys", json=clash, headers=annotator).status_code == 422

    document = _task(news, annotator)["document"]["id"]
    path = f"/api/v1/documents/{document}/comments"
    made = news.client.post(path, json={"words": "Her?", "start": 32, "end": 35}, headers=annotator)
    assert (made.status_code, made.json()["surface"]) == (201, "her")
    assert news.client.post(path, json={"words": "Her?", "start": 32}, headers=annotator).status_code == 422
    settled = news.client.put(f"/api/v1/comments/{made.json()['id']}", json={"settled": True}, headers=annotator)
    assert settled.json()["settled_by"] == "bo"
    assert news.client.get("/api/v1/datasets/news/comments", headers=annotator).json()["comments"] == []

    path = "/api/v1/datasets/news/guidelines/geo"
    body = {"words": "Towns.", "examples": [{"text": "in Oslo", "start": 3, "end": 7}], "base_version": 0}
    assert news.client.put(path, json=body, headers=annotator).status_code == 403
    assert news.client.put(path, json=body, headers=reviewer).json()["version"] == 1
    assert news.client.put(path, json=body | {"words": "Places."}, headers=reviewer).status_code == 409
    found = news.client.get("/api/v1/datasets/news/guidelines", headers=annotator).json()["guidelines"]
    assert [(one["label"], one["words"]) for one in found] == [("geo", "Towns.")]
    assert news.client.get(f"{path}/affected", headers=annotator).json() == {"documents": [], "total": 0}


def test_a_document_is_restored_required_and_erased_over_http(news: Room) -> None:
    reviewer, admin = news.headers("reviewer"), news.headers("admin")
    for spans in ([(0, 3, "per")], []):
        document = news.client.get("/api/v1/datasets/news/documents", headers=reviewer).json()["documents"][0]
        path = f"/api/v1/documents/{document['id']}"
        body = _answer({"document": document, "suggestions": []}, *spans)
        news.client.post(f"{path}/annotations", json=body, headers=reviewer).raise_for_status()

    again = {"base_revision": 2, "operation_id": uuid.uuid4().hex}
    restored = news.client.post(f"{path}/revisions/1/restore", json=again, headers=reviewer)
    assert (restored.status_code, restored.json()["revision"], restored.json()["is_gold"]) == (201, 3, True)
    required = news.client.put(f"{path}/must-pass", json={"required": True}, headers=reviewer).json()
    assert (required["meta"]["must_pass"], required["spans"][0]["text"]) == (True, "Ada")
    assert news.client.post(f"{path}/erase", json={"reason": "asked for"}, headers=reviewer).status_code == 403
    erased = news.client.post(f"{path}/erase", json={"reason": "asked for"}, headers=admin).json()
    assert (erased["documents"], erased["rows"]["revisions"]) == ([document["id"]], 3)
    assert news.client.get(path, headers=admin).status_code == 404
    assert news.client.get("/api/v1/audit/verify", headers=admin).json()["ok"] is True


def test_a_person_is_told_what_is_kept_of_them_and_leaves_nothing_but_a_pseudonym(news: Room) -> None:
    person, admin = news.headers("reviewer", name="zoë"), news.headers("admin", name="root")
    said = [[(0, 3, "per")], [(9, 13, "geo")], [], [(0, 3, "per"), (20, 24, "geo")]]
    for spans in said:
        document = news.client.get("/api/v1/datasets/news/documents", headers=person).json()["documents"][0]
        path = f"/api/v1/documents/{document['id']}"
        body = _answer({"document": document, "suggestions": []}, *spans)
        news.client.post(f"{path}/annotations", json=body, headers=person).raise_for_status()
    news.client.post(f"{path}/comments", json={"words": "Who is she?"}, headers=person).raise_for_status()
    bindings = {"bindings": {"save": ["Enter"], "skip": ["g"]}}
    news.client.put("/api/v1/preferences/keys", json=bindings, headers=person).raise_for_status()

    # Every state that there was can be seen again, as it was.
    states = news.client.get(f"{path}/revisions", headers=person).json()["revisions"]
    assert [[(one["start"], one["end"], one["label"]) for one in state["spans"]] for state in states[::-1]] == said
    kept = news.client.get("/api/v1/users/zoë/data", headers=admin).json()["tables"]
    assert {name: len(kept[name]) for name in ("revisions", "efforts", "comments", "preferences")} == {
        "revisions": 4,
        "efforts": 4,
        "comments": 1,
        "preferences": 1,
    }
    assert not any("secret_hash" in row for row in kept["api_keys"])

    assert news.client.get("/api/v1/users/zoë/erasure", headers=person).status_code == 403
    assert news.client.get("/api/v1/users/nobody/erasure", headers=admin).status_code == 404
    foretold = news.client.get("/api/v1/users/zoë/erasure", headers=admin).json()
    reason = {"reason": "asked for"}
    assert news.client.post("/api/v1/users/zoë/erase", json=reason, headers=person).status_code == 403
    assert news.client.post("/api/v1/users/root/erase", json=reason, headers=admin).status_code == 409
    erased = news.client.post("/api/v1/users/zoë/erase", json=reason, headers=admin).json()
    assert (erased["deleted"], erased["renamed"]["revisions"]) == ({"efforts": 4, "comments": 1, "preferences": 1}, 4)
    assert (foretold["deleted"], foretold["renamed"]) == (erased["deleted"], erased["renamed"])
    assert foretold["audit_entries"] == len(kept["audit"])
    with news.database.reading() as connection:
        for table in tables.metadata.sorted_tables:
            if table.name != "audit":
                assert "zoë" not in repr(connection.execute(sa.select(table)).all()), table.name
    after = news.client.get(f"{path}/revisions", headers=admin).json()["revisions"]
    assert [state["spans"] for state in after] == [state["spans"] for state in states]
    assert {state["author"] for state in after} == {erased["pseudonym"]}
    assert news.client.get("/api/v1/users/zoë/data", headers=admin).json()["tables"].keys() == {"audit"}
    assert news.client.get("/api/v1/audit/verify", headers=admin).json()["ok"] is True
