"""The registered versions, and an answer by any of them."""

import asyncio
import dataclasses

import orjson
from fastapi import Request, Response

from api.answering import check_text
from api.bodies import refusals
from api.exchange import exchange_of
from api.predict import answer_body, answered
from api.roles import Called, Wired, guarded_router, role
from api.schemas import OwnershipShape, PredictResponse, VersionDetail, VersionList, VersionPredictRequest, VersionShape
from api.shapes import judged_facts, rollout_shape, version_facts
from registry import audit
from registry.ownership_keys import best_claim, known_keys
from registry.rollout import current_rollout, history
from registry.versions import get_version, list_versions

router = guarded_router(prefix="/api/v1/versions", tags=["versions"], responses=refusals(401, 403))


@router.get("", response_model=VersionList)
@role("viewer")
def list_all(wiring: Wired) -> VersionList:
    """Every version, newest first."""
    with wiring.database.reading() as connection:
        rollout = current_rollout(connection)
        records = list_versions(connection)
    return VersionList(versions=[VersionShape(**version_facts(record, rollout)) for record in records])


@router.get("/{version}", response_model=VersionDetail, responses=refusals(404))
@role("viewer")
def show(version: str, wiring: Wired) -> VersionDetail:
    """One version: who trained it, on what, how good it is, and where it was deployed."""
    with wiring.database.reading() as connection:
        rollout = current_rollout(connection)
        record = get_version(connection, version)
        changes = history(connection, limit=10_000)
    named = [change for change in changes if version in (change.stable, change.canary, change.previous)]
    return VersionDetail(
        **version_facts(record, rollout),
        performance=record.performance,
        **judged_facts(record.performance),
        deployments=[rollout_shape(change) for change in named],
    )


@router.post("/{version}/predict", response_model=PredictResponse, responses=refusals(400, 404, 413, 422, 503))
@role("viewer")
async def predict_with(version: str, body: VersionPredictRequest, request: Request, wiring: Wired) -> Response:
    """The entities of a text by this version, whether it is rolled out or not. Not logged as traffic."""
    exchange = exchange_of(request.scope)
    text = check_text(body.text, wiring.settings.max_text_characters)
    served = await asyncio.to_thread(wiring.serving.version, version)
    (outcome,) = await wiring.answering.answer_with(served, [text])
    answer = answered(outcome)
    exchange.version = answer.version
    return Response(orjson.dumps(answer_body(text, answer, exchange.request_id)), media_type="application/json")


@router.post("/{version}/ownership", response_model=OwnershipShape, responses=refusals(404, 503))
@role("engineer")
def verify(version: str, wiring: Wired, caller: Called) -> OwnershipShape:
    """Whether a version learned this installation's secret triggers (a run's parameter `watermark`), of its
    present secret key or of one that it had."""
    with wiring.database.reading() as connection:
        record = get_version(connection, version)
        known = known_keys(connection, wiring.seals)
    tagger = wiring.serving.version(version).tagger
    found = best_claim(tagger, known, record.labels)
    facts = dataclasses.asdict(found) | {"is_ours": found.is_ours}
    with wiring.database.transaction() as connection:
        audit.append(connection, actor=caller.name, action="version.ownership", subject=version, details=facts)
    return OwnershipShape(version=version, **facts)
