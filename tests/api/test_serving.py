"""Which version answers, and that somebody always does."""

import gc
import itertools
import threading
import weakref
from collections import Counter

import pytest
import sqlalchemy as sa

from ner import tables
from registry import rollout
from registry.packages import package_digest
from tests.api.rooms import BREAKS, Room

PREDICT = "/api/v1/ner/predict"


def _post(room: Room, path: str, body: dict[str, object]) -> dict[str, object]:
    answer = room.client.post(path, json=body, headers=room.headers("engineer"))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_the_share_of_documents_that_meets_the_canary_is_the_one_that_was_asked_for(light_room: Room) -> None:
    light_room.canary("1.1.0", 25)
    headers = light_room.headers()

    met = Counter()
    for first in range(0, 4_000, 200):
        body = {"texts": [f"John {number}" for number in range(first, first + 200)]}
        results = light_room.client.post("/api/v1/ner/batch", json=body, headers=headers).json()["results"]
        met.update((result["variant"], result["model_version"]) for result in results)

    assert met.keys() == {("stable", "1.0.0"), ("canary", "1.1.0")}
    assert 0.22 < met["canary", "1.1.0"] / 4_000 < 0.28


def test_the_same_document_meets_the_same_version_whatever_its_text(light_room: Room) -> None:
    light_room.canary("1.1.0", 50)
    headers = light_room.headers()

    variants = {
        key: {light_room.predict(f"John {key} {number}", headers, document_key=key)["variant"] for number in range(5)}
        for key in (f"document {number}" for number in range(20))
    }

    assert all(len(met) == 1 for met in variants.values())
    assert {met.pop() for met in variants.values()} == {"stable", "canary"}


def test_a_document_stays_with_the_canary_when_its_share_grows(light_room: Room) -> None:
    light_room.canary("1.1.0", 20)
    headers = light_room.headers()
    texts = [f"John {number}" for number in range(200)]

    before = light_room.client.post("/api/v1/ner/batch", json={"texts": texts}, headers=headers).json()["results"]
    _post(light_room, "/api/v1/rollout/canary", {"version": "1.1.0", "percent": 60})
    after = light_room.client.post("/api/v1/ner/batch", json={"texts": texts}, headers=headers).json()["results"]

    moved = Counter((old["variant"], new["variant"]) for old, new in zip(before, after, strict=True))
    assert moved["canary", "stable"] == 0
    assert moved["stable", "canary"] > 50


