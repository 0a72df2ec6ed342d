"""Demo links, and the answers that they give."""

import asyncio
import dataclasses

from fastapi import Request, Response

from api.answering import check_text
from api.bodies import refusals
from api.exchange import exchange_of
from api.links import address
from api.predict import answer_body, answered
from api.roles import Called, Wired, guarded_router, public, role
from api.schemas import DemoAnswer, DemoCreated, DemoList, DemoQuestion, DemoRequest, DemoShape, PredictResponse
from api.wiring import Wiring
from registry import demos
from registry.demos import Demo

router = guarded_router(prefix="/api/v1/demos", tags=["demos"])


@router.get("", response_model=DemoList, responses=refusals(401, 403))
@role("engineer")
def list_all(wiring: Wired) -> DemoList:
    """Every link, newest first, without its token."""
    with wiring.database.reading() as connection:
        found = demos.list_demos(connection)
    return DemoList(demos=[DemoShape(**dataclasses.asdict(demo)) for demo in found])


@router.post("", response_model=DemoCreated, status_code=201, responses=refusals(401, 403, 404, 422, 503))
@role("engineer")
def create(body: DemoRequest, request: Request, wiring: Wired, caller: Called) -> DemoCreated:
    """Make a link that opens a demo without a key until it expires."""
    with wiring.database.transaction() as connection:
        demo, token = demos.create_demo(
            connection,
            wiring.secret,
            version=body.version,
            compared_with=body.compared_with,
            hours=body.hours,
            actor=caller.name,
        )
    return DemoCreated(id=demo.id, url=address(request, "/demo/", token=token), expires_at=demo.expires_at)


@router.delete("/{demo_id}", status_code=204, responses=refusals(401, 403, 404))
@role("engineer")
def revoke(demo_id: str, wiring: Wired, caller: Called) -> Response:
    """End a link at once."""
    with wiring.database.transaction() as connection:
        demos.revoke_demo(connection, demo_id, actor=caller.name)
    return Response(status_code=204)


@router.post("/answer", response_model=DemoAnswer, responses=refusals(401, 413, 422, 429, 503))
@public
async def answer(body: DemoQuestion, request: Request, wiring: Wired) -> DemoAnswer:
    """What a demo's versions find in a text. The token is the permission; a link has the budget of a new key."""
    text = check_text(body.text, wiring.settings.max_text_characters)
    demo = await asyncio.to_thread(_visit, wiring, body.token)
    exchange = exchange_of(request.scope)
    exchange.budget = await wiring.rates.spend(f"demo:{demo.id}", wiring.settings.rate_limit_per_hour)
    wiring.rates.check(exchange.budget)
    rival = demo.compared_with
    return DemoAnswer(
        version=demo.version,
        compared_with=rival,
        left=await _side(wiring, demo.version, text, exchange.request_id),
        right=await _side(wiring, rival, text, exchange.request_id) if rival is not None else None,
    )


def _visit(wiring: Wiring, token: str) -> Demo:
    with wiring.database.transaction() as connection:
        return demos.visit_demo(connection, wiring.secret, token)


async def _side(wiring: Wiring, version: str, text: str, request_id: str) -> PredictResponse:
    served = await asyncio.to_thread(wiring.serving.version, version)
    (outcome,) = await wiring.answering.answer_with(served, [text])
    return PredictResponse(**answer_body(text, answered(outcome), request_id))
