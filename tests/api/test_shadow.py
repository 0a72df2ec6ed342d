"""Shadow mode: the canary answers off the path, what it would have said is counted, and it harms nobody."""

from typing import Any

import pytest
import sqlalchemy as sa

from api import shadow
from ner import tables
from ner.shadow_tables import paired_labels, shadow_answers
from registry.rollout import Rollout
from registry.shadow import is_shadowed
from tests.api.rooms import WORDS, Room

FEWER = {word: label for word, label in WORDS.items() if word != "Ada"} | {"Berlin": "per"}


def put_in_shadow(room: Room, percent: float = 100, *, canary: float = 0, **package: Any) -> None:
    """1.0.0 is stable, 1.1.0 the canary, which misses Ada and calls Berlin a person."""
    room.canary("1.1.0", canary, **({"words": FEWER} | package))
    headers = room.headers("engineer", name="grace")
    answer = room.client.put("/api/v1/rollout/shadow", json={"percent": percent}, headers=headers)
    assert answer.json()["percent"] == percent


def worked_off(room: Room) -> dict[str, Any]:
    """What is known once nothing waits for the canary any more."""
    works = room.app.state.wiring.shadow
    works.stop()
    works._stopping.clear()
    works.work_off()
    works.start()
    found: dict[str, Any] = room.client.get("/api/v1/rollout/shadow", headers=room.headers()).json()
    return found


@pytest.fixture
def stable_room(room: Room) -> Room:
    room.stable()
    return room


def test_differences_are_stored_by_kind_and_no_text_is_when_traffic_is_shadowed(stable_room: Room) -> None:
    put_in_shadow(stable_room)
    headers = stable_room.headers()
    answers = [stable_room.predict(text, headers) for text in ("Ada in Berlin", "John sleeps", "nobody")]
    assert {answer["model_version"] for answer in answers} == {"1.0.0"}
    said = worked_off(stable_room)
    assert (said["agree"], said["disagree"], said["failed"]) == (2, 1, 0)
    assert {kind: count for kind, count in said["kinds"].items() if count} == {"match": 1, "label": 1, "missing": 1}
    with stable_room.database.reading() as connection:
        rows = connection.execute(sa.select(shadow_answers)).all()
    assert {row.request_id for row in rows} == {answer["request_id"] for answer in answers}
    assert {(row.stable, row.canary) for row in rows} == {("1.0.0", "1.1.0")}
    assert sorted(row.stable_lowest or 0 for row in rows) == [0, 0.9, 0.9]
    assert not any("Ada" in str(value) or "Berlin" in str(value) for row in rows for value in row)
    assert [row["disagree"] for row in said["hours"]] == [1]


def test_texts_of_the_open_inference_protocol_are_shadowed_too(stable_room: Room) -> None:
    put_in_shadow(stable_room)
    body = {"inputs": [{"name": "text", "shape": [2], "datatype": "BYTES", "data": ["Ada in Berlin", "John sleeps"]}]}
    answer = stable_room.client.post("/v2/models/ner/infer", json=body, headers=stable_room.headers())
    assert answer.status_code == 200, answer.text
    said = worked_off(stable_room)
    assert (said["agree"], said["disagree"]) == (1, 1)


