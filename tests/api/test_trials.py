"""The canary's trial over HTTP: begun and stopped by people, with the audit trail that each leaves."""

import datetime as dt
from typing import Any

import pytest

from ner.database import utc_now
from registry.controller import Controller
from registry.policy import policy_text
from tests.api.rooms import Room
from tests.registry.canaries import POLICY, log_answers

TRIAL = "/api/v1/rollout/trial"


def _post(room: Room, path: str, body: dict[str, Any], *, name: str = "ada") -> Any:
    return room.client.post(path, json=body, headers=room.headers("engineer", name=name))


def _get(room: Room, path: str) -> dict[str, Any]:
    answer = room.client.get(path, headers=room.headers())
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_trial_is_begun_and_carried_out_and_its_verdict_is_kept(light_room: Room) -> None:
    light_room.version("1.1.0")

    begun = _post(light_room, TRIAL, {"version": "1.1.0", "policy": POLICY, "reason": "let it run"})
    assert (begun.status_code, begun.json()["status"], begun.json()["steps_percent"]) == (200, "running", [10, 50, 100])
    assert _get(light_room, "/api/v1/rollout")["percent"] == 10
    light_room.app.state.wiring.reporter._report(light_room.app.state.wiring.serving.lineup.rollout.epoch)
    with light_room.database.transaction() as connection:
        log_answers(connection, utc_now(), "1.1.0", "canary", 100, failed=30)
        log_answers(connection, utc_now(), "1.0.0", "stable", 900)
    shown = _get(light_room, TRIAL)
    assert (shown["verdict"]["action"], shown["automatic"]["status"]) == ("roll_back", "running")
    assert shown["verdict"]["automatic"]["id"] == begun.json()["id"]

    Controller(light_room.database).tick()

    ended = _get(light_room, TRIAL)
    assert (ended["verdict"], ended["automatic"]["status"]) == (None, "rolled_back")
    (verdict,) = _get(light_room, f"{TRIAL}/verdicts?trial_id={begun.json()['id']}")["verdicts"]
    assert (verdict["kind"], verdict["action"]) == ("decision", "roll_back")
    assert _get(light_room, f"{TRIAL}/verdicts/verify") == {"ok": True, "verdicts": 1, "problem": None}
    entries = _get(light_room, "/api/v1/audit")["entries"]
    actions = [entry["action"] for entry in entries if entry["action"].startswith(("trial.", "rollout."))]
    assert actions[:5] == ["trial.decided", "trial.ended", "rollout.rollback", "trial.began", "rollout.canary"]


def test_a_trial_is_stopped_by_a_person_and_the_share_stays(light_room: Room) -> None:
    light_room.version("1.1.0")
    _post(light_room, TRIAL, {"version": "1.1.0"})

    stopped = _post(light_room, f"{TRIAL}/stop", {"reason": "I want to look"}, name="grace")

    assert stopped.json()["status"] == "stood_back"
    assert stopped.json()["sentence"] == "grace stopped the automatic rollout: I want to look."
    assert _get(light_room, "/api/v1/rollout")["percent"] == 5
    assert _post(light_room, f"{TRIAL}/stop", {}).status_code == 409


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"version": "9.9.9"}, 404, "no version '9.9.9'"),
        ({"version": "1.0.0"}, 409, "must be another version"),
        ({"version": "1.1.0", "policy": "steps_percent: [5]"}, 422, "bake must hold the keys"),
        ({"version": "1.1.0", "policy": "[" * 9_000}, 422, "The policy is not YAML"),
    ],
)
def test_a_trial_is_refused_with_a_sentence_when_it_cannot_be(
    body: dict[str, str], status: int, words: str, light_room: Room
) -> None:
    light_room.version("1.1.0")

    refused = _post(light_room, TRIAL, body)

    assert refused.status_code == status
    assert words in refused.json()["error"]["message"]
    assert _get(light_room, TRIAL) == {"automatic": None, "verdict": None}


def test_what_answered_at_a_moment_is_told_for_every_moment(room: Room) -> None:
    before = utc_now()
    room.stable("1.0.0")
    between = utc_now()
    room.canary("1.1.0", 30)
    after = utc_now()

    def at(moment: dt.datetime) -> tuple[Any, ...]:
        answer = room.client.get(
            "/api/v1/rollout/at", params={"moment": moment.isoformat()}, headers=room.headers()
        ).json()
        return answer["stable"], answer["canary"], answer["percent"]

    assert at(before) == (None, None, 0)
    assert at(between) == ("1.0.0", None, 0)
    assert at(after) == ("1.0.0", "1.1.0", 30)
    assert at(between.astimezone(dt.timezone(dt.timedelta(hours=-9)))) == ("1.0.0", None, 0)
    for moment in ("2026-03-01T12:00:00", "yesterday"):
        assert room.client.get(f"/api/v1/rollout/at?moment={moment}", headers=room.headers()).status_code == 422
    for moment in ("0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00"):
        assert room.client.get(f"/api/v1/rollout/at?moment={moment}", headers=room.headers()).status_code == 200


def test_the_policy_in_force_is_told_with_what_it_asks(light_room: Room) -> None:
    usual = _get(light_room, "/api/v1/rollout/policy")
    assert (usual["of"], usual["policy"]) == ("default", policy_text())
    assert (usual["steps_percent"], usual["shortest_hours"], usual["longest_hours"]) == ([5, 25, 50, 75, 100], 24, 48)
    assert usual["criteria"][0] == {
        "name": "error_rate", "title": "error rate", "limit": 0.01, "allowed_share": 0.01, "on_breach": "roll_back",
    }  # fmt: skip

    light_room.version("1.1.0")
    _post(light_room, TRIAL, {"version": "1.1.0", "policy": POLICY})

    own = _get(light_room, "/api/v1/rollout/policy")
    assert (own["of"], own["policy"], own["steps_percent"]) == ("automatic rollout", POLICY, [10, 50, 100])
