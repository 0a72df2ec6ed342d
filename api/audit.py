"""The audit trail."""

import dataclasses
from typing import Annotated

from fastapi import Query

from api.bodies import refusals
from api.roles import Wired, guarded_router, role
from api.schemas import AuditEntry, AuditPage, AuditVerdict
from registry import audit

router = guarded_router(prefix="/api/v1/audit", tags=["audit"], responses=refusals(401, 403))


@router.get("", response_model=AuditPage)
@role("viewer")
def entries(
    wiring: Wired,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> AuditPage:
    """Who did what, newest first."""
    with wiring.database.reading() as connection:
        found, total = audit.list_entries(connection, offset=offset, limit=limit)
    return AuditPage(entries=[AuditEntry(**dataclasses.asdict(entry)) for entry in found], total=total)


@router.get("/verify", response_model=AuditVerdict, responses=refusals(422))
@role("viewer")
def verify(
    wiring: Wired,
    noted: Annotated[str | None, Query(description="An earlier `end`: shows a cut or rewritten trail too.")] = None,
) -> AuditVerdict:
    """Whether every entry is as it was written, and the trail still holds what was noted of it."""
    with wiring.database.reading() as connection:
        return AuditVerdict(**dataclasses.asdict(audit.verify(connection, noted)))
