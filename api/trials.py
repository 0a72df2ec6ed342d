"""The canary's trial: begun and stopped by people, carried out by the worker; its verdicts, kept and computed again."""

import dataclasses
from typing import Annotated

from fastapi import Query

from api.bodies import refusals
from api.must_pass import broken_now
from api.roles import Called, Wired, guarded_router, role
from api.schemas import (
    AutomaticShape,
    ReasonRequest,
    Recomputed,
    TrialRequest,
    TrialShape,
    VerdictList,
    VerdictShape,
)
from dashboards.trial import automatic, last_automatic, trial
from registry import trials, verdict_records
from registry.policy import policy_text

router = guarded_router(prefix="/api/v1/rollout/trial", tags=["rollout"], responses=refusals(401, 403))


@router.get("", response_model=TrialShape)
@role("viewer")
def show_trial(wiring: Wired) -> TrialShape:
    """How the automatic rollout stands, and the verdict on the canary as of now."""
    wiring.log.flush()
    with wiring.database.reading() as connection:
        return TrialShape.model_validate(
            {"automatic": last_automatic(connection), "verdict": trial(connection, counters=wiring.counters)}
        )


@router.post("", response_model=AutomaticShape, responses=refusals(404, 409, 422))
@role("engineer")
def begin(body: TrialRequest, wiring: Wired, caller: Called) -> AutomaticShape:
    """Let the worker take a canary through the steps of a policy. Whoever decides by hand later ends that."""
    policy = body.policy or policy_text()
    broken = broken_now(wiring, body.version)
    with wiring.database.transaction() as connection:
        begun = trials.start_trial(
            connection, body.version, policy, actor=caller.name, reason=body.reason, broken=broken
        )
    wiring.serving.refresh()
    return AutomaticShape.model_validate(automatic(begun))


@router.post("/stop", response_model=AutomaticShape, responses=refusals(409, 422))
@role("engineer")
def stop(body: ReasonRequest, wiring: Wired, caller: Called) -> AutomaticShape:
    """Leave the canary with the share that it has, for people to decide on."""
    with wiring.database.transaction() as connection:
        return AutomaticShape.model_validate(
            automatic(trials.stop_trial(connection, actor=caller.name, reason=body.reason))
        )


@router.get("/verdicts", response_model=VerdictList, responses=refusals(422))
@role("viewer")
def show_verdicts(
    wiring: Wired, trial_id: str | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> VerdictList:
    """The latest verdicts that were kept, newest first, with all that they rest on."""
    with wiring.database.reading() as connection:
        found = verdict_records.list_verdicts(connection, trial_id=trial_id, limit=limit)
    return VerdictList(verdicts=[VerdictShape(**dataclasses.asdict(one)) for one in found])


@router.get("/verdicts/verify", response_model=Recomputed)
@role("viewer")
def verify_verdicts(wiring: Wired) -> Recomputed:
    """Compute every kept verdict again from what it rests on, and compare to the last bit."""
    with wiring.database.reading() as connection:
        return Recomputed(**dataclasses.asdict(verdict_records.recompute(connection)))