def test_a_callers_answer_comes_from_the_stable_version_when_the_canary_crashes_and_hangs(
    stable_room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = stable_room.app.state.wiring.shadow
    monkeypatch.setattr(works, "_patience_seconds", 5.0)
    monkeypatch.setattr(shadow, "_REST_SECONDS", 0.0)
    put_in_shadow(stable_room)
    headers = stable_room.headers()
    for text in ("John may crash it", "Berlin lets it hang", "Ada goes on"):
        assert stable_room.predict(text, headers)["model_version"] == "1.0.0"
    said = worked_off(stable_room)
    assert (said["failed"], said["disagree"]) == (2, 1)


def test_a_text_at_which_the_canary_raises_fails_alone_when_others_come_with_it(stable_room: Room) -> None:
    put_in_shadow(stable_room, words=WORDS, breaks=True)
    headers = stable_room.headers()
    stable_room.client.post("/api/v1/ner/batch", json={"texts": ["John", "kaputt", "Berlin"]}, headers=headers)
    said = worked_off(stable_room)
    assert (said["agree"], said["failed"]) == (2, 1)


def test_requests_are_dropped_and_counted_when_the_queue_is_full(
    stable_room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "CAPACITY", 2)
    stable_room.app.state.wiring.shadow.stop()
    put_in_shadow(stable_room)
    headers = stable_room.headers()
    for number in range(5):
        stable_room.predict(f"John {number}", headers)
    assert stable_room.app.state.wiring.shadow.waiting == 2
    stable_room.app.state.wiring.shadow._stopping.clear()
    stable_room.app.state.wiring.shadow.start()
    worked_off(stable_room)
    scraped = stable_room.client.get("/metrics").text
    assert 'ner_shadow_answers_total{outcome="dropped",version="1.1.0"} 3.0' in scraped
    assert 'ner_shadow_answers_total{outcome="agree",version="1.1.0"} 2.0' in scraped
    assert 'ner_shadow_differences_total{kind="match",version="1.1.0"} 2.0' in scraped
    assert "ner_shadow_share 1.0" in scraped


def test_only_stable_traffic_is_shadowed_when_the_canary_answers_some_itself(stable_room: Room) -> None:
    put_in_shadow(stable_room, canary=100)
    stable_room.predict("John", stable_room.headers())
    said = worked_off(stable_room)
    assert (said["agree"], said["disagree"]) == (0, 0)


def test_a_share_of_keys_is_shadowed_and_stays_so_when_the_share_grows() -> None:
    rollout = Rollout(1, "1.0.0", "1.1.0", None, 0.0, "salt", "canary", "", "ada", None)  # type: ignore[arg-type]
    keys = [str(number) for number in range(20_000)]
    some = {key for key in keys if is_shadowed(rollout, key, 20)}
    more = {key for key in keys if is_shadowed(rollout, key, 50)}
    assert abs(len(some) / len(keys) - 0.2) < 0.01
    assert some < more
    assert not any(is_shadowed(rollout, key, 0) for key in keys)
    assert all(is_shadowed(rollout, key, 100) for key in keys)


def test_the_switch_is_in_the_audit_trail_when_somebody_turns_it(stable_room: Room) -> None:
    put_in_shadow(stable_room, 25)
    with stable_room.database.reading() as connection:
        row = connection.execute(sa.select(tables.audit).where(tables.audit.c.action == "shadow.switched")).one()
    assert (row.actor, '"after":25.0' in row.details.replace(" ", "")) == ("grace", True)


def test_a_share_above_all_traffic_is_refused(stable_room: Room) -> None:
    headers = stable_room.headers("engineer")
    assert stable_room.client.put("/api/v1/rollout/shadow", json={"percent": 101}, headers=headers).status_code == 422


def captured(room: Room) -> None:
    room.client.put("/api/v1/capture", json={"enabled": True}, headers=room.headers("admin"))


def test_what_they_disagree_on_comes_first_and_its_label_becomes_evidence_when_capture_is_on(
    stable_room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One label in five is asked of texts on which they agree, where any were drawn: here none are.
    monkeypatch.setattr(shadow, "AGREEING_SHARE", 0.0)
    captured(stable_room)
    put_in_shadow(stable_room)
    headers = stable_room.headers("annotator", name="lin")
    for text in ("John is here", "Ada is here", "Berlin is here", "nobody is here"):
        stable_room.predict(text, headers)
    worked_off(stable_room)
    stable_room.logged()
    reasons, seen = [], []
    for _ in range(2):
        query = {"source": "traffic", "order": "versions", "exclude": ",".join(seen)}
        task = stable_room.client.get("/api/v1/tasks/next", params=query, headers=headers).json()
        reasons.append(task["reason"])
        seen.append(task["document"]["id"])
        gold = [{"start": 0, "end": 3, "label": "per"}] if task["document"]["text"].startswith("Ada") else []
        body = {"base_revision": 0, "spans": gold, "operation_id": f"operation {task['document']['id']}"}
        saved = stable_room.client.post(f"/api/v1/documents/{seen[-1]}/annotations", json=body, headers=headers)
        assert saved.json()["is_gold"]
    assert all("Versions 1.0.0 and 1.1.0 disagree here" in reason for reason in reasons)
    verdict = stable_room.client.get("/api/v1/rollout/quality", headers=headers).json()
    assert verdict["labelled"] == {"disagree": 2}
    assert verdict["population"] == {"disagree": 2, "agree": 2}
    assert verdict["verdict"] == "not enough evidence"
    assert verdict["reason"].startswith("2 of at least 100 documents are labelled")
    with stable_room.database.reading() as connection:
        rows = connection.execute(sa.select(paired_labels)).all()
    assert {(row.stratum, row.weight) for row in rows} == {("disagree", 1.0)}
    assert sorted(row.counts for row in rows) == [[0, 1, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1]]


def test_shadowed_texts_can_be_compared_by_whoever_may_label_when_capture_is_on(stable_room: Room) -> None:
    captured(stable_room)
    put_in_shadow(stable_room)
    for text in ("Ada is here", "Berlin is here"):
        stable_room.predict(text, stable_room.headers())
    worked_off(stable_room)
    stable_room.logged()
    asked = {"source": "shadow", "left": "stable", "right": "canary"}
    found = stable_room.client.post("/api/v1/compare", json=asked, headers=stable_room.headers("annotator")).json()
    assert (found["compared"], found["different"]) == (2, 2)
    assert stable_room.client.post("/api/v1/compare", json=asked, headers=stable_room.headers()).status_code == 403


def test_no_text_is_kept_when_capture_is_off(stable_room: Room) -> None:
    put_in_shadow(stable_room)
    stable_room.predict("Ada in Berlin", stable_room.headers())
    worked_off(stable_room)
    stable_room.logged()
    with stable_room.database.reading() as connection:
        assert connection.execute(sa.select(tables.captured_texts)).all() == []


def test_the_hours_come_as_csv(stable_room: Room) -> None:
    put_in_shadow(stable_room)
    stable_room.predict("Ada in Berlin", stable_room.headers())
    worked_off(stable_room)
    lines = stable_room.client.get("/api/v1/rollout/shadow/hours.csv", headers=stable_room.headers()).text.splitlines()
    assert lines[0] == "hour,stable,canary,agree,disagree,failed,match,label,border,both,missing,spurious"
    assert lines[1].endswith(",1.0.0,1.1.0,0,1,0,0,1,0,0,1,0")
