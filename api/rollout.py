"""Which version answers, and the three ways to change it."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Query
from pydantic import AwareDatetime
from sqlalchemy.engine import Connection

from api.bodies import refusals
from api.exchange import Caller
from api.must_pass import broken_now
from api.roles import Called, Wired, guarded_router, role
from api.schemas import CanaryRequest, PolicyShape, PromoteRequest, ReasonRequest, RolloutHistory, RolloutShape
from api.shapes import rollout_shape
from api.wiring import Wiring
from dashboards.trial import policy_in_force
from registry import rollout as registry_rollout
from registry.rollout import Rollout, current_rollout

router = guarded_router(prefix="/api/v1/rollout", tags=["rollout"], responses=refusals(401, 403, 409, 422))


@router.get("", response_model=RolloutShape)
@role("viewer")
def show(wiring: Wired) -> RolloutShape:
    """The state in force."""
    with wiring.database.reading() as connection:
        return rollout_shape(current_rollout(connection))


@router.get("/history", response_model=RolloutHistory)
@role("viewer")
def history(wiring: Wired) -> RolloutHistory:
    """The latest changes, newest first."""
    with wiring.database.reading() as connection:
        return RolloutHistory(changes=[rollout_shape(change) for change in registry_rollout.history(connection)])


@router.get("/at", response_model=RolloutShape)
@role("viewer")
def at(
    wiring: Wired, moment: Annotated[AwareDatetime, Query(description="ISO 8601 with its time zone.")]
) -> RolloutShape:
    """The state that was in force at a moment: what answered then. Every process followed within two seconds."""
    with wiring.database.reading() as connection:
        return rollout_shape(registry_rollout.rollout_at(connection, moment))


@router.get("/policy", response_model=PolicyShape)
@role("viewer")
def policy(wiring: Wired) -> PolicyShape:
    """The policy that canaries are judged by: the automatic rollout's, where one is under way, else the default one."""
    with wiring.database.reading() as connection:
        return PolicyShape.model_validate(policy_in_force(connection))


@router.post("/canary", response_model=RolloutShape, responses=refusals(404))
@role("engineer")
def set_canary(body: CanaryRequest, wiring: Wired, caller: Called) -> RolloutShape:
    """Put a version on trial beside the stable one, or change its share."""
    return _change(
        wiring,
        lambda connection: registry_rollout.set_canary(
            connection, body.version, body.percent, actor=caller.name, reason=body.reason
        ),
    )


@router.post("/promote", response_model=RolloutShape, responses=refusals(404))
@role("engineer")
def promote(body: PromoteRequest, wiring: Wired, caller: Called) -> RolloutShape:
    """Let the canary, or the named version, be the stable one. Where none is stable yet, the named one becomes it.

    It is asked every must-pass example of its dataset first; one wrong answer needs an override."""
    broken = broken_now(wiring, body.version)
    return _change(wiring, lambda connection: _promote(connection, body, caller, broken))


@router.post("/rollback", response_model=RolloutShape)
@role("engineer")
def roll_back(body: ReasonRequest, wiring: Wired, caller: Called) -> RolloutShape:
    """Take the canary off trial; where there is none, let the previous version answer again."""
    return _change(
        wiring, lambda connection: registry_rollout.roll_back(connection, actor=caller.name, reason=body.reason)
    )


def _promote(connection: Connection, body: PromoteRequest, caller: Caller, broken: list[str]) -> Rollout:
    if body.version is not None and current_rollout(connection).stable is None:
        return registry_rollout.set_stable(connection, body.version, actor=caller.name, reason=body.reason)
    return registry_rollout.promote(
        connection, body.version, actor=caller.name, reason=body.reason, override=body.override, broken=broken
    )


def _change(wiring: Wiring, change: Callable[[Connection], Rollout]) -> RolloutShape:
    with wiring.database.transaction() as connection:
        changed = change(connection)
    wiring.serving.refresh()
    return rollout_shape(changed)
