"""Training over HTTP: asked for, watched, cancelled."""

from typing import Any

import pytest

from registry import runs
from tests.api.rooms import Room

RUN = {"dataset": "news", "recipe": "bilstm_crf.v1", "parameters": {"epochs": 3}}


def _dataset(room: Room) -> dict[str, str]:
    headers = {"X-API-Key": room.key("engineer", name="ada")}
    room.client.post("/api/v1/datasets/news/import", content=b'{"text": "John"}', headers=headers)
    return headers


def test_a_run_waits_in_the_queue_once_it_was_asked_for(room: Room) -> None:
    headers = _dataset(room)

    asked = room.client.post("/api/v1/runs", json=RUN, headers=headers)
    run = asked.json()

    assert asked.status_code == 202
    assert (run["status"], run["requested_by"], run["parameters"]) == ("queued", "ada", {"epochs": 3})
    assert room.client.get(f"/api/v1/runs/{run['id']}", headers=headers).json() == run
    assert room.client.get("/api/v1/runs", headers=headers).json() == {"runs": [run]}


def test_a_run_shows_its_progress_and_its_result(room: Room) -> None:
    headers = _dataset(room)
    path = f"/api/v1/runs/{room.client.post('/api/v1/runs', json=RUN, headers=headers).json()['id']}"
    with room.database.transaction() as connection:
        claimed = runs.claim_run(connection, "a worker")
        assert claimed is not None
        epoch = {"epoch": 1.0, "loss": 0.5, "f1": 0.7, "seconds": 2.0}
        progress = runs.Progress("training", 0.4, 1, 3, 0.5, 0.7, 12.0, [epoch])
        runs.heartbeat(connection, claimed, progress)
    running = room.client.get(path, headers=headers).json()
    with room.database.transaction() as connection:
        result = {"f1": 0.81, "precision": 0.8, "recall": 0.82, "seconds": 33.0}
        runs.finish_run(connection, claimed, progress, version="1.0.0", result=result)
    finished = room.client.get(path, headers=headers).json()

    assert (running["status"], running["progress"]["epoch"], running["progress"]["f1"]) == ("running", 1, 0.7)
    assert running["progress"]["history"] == [epoch]
    assert (finished["status"], finished["version"], finished["f1"], finished["seconds"]) == (
        "finished",
        "1.0.0",
        0.81,
        33.0,
    )


def test_a_waiting_run_is_cancelled_at_once(room: Room) -> None:
    headers = _dataset(room)
    run = room.client.post("/api/v1/runs", json=RUN, headers=headers).json()

    cancelled = room.client.post(f"/api/v1/runs/{run['id']}/cancel", headers=headers)

    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")


REFUSED: dict[str, tuple[dict[str, Any], int]] = {
    "dataset": (RUN | {"dataset": "nothing"}, 404),
    "recipe": (RUN | {"recipe": "magic"}, 404),
    "parameter": (RUN | {"parameters": {"magic": 1}}, 422),
    "value of a parameter": (RUN | {"parameters": {"epochs": "many"}}, 422),
}


@pytest.mark.parametrize(("body", "status"), REFUSED.values(), ids=REFUSED)
def test_a_run_is_refused_when_there_is_no_such(body: dict[str, Any], status: int, room: Room) -> None:
    answer = room.client.post("/api/v1/runs", json=body, headers=_dataset(room))

    assert answer.status_code == status, answer.text
    assert room.client.get("/api/v1/runs", headers=room.headers()).json() == {"runs": []}


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/v1/runs/none"), ("POST", "/api/v1/runs/none/cancel")])
def test_an_unknown_run_is_not_found(method: str, path: str, room: Room) -> None:
    assert room.client.request(method, path, headers=room.headers("engineer")).status_code == 404


def test_the_recipes_are_listed_with_their_parameters(light_room: Room) -> None:
    recipes = light_room.client.get("/api/v1/recipes", headers=light_room.headers()).json()["recipes"]

    assert {"bilstm_crf.v1", "spacy_cnn.v1"} <= {recipe["name"] for recipe in recipes}
    assert all(recipe["description"] and recipe["parameters"]["epochs"] for recipe in recipes)
