"""Versions and their rollout over HTTP, with the audit trail that each change leaves."""

import uuid
from typing import Any

import pytest

from tests.api.rooms import Room


def _post(room: Room, step: str, body: dict[str, Any], *, name: str = "ada") -> Any:
    headers = {"X-API-Key": room.key("engineer", name=name)}
    return room.client.post(f"/api/v1/rollout/{step}", json=body, headers=headers)


def _state(room: Room) -> tuple[Any, ...]:
    rollout = room.client.get("/api/v1/rollout", headers=room.headers()).json()
    return tuple(rollout[name] for name in ("stable", "canary", "previous", "percent"))


def test_nothing_is_rolled_out_at_first(room: Room) -> None:
    assert _state(room) == (None, None, None, 0.0)


def test_the_first_version_becomes_stable_by_a_promotion(room: Room) -> None:
    room.version("1.0.0")

    assert _post(room, "promote", {"version": "1.0.0"}).status_code == 200
    assert _state(room) == ("1.0.0", None, None, 0.0)


def test_a_version_goes_on_trial_is_promoted_and_rolled_back(room: Room) -> None:
    room.stable("1.0.0")
    room.version("1.1.0")

    assert _post(room, "canary", {"version": "1.1.0", "percent": 5, "reason": "looks good"}).json()["percent"] == 5
    assert _state(room) == ("1.0.0", "1.1.0", None, 5)
    _post(room, "promote", {})
    assert _state(room) == ("1.1.0", None, "1.0.0", 0)
    _post(room, "rollback", {"reason": "was not"})
    assert _state(room) == ("1.0.0", None, "1.1.0", 0)

    changes = room.client.get("/api/v1/rollout/history", headers=room.headers()).json()["changes"]
    assert [change["action"] for change in changes] == ["rollback", "promote", "canary", "set_stable"]
    assert (changes[0]["reason"], changes[0]["changed_by"]) == ("was not", "ada")
    assert not any("salt" in change for change in changes)


IMPOSSIBLE: dict[str, tuple[str, dict[str, Any], int]] = {
    "no canary to promote": ("promote", {}, 409),
    "nothing to go back to": ("rollback", {}, 409),
    "an unknown version": ("canary", {"version": "9.9.9", "percent": 5}, 404),
    "the stable version on trial": ("canary", {"version": "1.0.0", "percent": 5}, 409),
    "a negative share": ("canary", {"version": "1.0.0", "percent": -1}, 422),
}