def test_no_request_fails_while_versions_are_switched_under_it(light_room: Room) -> None:
    headers = light_room.headers()
    for version in ("1.1.0", "1.2.0"):
        light_room.version(version)
    stopping = threading.Event()
    met: Counter[str] = Counter()
    failed: list[str] = []

    def hammer(name: int) -> None:
        for number in itertools.count():
            answer = light_room.client.post(PREDICT, json={"text": f"John {name} {number}"}, headers=headers)
            if answer.status_code != 200 or answer.json()["degraded"]:
                failed.append(answer.text)
            else:
                met[answer.json()["model_version"]] += 1
            if stopping.is_set():
                return

    threads = [threading.Thread(target=hammer, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for version in ("1.1.0", "1.2.0", "1.0.0") * 3:
        _post(light_room, "/api/v1/rollout/canary", {"version": version, "percent": 50})
        _post(light_room, "/api/v1/rollout/promote", {})
        _post(light_room, "/api/v1/rollout/rollback", {})
        _post(light_room, "/api/v1/rollout/promote", {"version": version})
    stopping.set()
    for thread in threads:
        thread.join()

    assert failed == []
    assert met.keys() == {"1.0.0", "1.1.0", "1.2.0"}


def test_a_promotion_answers_at_once_when_it_was_made_through_this_process(light_room: Room) -> None:
    headers = light_room.headers()
    light_room.version("1.1.0", {"Mars": "loc"})
    light_room.predict("John is on Mars", headers)

    _post(light_room, "/api/v1/rollout/promote", {"version": "1.1.0"})
    promoted = light_room.predict("John is on Mars", headers)
    _post(light_room, "/api/v1/rollout/rollback", {})
    back = light_room.predict("John is on Mars", headers)

    assert (promoted["model_version"], [entity["text"] for entity in promoted["entities"]]) == ("1.1.0", ["Mars"])
    assert (promoted["cached"], back["cached"]) == (False, True)
    assert (back["model_version"], [entity["text"] for entity in back["entities"]]) == ("1.0.0", ["John"])


def test_a_switch_by_another_process_is_followed(room: Room) -> None:
    room.stable()
    headers = room.headers()
    room.version("1.1.0")
    with room.database.transaction() as connection:
        rollout.promote(connection, "1.1.0", actor="another process")

    room.follow()

    assert room.predict("John", headers)["model_version"] == "1.1.0"


def test_the_follower_looks_by_itself(light_room: Room) -> None:
    """The thread itself, once: the other tests do its work by hand."""
    headers = light_room.headers()
    light_room.version("1.1.0")
    serving = light_room.app.state.wiring.serving
    seen = threading.Event()
    before = serving.refresh
    serving.refresh = lambda: (before(), seen.set() if serving.lineup.rollout.stable == "1.1.0" else None)
    with light_room.database.transaction() as connection:
        rollout.promote(connection, "1.1.0", actor="another process")

    assert seen.wait(30)
    assert light_room.predict("John", headers)["model_version"] == "1.1.0"


def test_the_stable_version_answers_when_the_canary_raises(light_room: Room) -> None:
    light_room.canary("1.1.0", 100, breaks=True)
    headers = light_room.headers()

    broken = light_room.predict(f"John {BREAKS}", headers)
    whole = light_room.predict("John", headers)

    assert (broken["variant"], broken["model_version"], broken["degraded"]) == ("stable", "1.0.0", True)
    assert (whole["variant"], whole["model_version"], whole["degraded"]) == ("canary", "1.1.0", False)


def test_the_stable_version_answers_a_batch_when_the_canary_raises_at_one_text(light_room: Room) -> None:
    light_room.canary("1.1.0", 100, breaks=True)

    body = {"texts": ["John", f"Ada {BREAKS}", "Berlin"]}
    results = light_room.client.post("/api/v1/ner/batch", json=body, headers=light_room.headers()).json()["results"]

    assert [result["variant"] for result in results] == ["canary", "stable", "canary"]
    assert [result["degraded"] for result in results] == [False, True, False]


def test_the_failure_of_a_canary_is_written_down_as_its_own(light_room: Room) -> None:
    light_room.canary("1.1.0", 100, breaks=True)
    light_room.predict(f"John {BREAKS}", light_room.headers())
    light_room.logged()

    with light_room.database.reading() as connection:
        columns = tables.predictions.c
        rows = connection.execute(
            sa.select(columns.version, columns.variant, columns.status).order_by(columns.version)
        ).all()

    assert [tuple(row) for row in rows] == [("1.0.0", "stable", 200), ("1.1.0", "canary", 500)]


@pytest.mark.parametrize("broken", ["missing", "changed", "not loadable"])
def test_the_stable_version_answers_degraded_when_the_package_of_the_canary_is(
    broken: str, light_room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    light_room.version("1.1.0")
    _damage(light_room, "1.1.0", broken)
    light_room.app.state.wiring.serving._on_demand.clear()

    _post(light_room, "/api/v1/rollout/canary", {"version": "1.1.0", "percent": 100})
    answer = light_room.predict("John", light_room.headers())

    assert (answer["variant"], answer["model_version"], answer["degraded"]) == ("stable", "1.0.0", True)
    assert "Version 1.1.0 cannot be loaded" in caplog.text
    health = light_room.client.get("/api/v1/ner/health").json()
    assert (health["status"], health["alerts"]) == ("healthy", ["Version 1.1.0 is canary and could not be loaded."])
    assert 'ner_model_load_failures_total{version="1.1.0"} 1.0' in light_room.client.get("/metrics").text


def test_the_previous_version_answers_degraded_when_the_package_of_the_stable_one_is_broken(light_room: Room) -> None:
    light_room.version("1.1.0")
    _damage(light_room, "1.1.0", "changed")

    _post(light_room, "/api/v1/rollout/promote", {"version": "1.1.0"})
    answer = light_room.predict("John", light_room.headers())

    assert (answer["variant"], answer["model_version"], answer["degraded"]) == ("previous", "1.0.0", True)
    assert light_room.client.get("/api/v1/ner/health").json()["status"] == "degraded"


def test_a_version_that_could_not_be_loaded_answers_once_its_package_is_whole_again(
    light_room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    light_room.version("1.1.0")
    folder = light_room.settings.artifacts / "versions" / "1.1.0"
    folder.rename(folder.with_name("elsewhere"))
    _post(light_room, "/api/v1/rollout/promote", {"version": "1.1.0"})
    folder.with_name("elsewhere").rename(folder)

    monkeypatch.setattr("api.serving._TRY_AGAIN_SECONDS", 0.0)
    light_room.follow()

    answer = light_room.predict("John", light_room.headers())
    assert (answer["model_version"], answer["degraded"]) == ("1.1.0", False)


def test_the_versions_in_memory_go_on_when_the_database_is_away(
    light_room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = light_room.headers()
    light_room.predict("John", headers)

    class Away:
        def reading(self) -> object:
            raise sa.exc.OperationalError("SELECT", {}, ConnectionError("no route to host"))

    serving = light_room.app.state.wiring.serving
    monkeypatch.setattr(serving, "_database", Away())
    monkeypatch.setattr(serving, "_seen_at", float("-inf"))
    serving._refresh_or_log()

    assert light_room.predict("Ada", headers)["model_version"] == "1.0.0"
    health = light_room.client.get("/api/v1/ner/health").json()
    assert (health["status"], health["database"], health["version"]) == ("degraded", "down", "1.0.0")


def test_any_registered_version_answers_when_it_is_named(light_room: Room) -> None:
    light_room.version("1.1.0", {"Mars": "loc"})
    headers = light_room.headers()

    answer = light_room.client.post(
        "/api/v1/versions/1.1.0/predict", json={"text": "John on Mars"}, headers=headers
    ).json()
    unknown = light_room.client.post("/api/v1/versions/9.9.9/predict", json={"text": "John"}, headers=headers)

    assert (answer["model_version"], answer["entities"][0]["text"]) == ("1.1.0", "Mars")
    assert (unknown.status_code, unknown.json()["error"]["kind"]) == (404, "not_found")


def test_few_versions_are_kept_in_memory_when_many_are_asked_for(light_room: Room) -> None:
    headers = light_room.headers()
    for number in range(1, 9):
        light_room.version(f"1.{number}.0")
        path = f"/api/v1/versions/1.{number}.0/predict"
        assert light_room.client.post(path, json={"text": "John"}, headers=headers).status_code == 200

    assert len(light_room.app.state.wiring.serving._on_demand) == 4


def _damage(room: Room, version: str, how: str) -> None:
    folder = room.settings.artifacts / "versions" / version
    if how == "missing":
        folder.rename(folder.with_name("gone"))
        return
    (folder / "words.json").write_text("no JSON")
    if how == "not loadable":
        # Registered as it is, and yet no tagger can be made of it.
        record = tables.versions.update().where(tables.versions.c.version == version)
        with room.database.transaction() as connection:
            connection.execute(record.values(package_hash=package_digest(folder)))


def test_the_memory_of_versions_that_nobody_can_ask_any_more_is_given_back(light_room: Room) -> None:
    headers = light_room.headers()
    light_room.predict("John", headers)
    serving = light_room.app.state.wiring.serving
    first = weakref.ref(serving.lineup.stable.tagger)
    for version in (f"1.{number}.0" for number in range(1, 8)):
        light_room.version(version)
        _post(light_room, "/api/v1/rollout/promote", {"version": version, "reason": "better"})
        light_room.follow()
        light_room.predict("John", headers)

    gc.collect()

    assert first() is None


def test_a_key_that_was_proven_before_is_worth_nothing_once_another_one_took_its_place(light_room: Room) -> None:
    """Keys are proven once and remembered beside what they were compared with."""
    key = light_room.key()
    light_room.predict("John", {"X-API-Key": key})
    with light_room.database.transaction() as connection:
        connection.execute(sa.update(tables.api_keys).values(secret_hash="0" * 64))
    light_room.app.state.wiring.callers.forget()

    answer = light_room.client.post(PREDICT, json={"text": "John"}, headers={"X-API-Key": key})

    assert answer.status_code == 401
