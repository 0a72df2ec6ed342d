"""Alerts over HTTP."""

from registry.alerts import close_alert, raise_alert
from tests.api.rooms import Room


def test_open_alerts_are_listed_and_closed_ones_on_request(room: Room) -> None:
    with room.database.transaction() as connection:
        raise_alert(connection, "stale", "warning", "The log is behind.")
        close_alert(connection, "stale")
        raise_alert(connection, "shared_outage", "critical", "Both versions fail.", subject="1.1.0")

    headers = room.headers()
    open_ones = room.client.get("/api/v1/alerts", headers=headers).json()["alerts"]
    every_one = room.client.get("/api/v1/alerts?state=all", headers=headers).json()["alerts"]

    assert [alert["kind"] for alert in open_ones] == ["shared_outage"]
    assert open_ones[0]["closed_at"] is None
    assert open_ones[0]["subject"] == "1.1.0"
    assert {alert["kind"] for alert in every_one} == {"stale", "shared_outage"}


def test_an_alert_bears_the_name_of_who_acknowledged_it(room: Room) -> None:
    with room.database.transaction() as connection:
        alert, _ = raise_alert(connection, "stale", "warning", "The log is behind.")

    answer = room.client.post(f"/api/v1/alerts/{alert.id}/acknowledge", headers=room.headers("engineer", name="ada"))

    assert (answer.status_code, answer.json()["acknowledged_by"]) == (200, "ada")
    entries = room.client.get("/api/v1/audit", headers=room.headers()).json()["entries"]
    assert "alert.acknowledged" in {entry["action"] for entry in entries}