@pytest.mark.parametrize(("step", "body", "status"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_a_change_is_refused_and_changes_nothing_when_there_is(
    step: str, body: dict[str, Any], status: int, room: Room
) -> None:
    room.stable("1.0.0")

    assert _post(room, step, body).status_code == status

    assert _state(room) == ("1.0.0", None, None, 0)
    entries = room.client.get("/api/v1/audit", headers=room.headers()).json()["entries"]
    assert [entry["action"] for entry in entries if entry["action"].startswith("rollout.")] == ["rollout.set_stable"]


def test_every_change_is_in_the_audit_trail_with_its_author_and_the_trail_holds(room: Room) -> None:
    room.stable("1.0.0")
    room.version("1.1.0")
    _post(room, "canary", {"version": "1.1.0", "percent": 5, "reason": "looks good"}, name="grace")

    headers = room.headers()
    page = room.client.get("/api/v1/audit", headers=headers).json()
    first = room.client.get("/api/v1/audit", params={"limit": 1}, headers=headers).json()
    verdict = room.client.get("/api/v1/audit/verify", headers=headers).json()

    (entry,) = [entry for entry in page["entries"] if entry["action"] == "rollout.canary"]
    assert (entry["actor"], entry["subject"], entry["details"]["reason"]) == ("grace", "1.1.0", "looks good")
    assert first == {"entries": page["entries"][:1], "total": len(page["entries"])}
    end = f"{page['total']}:{page['entries'][0]['hash']}"
    assert verdict == {"ok": True, "entries": page["total"], "problem": None, "end": end}
    ahead = {"noted": f"{page['total'] + 1}:{page['entries'][0]['hash']}"}
    cut = room.client.get("/api/v1/audit/verify", params=ahead, headers=headers).json()
    assert (cut["ok"], "its end was cut" in cut["problem"]) == (False, True)


def test_a_version_shows_its_lineage_performance_and_deployments(room: Room) -> None:
    room.stable("1.0.0")
    room.canary("1.1.0", 10)

    listed = room.client.get("/api/v1/versions", headers=room.headers()).json()["versions"]
    shown = room.client.get("/api/v1/versions/1.1.0", headers=room.headers()).json()

    assert [(version["version"], version["aliases"]) for version in listed] == [
        ("1.1.0", ["canary"]),
        ("1.0.0", ["stable"]),
    ]
    assert (shown["f1"], shown["f1_interval"], shown["trained_by"]) == (0.9, [0.88, 0.92], "ada")
    assert shown["performance"]["scheme"] == "strict"
    assert [change["action"] for change in shown["deployments"]] == ["canary"]


def test_two_versions_are_compared_on_a_text(room: Room) -> None:
    room.stable("1.0.0", words={"John": "per", "Berlin": "geo"})
    room.canary("1.1.0", 10, words={"John": "org", "Ada": "per"})

    answer = room.client.post("/api/v1/compare", json={"text": "John, Ada, Berlin"}, headers=room.headers()).json()

    assert (answer["left"], answer["right"]) == ("1.0.0", "1.1.0")
    assert answer["counts"] == {"label": 1, "spurious": 1, "missing": 1}
    assert (answer["compared"], answer["different"], answer["left_score"]) == (1, 1, None)


def test_two_versions_are_compared_on_a_dataset_with_gold(room: Room) -> None:
    room.stable("1.0.0", words={"John": "per"})
    room.version("1.1.0", words={"John": "per", "Berlin": "geo"})
    spans = b'[{"start":0,"end":4,"label":"per"},{"start":11,"end":17,"label":"geo"}]'
    gold = b'{"text": "John is in Berlin", "spans": ' + spans + b"}"
    room.client.post("/api/v1/datasets/news/import", content=gold, headers=room.headers("engineer"))

    body = {"dataset": "news", "left": "stable", "right": "1.1.0"}
    answer = room.client.post("/api/v1/compare", json=body, headers=room.headers()).json()

    assert (answer["left_score"]["recall"], answer["right_score"]["recall"]) == (0.5, 1.0)
    assert answer["f1_difference"]["difference"] == pytest.approx(1 / 3)
    assert answer["documents"][0]["gold"][1]["text"] == "Berlin"


UNCLEAR: dict[str, tuple[dict[str, Any], int]] = {
    "neither text nor dataset": ({}, 422),
    "both": ({"text": "John", "dataset": "news"}, 422),
    "no canary": ({"text": "John"}, 404),
    "an unknown version": ({"text": "John", "right": "9.9.9"}, 404),
    "an unknown dataset": ({"dataset": "nothing", "right": "stable"}, 404),
    "an empty text": ({"text": " ", "right": "stable"}, 422),
}


@pytest.mark.parametrize(("body", "status"), UNCLEAR.values(), ids=UNCLEAR)
def test_a_comparison_is_refused_when_there_is(body: dict[str, Any], status: int, light_room: Room) -> None:
    answer = light_room.client.post("/api/v1/compare", json=body, headers=light_room.headers())

    assert answer.status_code == status, answer.text


def test_the_figures_are_served(room: Room) -> None:
    room.stable("1.0.0")
    headers = room.headers()
    for number in range(3):
        room.predict(f"John {number}", headers)

    quality = room.client.get("/api/v1/quality", headers=headers).json()
    traffic = room.client.get("/api/v1/traffic", params={"hours": 1}, headers=headers).json()

    assert [version["version"] for version in quality["versions"]] == ["1.0.0"]
    assert traffic["total"]["requests"] == 3
    assert [(arm["version"], arm["variant"]) for arm in traffic["arms"]] == [("1.0.0", "stable")]


@pytest.mark.parametrize("parameters", [{"version": "9.9.9"}, {"hours": 0}], ids=["version", "hours"])
def test_drift_is_refused_when_there_is_no_such(parameters: dict[str, Any], light_room: Room) -> None:
    answer = light_room.client.get("/api/v1/drift", params=parameters, headers=light_room.headers())

    assert answer.status_code in {404, 422}


def test_a_correction_that_was_pinned_blocks_versions_that_were_made_before_it(room: Room) -> None:
    room.stable("1.0.0")
    room.version("1.1.0", {"Ada": "per"})
    room.version("1.2.0", {"Ada": "per", "Quito": "geo"})
    engineer, reviewer = room.headers("engineer"), room.headers("reviewer")
    room.client.post("/api/v1/datasets/news/import", content=b"Ada saw Quito", headers=engineer).raise_for_status()
    room.client.post("/api/v1/datasets/news/labels", json={"labels": ["per", "geo"]}, headers=engineer)
    document = room.client.get("/api/v1/datasets/news/documents", headers=reviewer).json()["documents"][0]
    spans = [{"start": 0, "end": 3, "label": "per"}, {"start": 8, "end": 13, "label": "geo"}]
    said = {"base_revision": 0, "operation_id": uuid.uuid4().hex, "spans": spans}
    path = f"/api/v1/documents/{document['id']}"
    room.client.post(f"{path}/annotations", json=said, headers=reviewer).raise_for_status()
    room.client.put(f"{path}/must-pass", json={"required": True}, headers=reviewer).raise_for_status()

    refused = _post(room, "promote", {"version": "1.1.0"})
    assert refused.status_code == 409
    assert "Ada saw Quito" in refused.json()["error"]["message"]
    automatic = _post(room, "trial", {"version": "1.1.0"})
    assert (automatic.status_code, "no policy may promote it" in automatic.json()["error"]["message"]) == (409, True)
    assert _state(room)[0] == "1.0.0"
    assert _post(room, "promote", {"version": "1.2.0"}).status_code == 200
    knowing = {"version": "1.1.0", "reason": "a town nobody asks for", "override": True}
    assert _post(room, "promote", knowing).status_code == 200
    entries = room.client.get("/api/v1/audit", headers=room.headers("admin")).json()["entries"]
    [kept] = [entry for entry in entries if entry["action"] == "gate.overridden"]
    assert (kept["subject"], kept["details"]["broken"]) == ("1.1.0", ["Ada saw Quito"])
