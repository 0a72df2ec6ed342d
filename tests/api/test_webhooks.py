"""Webhooks and Alertmanager's notices over HTTP."""

import dataclasses
import json
from typing import Any

import pytest

from ner.settings import Settings
from tests.api.rooms import Room, open_room
from tests.receiving import receiving


def notice(status: str, name: str = "HighErrorRate", **labels: str) -> dict[str, Any]:
    """What Alertmanager posts."""
    annotations = {"summary": "Version 1.1.0 fails.", "description": "Roll it back."}
    alert = {
        "status": status,
        "labels": {"alertname": name, "severity": "critical", "version": "1.1.0", **labels},
        "annotations": annotations,
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus/graph",
        "fingerprint": "c0ffee",
    }
    return {"version": "4", "receiver": "page-on-call", "status": status, "groupKey": "{}", "alerts": [alert]}


def test_what_alertmanager_says_opens_and_closes_alerts(room: Room) -> None:
    headers = room.headers("engineer")

    def post(body: dict[str, Any]) -> dict[str, int]:
        answer = room.client.post("/api/v1/alerts/alertmanager", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def shown() -> list[dict[str, Any]]:
        return list(room.client.get("/api/v1/alerts", headers=headers).json()["alerts"])

    assert post(notice("firing")) == {"opened": 1, "closed": 0}
    assert post(notice("firing")) == {"opened": 0, "closed": 0}
    assert post(notice("firing", "DataDrift", severity="odd")) == {"opened": 1, "closed": 0}
    by_kind = {alert["kind"]: alert for alert in shown()}
    assert set(by_kind) == {"HighErrorRate", "DataDrift"}
    assert by_kind["HighErrorRate"]["sentence"] == "Version 1.1.0 fails. Roll it back."
    assert (by_kind["HighErrorRate"]["subject"], by_kind["DataDrift"]["severity"]) == ("1.1.0", "warning")
    assert post(notice("resolved")) == {"opened": 0, "closed": 1}
    assert post(notice("resolved")) == {"opened": 0, "closed": 0}
    assert [alert["kind"] for alert in shown()] == ["DataDrift"]


@pytest.mark.parametrize("body", [{}, {"alerts": [{"status": "odd", "labels": {}}]}, {"alerts": 3}])
def test_a_notice_is_refused_when_it_is_not_one(light_room: Room, body: dict[str, Any]) -> None:
    answer = light_room.client.post("/api/v1/alerts/alertmanager", json=body, headers=light_room.headers("engineer"))
    assert answer.status_code == 422


def test_a_key_for_alerts_alone_does_nothing_else(light_room: Room) -> None:
    asked = {"name": "alertmanager", "role": "engineer", "scopes": ["alerts"]}
    made = light_room.client.post("/api/v1/keys", json=asked, headers=light_room.headers("admin"))
    headers = {"X-API-Key": made.json()["key"]}
    assert light_room.client.post("/api/v1/alerts/alertmanager", json=notice("firing"), headers=headers).is_success
    for path in ("/api/v1/versions", "/api/v1/datasets", "/api/v1/demos"):
        assert light_room.client.get(path, headers=headers).status_code == 403


def test_a_webhook_is_made_tried_out_listed_and_removed(settings: Settings, light_room: Room) -> None:
    allowed = Settings(
        _env_file=None,  # type: ignore[call-arg]
        **{**settings.model_dump(exclude={"home"}), "home": settings.home, "webhook_private_addresses": True},
    )
    opened = dataclasses.replace(open_room(allowed, light_room.database))
    headers = opened.headers("admin")
    with receiving() as receiver, opened.client as client:
        asked = {"name": "chat", "url": receiver.url, "severities": ["critical"]}
        made = client.post("/api/v1/webhooks", json=asked, headers=headers)
        assert made.status_code == 201, made.text
        assert made.json()["secret"].startswith("whsec_")
        listed = client.get("/api/v1/webhooks", headers=headers)
        assert made.json()["secret"] not in listed.text
        path = f"/api/v1/webhooks/{made.json()['id']}"

        receiver.answers = [500]
        failed = client.post(f"{path}/test", headers=headers).json()
        assert (failed["status"], failed["problem"]) == (500, "The receiver answered 500.")
        assert failed["next_attempt_at"] is None
        worked = client.post(f"{path}/test", headers=headers).json()
        assert (worked["status"], worked["problem"], worked["event"]) == (204, None, "test")
        assert json.loads(receiver.received[-1].body)["event"] == "test"

        log = client.get(f"{path}/deliveries", headers=headers).json()["deliveries"]
        assert [delivery["status"] for delivery in log] == [204, 500]
        assert client.delete(path, headers=headers).status_code == 204
        assert client.delete(path, headers=headers).status_code == 404
        assert client.get(f"{path}/deliveries", headers=headers).status_code == 404
        actions = [entry["action"] for entry in client.get("/api/v1/audit", headers=headers).json()["entries"]]
        assert {"webhook.created", "webhook.removed"} <= set(actions)


@pytest.mark.parametrize(
    "url", ["https://169.254.169.254/latest", "http://example.org", "nonsense", "https://localhost"]
)
def test_a_webhook_into_the_private_network_is_refused_with_a_sentence(light_room: Room, url: str) -> None:
    answer = light_room.client.post(
        "/api/v1/webhooks", json={"name": "x", "url": url}, headers=light_room.headers("admin")
    )
    assert answer.status_code == 422
    assert answer.json()["error"]["message"].endswith(".")
