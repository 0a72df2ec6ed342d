"""Demo links, and the answers that they give. The token of a link is the permission of whoever holds it."""

import asyncio
import dataclasses
import html

from fastapi import Request, Response

from api.answering import check_text
from api.bodies import refusals
from api.exchange import Exchange, exchange_of
from api.links import address
from api.predict import answer_body, answered
from api.roles import Called, Wired, guarded_router, public, role
from api.schemas import (
    DemoAnswer,
    DemoCreated,
    DemoEntry,
    DemoFrame,
    DemoKnock,
    DemoList,
    DemoQuestion,
    DemoRequest,
    DemoShape,
    DemoToken,
    PredictResponse,
)
from api.wiring import Wiring
from ner.errors import NotSignedIn
from registry import demos
from registry.demos import Demo

router = guarded_router(prefix="/api/v1/demos", tags=["demos"])
_TRIES_AN_HOUR = 30


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
            passphrase=body.passphrase,
            frame_origins=body.frame_origins,
            actor=caller.name,
        )
    url = address(request, "/demo/", token=token)
    return DemoCreated(
        id=demo.id, url=url, expires_at=demo.expires_at, iframe=_iframe(url) if demo.frame_origins else None
    )


@router.delete("/{demo_id}", status_code=204, responses=refusals(401, 403, 404))
@role("engineer")
def revoke(demo_id: str, wiring: Wired, caller: Called) -> Response:
    """End a link at once."""
    with wiring.database.transaction() as connection:
        demos.revoke_demo(connection, demo_id, actor=caller.name)
    return Response(status_code=204)


@router.post("/frame", response_model=DemoFrame, responses=refusals(422))
@public
def frame(body: DemoToken, wiring: Wired) -> DemoFrame:
    """Whose pages may embed a demo; nobody's where the link does not work."""
    with wiring.database.reading() as connection:
        try:
            origins = demos.find_demo(connection, wiring.secret, body.token).frame_origins
        except NotSignedIn:
            origins = []
    return DemoFrame(frame_origins=origins)


@router.post("/enter", response_model=DemoEntry, responses=refusals(401, 422, 429))
@public
async def enter(body: DemoKnock, request: Request, wiring: Wired) -> DemoEntry:
    """Open a demo: what it shows, and a ticket for its questions. One with a passphrase shows nothing without it."""
    demo = await asyncio.to_thread(_found, wiring, body.token)
    await _spend(wiring, exchange_of(request.scope), demo)
    if demo.has_passphrase:
        if not body.passphrase:
            return DemoEntry(needs_passphrase=True, ticket=None)
        # Guessing is bounded for a link as a whole: who guesses can also come from many addresses.
        wiring.rates.check(await wiring.rates.spend(f"demo passphrase:{demo.id}", _TRIES_AN_HOUR))
    ticket = await asyncio.to_thread(_entered, wiring, demo, body.passphrase)
    return DemoEntry(
        needs_passphrase=False,
        ticket=ticket,
        version=demo.version,
        compared_with=demo.compared_with,
        expires_at=demo.expires_at,
    )


@router.post("/answer", response_model=DemoAnswer, responses=refusals(401, 413, 422, 429, 503))
@public
async def answer(body: DemoQuestion, request: Request, wiring: Wired) -> DemoAnswer:
    """What a demo's versions find in a text. A link has the budget of a new key."""
    text = check_text(body.text, wiring.settings.max_text_characters)
    demo = await asyncio.to_thread(_asked, wiring, body.token, body.ticket)
    exchange = exchange_of(request.scope)
    await _spend(wiring, exchange, demo)
    rival = demo.compared_with
    found = DemoAnswer(
        version=demo.version,
        compared_with=rival,
        left=await _side(wiring, demo.version, text, exchange.request_id),
        right=await _side(wiring, rival, text, exchange.request_id) if rival is not None else None,
    )
    await asyncio.to_thread(_count_question, wiring, demo)
    return found


def _iframe(url: str) -> str:
    source = html.escape(url, quote=True)
    return f'<iframe src="{source}" title="NER demo" width="100%" height="640" style="border:0"></iframe>'


async def _spend(wiring: Wiring, exchange: Exchange, demo: Demo) -> None:
    exchange.budget = await wiring.rates.spend(f"demo:{demo.id}", wiring.settings.rate_limit_per_hour)
    wiring.rates.check(exchange.budget)


def _found(wiring: Wiring, token: str) -> Demo:
    with wiring.database.reading() as connection:
        return demos.find_demo(connection, wiring.secret, token)


def _entered(wiring: Wiring, demo: Demo, passphrase: str | None) -> str:
    with wiring.database.reading() as connection:
        ticket = demos.enter(connection, wiring.secret, demo, passphrase)
    with wiring.database.transaction() as connection:
        demos.count_visit(connection, demo.id)
    return ticket


def _asked(wiring: Wiring, token: str, ticket: str) -> Demo:
    with wiring.database.reading() as connection:
        demo = demos.find_demo(connection, wiring.secret, token)
        demos.check_ticket(connection, wiring.secret, demo, ticket)
    return demo


def _count_question(wiring: Wiring, demo: Demo) -> None:
    with wiring.database.transaction() as connection:
        demos.count_question(connection, demo.id)


async def _side(wiring: Wiring, version: str, text: str, request_id: str) -> PredictResponse:
    served = await asyncio.to_thread(wiring.serving.version, version)
    (outcome,) = await wiring.answering.answer_with(served, [text])
    return PredictResponse(**answer_body(text, answered(outcome), request_id))
