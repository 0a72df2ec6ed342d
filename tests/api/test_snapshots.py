"""Snapshots through the API."""

import json

from tests.api.rooms import Room


def _import(room: Room, *lines: dict[str, object]) -> None:
    content = "\n".join(json.dumps(line) for line in lines).encode()
    room.client.post("/api/v1/datasets/news/import", content=content, headers=room.headers("engineer"))


def test_a_snapshot_is_frozen_listed_compared_and_exported(room: Room) -> None:
    engineer = room.headers("engineer")
    _import(room, {"text": "Ada in Rome", "spans": [[0, 3, "per"]]})
    first = room.client.post("/api/v1/datasets/news/snapshots", headers=engineer)
    assert first.status_code == 201
    assert room.client.post("/api/v1/datasets/news/snapshots", headers=engineer).json() == first.json()
    _import(room, {"text": "Bo", "spans": [[0, 2, "per"]]})
    second = room.client.post("/api/v1/datasets/news/snapshots", headers=engineer).json()["hash"]

    hashes = (first.json()["hash"], second)
    listed = room.client.get("/api/v1/snapshots", params={"dataset": "news"}, headers=engineer).json()["snapshots"]
    diff = room.client.get(f"/api/v1/snapshots/{hashes[0]}/diff/{hashes[1]}", headers=engineer).json()
    files = [room.client.get(f"/api/v1/snapshots/{hashes[1]}/export", headers=engineer) for _ in range(2)]

    assert {one["hash"] for one in listed} == set(hashes)
    assert (diff["documents_added"], diff["documents_same"], diff["spans"]) == (1, 1, {"added": 1})
    assert diff["changes"][0]["after"] == {"start": 0, "end": 2, "label": "per", "text": "Bo"}
    assert files[0].content == files[1].content
    assert [json.loads(line)["text"] for line in files[0].content.decode().splitlines()] == ["Ada in Rome", "Bo"]


def test_a_snapshot_is_refused_when_it_is_not_there_or_is_no_hash(room: Room) -> None:
    for name, status in (("0" * 64, 404), ("..%2Fsecret", 404), ("abc", 422)):
        answer = room.client.get(f"/api/v1/snapshots/{name}/export", headers=room.headers())
        assert answer.status_code == status
    assert room.client.post("/api/v1/datasets/none/snapshots", headers=room.headers("engineer")).status_code == 404
