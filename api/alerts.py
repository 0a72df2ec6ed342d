"""What people have to look at."""

import dataclasses
from typing import Annotated, Literal

from fastapi import Query

from api.bodies import refusals
from api.roles import Called, Wired, guarded_router, role
from api.schemas import AlertList, AlertmanagerNotice, AlertmanagerTaken, AlertShape
from registry import alertmanager, alerts

router = guarded_router(prefix="/api/v1/alerts", tags=["alerts"], responses=refusals(401, 403))


@router.get("", response_model=AlertList, responses=refusals(422))
@role("viewer")
def show_alerts(
    wiring: Wired,
    state: Literal["open", "all"] = "open",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> AlertList:
    """The alerts that last, or all of them, newest first."""
    with wiring.database.reading() as connection:
        found = alerts.list_alerts(connection, only_open=state == "open", limit=limit)
    return AlertList(alerts=[AlertShape(**dataclasses.asdict(alert)) for alert in found])


@router.post("/{alert_id}/acknowledge", response_model=AlertShape, responses=refusals(404))
@role("engineer")
def acknowledge(alert_id: str, wiring: Wired, caller: Called) -> AlertShape:
    """Say that you look after it; the first one to say so is kept."""
    with wiring.database.transaction() as connection:
        return AlertShape(**dataclasses.asdict(alerts.acknowledge(connection, alert_id, actor=caller.name)))


@router.post("/alertmanager", response_model=AlertmanagerTaken, responses=refusals(422))
@role("engineer")
def take_from_alertmanager(body: AlertmanagerNotice, wiring: Wired) -> AlertmanagerTaken:
    """Open what Alertmanager says is firing, and close what it says is resolved. Saying it twice changes nothing."""
    with wiring.database.transaction() as connection:
        notices = (alertmanager.Notice(one.status, one.labels, one.annotations) for one in body.alerts)
        opened, closed = alertmanager.take(connection, notices)
    return AlertmanagerTaken(opened=opened, closed=closed)
