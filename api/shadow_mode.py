"""Shadow mode: its switch, what the canary would have said, and the verdict on its F1."""

import dataclasses
from typing import Any

from fastapi import Response
from sqlalchemy.engine import Connection

from api.bodies import refusals
from api.csv_table import csv_table
from api.roles import Called, Wired, guarded_router, role
from api.schemas.shadow import QualityVerdictShape, ShadowHour, ShadowRequest, ShadowShape
from api.wiring import Wiring
from ner.shadow_tables import KINDS
from registry.paired_labels import stored_verdict
from registry.quality_verdicts import QualityVerdict
from registry.rollout import current_rollout
from registry.shadow import OUTCOMES, hours, set_shadow_percent, shadow_percent, totals

router = guarded_router(prefix="/api/v1/rollout", tags=["rollout"], responses=refusals(401, 403))


@router.get("/shadow", response_model=ShadowShape)
@role("viewer")
def show(wiring: Wired) -> ShadowShape:
    """What the canary says in the shadow about the traffic that the stable version answers."""
    with wiring.database.reading() as connection:
        return _shape(connection, wiring)


@router.put("/shadow", response_model=ShadowShape, responses=refusals(422))
@role("engineer")
def switch(body: ShadowRequest, wiring: Wired, caller: Called) -> ShadowShape:
    """Let the canary answer a share of stable traffic in the shadow, 0 to 100 percent. Its answers reach nobody."""
    with wiring.database.transaction() as connection:
        set_shadow_percent(connection, body.percent, actor=caller.name, reason=body.reason)
    wiring.serving.refresh()
    with wiring.database.reading() as connection:
        return _shape(connection, wiring)


@router.get("/shadow/hours.csv", response_class=Response)
@role("viewer")
def hours_as_csv(wiring: Wired) -> Response:
    """The shadow of the present pair by hour, as CSV."""
    with wiring.database.reading() as connection:
        rollout = current_rollout(connection)
        rows = hours(connection, rollout.stable or "", rollout.canary or "")
    return csv_table(rows, ("hour", "stable", "canary", *OUTCOMES, *KINDS))


@router.get("/quality", response_model=QualityVerdictShape)
@role("viewer")
def quality(wiring: Wired) -> QualityVerdictShape:
    """May the canary's F1 be 2 points below the stable version's? From labels of the same documents, or a stand-in."""
    wiring.label_counts.catch_up()
    with wiring.database.reading() as connection:
        rollout = current_rollout(connection)
        if rollout.stable is None or rollout.canary is None:
            nothing = QualityVerdict("not enough evidence", "No canary is on trial.", "nothing", 0.0, None)
            return _verdict_shape(nothing, rollout.stable, rollout.canary)
        verdict = stored_verdict(connection, rollout.stable, rollout.canary)
    return _verdict_shape(verdict, rollout.stable, rollout.canary)


def _shape(connection: Connection, wiring: Wiring) -> ShadowShape:
    rollout = current_rollout(connection)
    stable, canary = rollout.stable, rollout.canary
    said = totals(connection, stable or "", canary or "")
    return ShadowShape(
        percent=shadow_percent(connection),
        stable=stable,
        canary=canary,
        waiting=wiring.shadow.waiting,
        captures=wiring.serving.lineup.captures,
        agree=said.agree,
        disagree=said.disagree,
        failed=said.failed,
        kinds=dict(said.kinds),
        hours=[ShadowHour(**row) for row in hours(connection, stable or "", canary or "")],
    )


def _verdict_shape(verdict: QualityVerdict, stable: str | None, canary: str | None) -> QualityVerdictShape:
    facts: dict[str, Any] = dataclasses.asdict(verdict)
    return QualityVerdictShape(stable=stable, canary=canary, **facts)
