"""Whether texts that were answered with low confidence are kept for correction."""

import sqlalchemy as sa

from api.bodies import refusals
from api.roles import Called, Wired, guarded_router, role
from api.schemas import CaptureShape
from api.serving import CAPTURE, is_capturing
from ner import tables
from ner.database import lock_for_appending, utc_now
from ner.disk import check_room
from registry import audit

router = guarded_router(prefix="/api/v1", tags=["people"], responses=refusals(401, 403))


@router.get("/capture", response_model=CaptureShape)
@role("viewer")
def show(wiring: Wired) -> CaptureShape:
    """The state of the switch."""
    with wiring.database.reading() as connection:
        return CaptureShape(enabled=is_capturing(connection))


@router.put("/capture", response_model=CaptureShape, responses=refusals(422, 507))
@role("admin")
def switch(body: CaptureShape, wiring: Wired, caller: Called) -> CaptureShape:
    """Begin or cease to keep texts. What is kept is encrypted; while the disk has too little room, nothing is."""
    if body.enabled:
        check_room(wiring.settings.home, wiring.settings.disk_reserve_megabytes)
    with wiring.database.transaction() as connection:
        _write(connection, body.enabled, caller.name)
    wiring.serving.refresh()
    return body


def _write(connection: sa.Connection, enabled: bool, actor: str) -> None:
    lock_for_appending(connection, "switches")
    connection.execute(tables.switches.delete().where(tables.switches.c.name == CAPTURE))
    connection.execute(
        tables.switches.insert().values(
            name=CAPTURE, value={"enabled": enabled}, changed_by=actor, changed_at=utc_now()
        )
    )
    audit.append(connection, actor=actor, action="capture.switched", subject=CAPTURE, details={"enabled": enabled})
