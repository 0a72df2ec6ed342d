"""The Open Inference Protocol, version 2 (health, metadata, infer), so that its clients can ask without knowing us.

Input `text`: BYTES of shape [n]. Outputs of the same shape: `entities`, for each text a JSON list of entities, and
`model_version`, who answered it. Errors have the shape of the rest of this API.
"""

import asyncio
from typing import Any

import orjson
from fastapi import Request, Response
from pydantic import BaseModel, Field

from api.answering import Outcome, check_text
from api.bodies import body_of, parse, refusals
from api.exchange import exchange_of
from api.health import software_version
from api.predict import answer_body, answered
from api.roles import guarded_router, public, role
from api.wiring import Wiring
from ner.errors import InvalidInput, NotFound

MODEL = "ner"
_TENSORS = ("entities", "model_version")

router = guarded_router(prefix="/v2", tags=["open inference protocol"])


class InferInput(BaseModel):
    name: str = Field(examples=["text"])
    shape: list[int] = Field(examples=[[1]])
    datatype: str = Field(examples=["BYTES"])
    data: list[Any] = Field(examples=[["John lives in New York"]])


class InferOutput(BaseModel):
    name: str


class InferRequest(BaseModel):
    id: str | None = Field(None, max_length=200)
    inputs: list[InferInput]
    outputs: list[InferOutput] | None = None


class Tensor(BaseModel):
    name: str
    datatype: str
    shape: list[int]


class ServerMetadata(BaseModel):
    name: str
    version: str
    extensions: list[str]


class ModelMetadata(BaseModel):
    name: str
    versions: list[str]
    platform: str
    inputs: list[Tensor]
    outputs: list[Tensor]


class FilledTensor(Tensor):
    data: list[str]


class InferResponse(BaseModel):
    model_name: str
    model_version: str
    id: str
    outputs: list[FilledTensor]


@router.get("", response_model=ServerMetadata, responses=refusals(401))
@role("viewer")
async def server() -> ServerMetadata:
    """What this server is."""
    return ServerMetadata(name="ner-workbench", version=software_version(), extensions=[])


@router.get("/health/live")
@public
async def live() -> dict[str, bool]:
    """This process answers."""
    return {"live": True}


@router.get("/health/ready")
@public
async def ready(request: Request) -> Response:
    """Some version can answer: 200, else 503."""
    wiring: Wiring = request.app.state.wiring
    is_ready = bool(wiring.serving.lineup.candidates("stable"))
    return Response(orjson.dumps({"ready": is_ready}), 200 if is_ready else 503, media_type="application/json")


@router.get("/models/{model}", response_model=ModelMetadata, responses=refusals(401, 404))
@router.get("/models/{model}/versions/{version}", response_model=ModelMetadata, responses=refusals(401, 404))
@role("viewer")
async def metadata(request: Request, model: str, version: str | None = None) -> ModelMetadata:
    """The model's tensors, and the versions that answer now."""
    wiring: Wiring = request.app.state.wiring
    _check_model(model)
    if version is not None:
        await asyncio.to_thread(wiring.serving.version, version)
    held = [served.version for _, served in wiring.serving.lineup.candidates("canary")]
    return ModelMetadata(
        name=MODEL,
        versions=[version] if version is not None else held,
        platform="ner-workbench",
        inputs=[Tensor(name="text", datatype="BYTES", shape=[-1])],
        outputs=[Tensor(name=name, datatype="BYTES", shape=[-1]) for name in _TENSORS],
    )


@router.get("/models/{model}/ready", responses=refusals(401, 404))
@router.get("/models/{model}/versions/{version}/ready", responses=refusals(401, 404))
@role("viewer")
async def model_ready(request: Request, model: str, version: str | None = None) -> Response:
    """The model, or this version of it, can answer: 200, else 503."""
    wiring: Wiring = request.app.state.wiring
    _check_model(model)
    if version is not None:
        await asyncio.to_thread(wiring.serving.version, version)
    is_ready = version is not None or bool(wiring.serving.lineup.candidates("stable"))
    body = orjson.dumps({"name": MODEL, "ready": is_ready})
    return Response(body, 200 if is_ready else 503, media_type="application/json")


