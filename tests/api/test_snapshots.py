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


def test_what_was_judged_is_part_of_a_snapshot_and_stays_as_it_was_frozen(room: Room) -> None:
    engineer = room.headers("engineer")
    _import(room, {"text": "Ada in Rome", "spans": [[0, 3, "per"]]}, {"text": "Bo in Oslo"})

    def freeze() -> str:
        return str(room.client.post("/api/v1/datasets/news/snapshots", headers=engineer).json()["hash"])

    def judge(start: int, end: int, label: str, verdict: str) -> None:
        found = room.client.get("/api/v1/datasets/news/documents", headers=engineer).json()["documents"]
        (document,) = [one["id"] for one in found if one["text"] == "Bo in Oslo"]
        body = {"start": start, "end": end, "label": label, "source": "model", "source_version": "1.0.0"}
        body |= {"verdict": verdict, "operation_id": f"{label} {verdict} {start}"}
        answer = room.client.post(f"/api/v1/documents/{document}/judgements", json=body, headers=engineer)
        assert answer.status_code == 201, answer.text

    def frozen(snapshot: str) -> bytes:
        return room.client.get(f"/api/v1/snapshots/{snapshot}/judgements", headers=engineer).content

    before = freeze()
    judge(6, 10, "geo", "accepted")
    first = freeze()
    content, gold = frozen(first), room.client.get(f"/api/v1/snapshots/{first}/export", headers=engineer).content
    judge(0, 2, "geo", "rejected")
    second = freeze()
    judge(6, 10, "geo", "rejected")
    diff = room.client.get(f"/api/v1/snapshots/{second}/diff/{freeze()}", headers=engineer).json()

    assert len({before, first, second}) == 3
    assert (diff["judgements_added"], diff["judgements_removed"], diff["spans"]) == (1, 1, {})
    assert json.loads(frozen(before)) == {"documents": []}
    assert frozen(first) == content
    assert [json.loads(line)["text"] for line in gold.decode().splitlines()] == ["Ada in Rome"]
    (document,) = json.loads(frozen(second))["documents"]
    assert document["accepted"] == [{"start": 6, "end": 10, "label": "geo", "text": "Oslo"}]
    assert document["rejected"] == [{"start": 0, "end": 2, "label": "geo", "text": "Bo"}]


def test_a_snapshot_is_refused_when_it_is_not_there_or_is_no_hash(room: Room) -> None:
    for name, status in (("0" * 64, 404), ("..%2Fsecret", 404), ("abc", 422)):
        answer = room.client.get(f"/api/v1/snapshots/{name}/export", headers=room.headers())
        assert answer.status_code == status
        assert room.client.get(f"/api/v1/snapshots/{name}/judgements", headers=room.headers()).status_code == status
    assert room.client.post("/api/v1/datasets/none/snapshots", headers=room.headers("engineer")).status_code == 404
