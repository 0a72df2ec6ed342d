"""`/api/v1/ner/predict` and `/batch`: the hot path. No SQL here, and no thread but the model's."""

from typing import Any

import orjson
from fastapi import Request, Response

from api.answering import Answer, Outcome, TaggingFailed, check_text, checked_text
from api.bodies import body_of, parse, parse_batch, refusals
from api.errors import fact_of
from api.exchange import Exchange, exchange_of
from api.express import express
from api.roles import guarded_router, role
from api.schemas import BatchRequest, BatchResponse, PredictRequest, PredictResponse
from api.wiring import Wiring
from ner.errors import InvalidInput, NerError

router = guarded_router(prefix="/api/v1/ner", tags=["answering"])


@router.post(
    "/predict",
    response_model=PredictResponse,
    responses=refusals(400, 401, 403, 413, 422, 429, 503),
    openapi_extra=body_of(PredictRequest, {"text": "John lives in New York"}),
)
@role("viewer")
@express(asks_model=True)
async def predict(request: Request) -> Response:
    """The entities of one text. Offsets count characters as Python does (Unicode code points)."""
    wiring: Wiring = request.app.state.wiring
    exchange = exchange_of(request.scope)
    asked = parse(PredictRequest, await request.body())
    text = check_text(asked.text, wiring.settings.max_text_characters)
    key = asked.document_key or text
    outcome = await wiring.answering.answer(text, key)
    wiring.records.answered(exchange, exchange.request_id, text, outcome)
    wiring.shadow.offer(key, exchange.request_id, text, outcome)
    answer = answered(outcome)
    exchange.answered_by(answer.version, answer.variant, stood_in=answer.degraded)
    return Json(orjson.dumps(answer_body(text, answer, exchange.request_id)))


@router.post(
    "/batch",
    response_model=BatchResponse,
    responses=refusals(400, 401, 403, 413, 422, 429, 503),
    openapi_extra=body_of(BatchRequest, {"texts": ["Apple Inc is in California", "Google acquired YouTube"]}),
)
@role("viewer")
@express(asks_model=True)
async def batch(request: Request) -> Response:
    """The entities of many texts, in their order. A text that cannot be analysed has an error in its place."""
    wiring: Wiring = request.app.state.wiring
    exchange = exchange_of(request.scope)
    asked = parse_batch(await request.body())
    most = wiring.settings.max_batch_texts
    if len(asked.texts) > most:
        raise InvalidInput(f"A batch holds at most {most:,} texts; this one has {len(asked.texts):,}.")
    checked = [checked_text(text, wiring.settings.max_text_characters) for text in asked.texts]
    good = [text for text in checked if isinstance(text, str)]
    outcomes = iter(await wiring.answering.answer_batch(good, asked.document_key) if good else ())
    results = []
    for index, text in enumerate(checked):
        request_id = f"{exchange.request_id}-{index}"
        if isinstance(text, NerError):
            results.append(fact_of(text).body(request_id))
        else:
            outcome = next(outcomes)
            wiring.shadow.offer(asked.document_key or text, request_id, text, outcome)
            results.append(_result(wiring, exchange, request_id, text, outcome))
    return Json(orjson.dumps({"results": results}, default=str))


class Json(Response):
    """A body that is JSON already. The base class works out its headers anew each time."""

    def __init__(self, body: bytes) -> None:
        self.status_code = 200
        self.background = None
        self.body = body
        self.raw_headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]


def answer_body(text: str, answer: Answer, request_id: str) -> dict[str, Any]:
    """A PredictResponse as a dictionary."""
    spans = answer.tagged.spans
    return {
        "entities": [
            {
                "text": text[span.start : span.end],
                "label": span.label,
                "start": span.start,
                "end": span.end,
                "confidence": span.confidence,
            }
            for span in spans
        ],
        "confidence": [span.confidence for span in spans],
        "model_version": answer.version,
        "variant": answer.variant,
        "request_id": request_id,
        "cached": answer.cached,
        "degraded": answer.degraded,
    }


def answered(outcome: Outcome) -> Answer:
    """The answer, if there is one. Raises TaggingFailed."""
    if isinstance(outcome, TaggingFailed):
        raise outcome
    return outcome


def _result(wiring: Wiring, exchange: Exchange, request_id: str, text: str, outcome: Outcome) -> dict[str, Any]:
    wiring.records.answered(exchange, request_id, text, outcome)
    if isinstance(outcome, TaggingFailed):
        return fact_of(outcome).body(request_id)
    exchange.answered_by(outcome.version, outcome.variant, stood_in=outcome.degraded)
    return answer_body(text, outcome, request_id)
