"""The plot, in order: text comes in, a person corrects it, a version learns from it, meets traffic, wins, goes back.

Everything is real: the API, the database, training, the package, the audit trail. Only the processes are one.
"""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.main import create_app
from ner.database import Database
from ner.documents import LabelledText
from ner.settings import Settings, secret_key
from registry import audit, runs
from registry.keys import create_key
from training.attempt import make_attempt
from training.starter_corpus import generate

pytestmark = pytest.mark.slow

# How well it learns is no matter here: one small network learns and answers as a large committee does.
QUICK = {"epochs": 2, "members": 1, "lstm_units": 40}


@pytest.fixture
def api(database: Database, settings: Settings) -> Iterator[TestClient]:
    with database.transaction() as connection:
        _, key = create_key(
            connection, secret_key(settings), "ada", "admin", rate_limit_per_hour=None, created_by="system"
        )
    with TestClient(create_app(settings, database), headers={"X-API-Key": key}) as client:
        yield client


def _done(answer: Any) -> dict[str, Any]:
    assert answer.is_success, answer.text
    return dict(answer.json())


def _jsonl(texts: list[LabelledText]) -> bytes:
    lines = [
        {"text": one.text, "spans": [{"start": s.start, "end": s.end, "label": s.label} for s in one.spans]}
        for one in texts
    ]
    return "\n".join(json.dumps(line) for line in lines).encode()


def _train(api: TestClient, database: Database, settings: Settings) -> dict[str, Any]:
    """Request a run through the API, and be the worker for it."""
    requested = api.post("/api/v1/runs", json={"dataset": "news", "recipe": "bilstm_crf.v1", "parameters": QUICK})
    assert requested.status_code == 202, requested.text
    with database.transaction() as connection:
        claimed = runs.claim_run(connection, "the journey")
    assert claimed is not None
    make_attempt(database, settings, claimed)
    return _done(api.get(f"/api/v1/runs/{requested.json()['id']}"))


def _answers(api: TestClient, calls: int) -> set[str]:
    return {
        _done(api.post("/api/v1/ner/predict", json={"text": f"Call {number}: Maria lives in Oslo."}))["model_version"]
        for number in range(calls)
    }


def test_a_correction_becomes_a_version_that_is_promoted_and_rolled_back(
    api: TestClient, database: Database, settings: Settings
) -> None:
    # Nobody answers before the first version.
    assert api.post("/api/v1/ner/predict", json={"text": "Maria lives in Oslo."}).status_code == 503

    # Text comes in, and nothing comes in twice.
    corpus = _jsonl(generate(500, seed=11))
    imported = _done(api.post("/api/v1/datasets/news/import", params={"format": "auto"}, content=corpus))
    assert (imported["documents"], imported["added"]) == (500, 500)
    again = _done(api.post("/api/v1/datasets/news/import", params={"format": "auto"}, content=corpus))
    assert (again["added"], again["skipped"]) == (0, 500)

    # The first version learns and answers.
    first = _train(api, database, settings)
    assert first["status"] == "finished", first
    _done(api.post("/api/v1/rollout/promote", json={"version": first["version"], "reason": "the first"}))
    answer = _done(api.post("/api/v1/ner/predict", json={"text": "Maria lives in Oslo."}))
    assert (answer["model_version"], answer["variant"]) == (first["version"], "stable")

    # A person corrects three documents; what is stored is what they said, and a stale write gets both versions.
    for _ in range(3):
        task = _done(api.get("/api/v1/tasks/next", params={"dataset": "news"}))
        document = task["document"]
        correction = {
            "base_revision": document["revision"],
            "operation_id": uuid.uuid4().hex,
            "spans": [{"start": 0, "end": len(document["text"].split()[0]), "label": "art"}],
        }
        saved = api.post(f"/api/v1/documents/{document['id']}/annotations", json=correction)
        assert saved.status_code == 201, saved.text
        repeated = api.post(f"/api/v1/documents/{document['id']}/annotations", json=correction)
        assert repeated.json()["revision"] == saved.json()["revision"]
        stale = api.post(
            f"/api/v1/documents/{document['id']}/annotations",
            json=correction | {"operation_id": uuid.uuid4().hex, "spans": []},
        )
        assert stale.status_code == 409
        assert {"theirs", "yours"} <= stale.json()["error"]["details"].keys()
        assert _done(api.get(f"/api/v1/documents/{document['id']}"))["spans"][0]["label"] == "art"

    # The correction is in what the second version learned from, and its lineage is whole.
    second = _train(api, database, settings)
    before, after = (_done(api.get(f"/api/v1/versions/{run['version']}")) for run in (first, second))
    assert before["data_version"] != after["data_version"]
    facts = ("trained_by", "training_started_at", "data_version", "git_commit", "hyperparameters", "performance")
    assert [fact for fact in facts if not after[fact]] == []
    low, high = after["f1_interval"]
    assert low <= after["f1"] <= high

    # It meets a share of the traffic, always the same share of the same documents.
    _done(api.post("/api/v1/rollout/canary", json={"version": second["version"], "percent": 30}))
    assert _answers(api, 60) == {first["version"], second["version"]}
    compared = _done(api.post("/api/v1/compare", json={"dataset": "news", "limit": 50}))
    assert (compared["left"], compared["right"], compared["compared"]) == (first["version"], second["version"], 50)

    # It wins, answers everybody, and goes back.
    _done(api.post("/api/v1/rollout/promote", json={"reason": "it found more"}))
    assert _answers(api, 20) == {second["version"]}
    state = _done(api.post("/api/v1/rollout/rollback", json={"reason": "it also found too much"}))
    assert (state["stable"], state["previous"]) == (first["version"], second["version"])
    assert _answers(api, 20) == {first["version"]}

    # All of it is in the trail.
    with database.reading() as connection:
        assert audit.verify(connection).ok
        actions = [entry.action for entry in audit.list_entries(connection)[0]]
    assert {"version.registered", "rollout.canary", "rollout.promote", "rollout.rollback"} <= set(actions)