_INFER: dict[str, Any] = {
    "response_model": InferResponse,
    "responses": refusals(400, 401, 403, 404, 413, 422, 429, 503),
    "openapi_extra": body_of(
        InferRequest,
        {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["John lives in New York"]}]},
    ),
}


@router.post("/models/{model}/infer", **_INFER)
@router.post("/models/{model}/versions/{version}/infer", **_INFER)
@role("viewer")
async def infer(request: Request, model: str, version: str | None = None) -> Response:
    """The entities of n texts, by the rollout or by the named version. One bad text refuses the request."""
    wiring: Wiring = request.app.state.wiring
    exchange = exchange_of(request.scope)
    _check_model(model)
    asked = parse(InferRequest, await _json_body(request))
    tensor = _text_tensor(asked, wiring.settings.max_batch_texts)
    texts = [check_text(text, wiring.settings.max_text_characters) for text in tensor.data]
    outcomes = await _outcomes(wiring, version, texts)
    for index, (text, outcome) in enumerate(zip(texts, outcomes, strict=True)):
        if version is None:
            request_id = f"{exchange.request_id}-{index}"
            wiring.shadow.offer(text, request_id, text, outcome)
            wiring.records.answered(exchange, request_id, text, outcome)
    answers = [answered(outcome) for outcome in outcomes]
    for answer in answers if version is None else ():
        exchange.answered_by(answer.version, answer.variant, stood_in=answer.degraded)
    columns = {
        "entities": [
            orjson.dumps(answer_body(text, answer, "")["entities"]).decode()
            for text, answer in zip(texts, answers, strict=True)
        ],
        "model_version": [answer.version for answer in answers],
    }
    named = set(columns["model_version"])
    exchange.version = named.pop() if len(named) == 1 else "several"
    body = {
        "model_name": MODEL,
        "model_version": exchange.version,
        "id": asked.id or exchange.request_id,
        "outputs": [
            {"name": name, "datatype": "BYTES", "shape": tensor.shape, "data": columns[name]} for name in _wanted(asked)
        ],
    }
    return Response(orjson.dumps(body), media_type="application/json")


async def _json_body(request: Request) -> bytes:
    if "inference-header-content-length" in request.headers:
        raise InvalidInput("Binary tensors are not taken here; send the texts as JSON (binary_data=False).")
    return await request.body()


async def _outcomes(wiring: Wiring, version: str | None, texts: list[str]) -> list[Outcome]:
    if version is None:
        return await wiring.answering.answer_batch(texts, None)
    served = await asyncio.to_thread(wiring.serving.version, version)
    return await wiring.answering.answer_with(served, texts)


def _check_model(model: str) -> None:
    if model != MODEL:
        raise NotFound(f"There is no model '{model}'; the one here is called '{MODEL}'.")


def _text_tensor(asked: InferRequest, most: int) -> InferInput:
    tensor = asked.inputs[0] if len(asked.inputs) == 1 else None
    if tensor is None or tensor.name != "text" or tensor.datatype != "BYTES":
        raise InvalidInput("Send exactly one input: 'text', of datatype BYTES and shape [n].")
    if tensor.shape != [len(tensor.data)]:
        raise InvalidInput(f"The shape of 'text' must be [{len(tensor.data)}], the number of texts in its data.")
    if not 0 < len(tensor.data) <= most:
        raise InvalidInput(f"Send between 1 and {most:,} texts at once; this request has {len(tensor.data):,}.")
    return tensor


def _wanted(asked: InferRequest) -> list[str]:
    names = [output.name for output in asked.outputs] if asked.outputs else list(_TENSORS)
    for name in names:
        if name not in _TENSORS:
            raise InvalidInput(f"There is no output '{name}'; there are {' and '.join(_TENSORS)}.")
    return names
