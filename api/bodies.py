"""Bodies of the hot routes, parsed without FastAPI's detour, and how they and the refusals stand in the docs."""

import json
from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from api.schemas import BatchRequest, ErrorResponse

Model = TypeVar("Model", bound=BaseModel)

_REFUSALS = {
    400: "The body is not JSON in UTF-8.",
    401: "No key or session, or one that is wrong, expired or revoked.",
    403: "The caller's role does not reach this far.",
    404: "There is no such thing.",
    409: "The request contradicts the present state.",
    413: "The text or the body is too long.",
    422: "The request cannot be used as it is; the message says what to change.",
    429: "The key's hourly limit is reached; Retry-After says when to come back.",
    502: "A source that lies elsewhere gave no usable answer.",
    503: "No version, or no database, answers.",
    507: "The disk has too little room left.",
}


def parse(model: type[Model], body: bytes) -> Model:
    """The body as a `model`. Raises RequestValidationError."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise _refused(error) from None


def parse_batch(body: bytes) -> BatchRequest:
    """The batch; one text with half a surrogate pair in it does not spoil the others. Raises RequestValidationError."""
    try:
        return BatchRequest.model_validate_json(body)
    except ValidationError as error:
        if error.errors(include_input=False, include_url=False)[0]["type"] != "json_invalid":
            raise _refused(error) from None
        refused = _refused(error)
    # The fast parser refuses lone surrogates anywhere; the slow one lets each text be judged by itself.
    try:
        return BatchRequest.model_validate(json.loads(body))
    except ValidationError as error:
        raise _refused(error) from None
    except (ValueError, RecursionError):
        raise refused from None


def _refused(error: ValidationError) -> RequestValidationError:
    return RequestValidationError(error.errors(include_input=False, include_url=False))


def body_of(model: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI part that documents a body which the route parses itself."""
    schema = inlined(model.model_json_schema())
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}}


def inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON schema with its definitions put where they are referred to; they must not refer to themselves."""
    definitions = schema.pop("$defs", {})

    def resolve(part: Any) -> Any:
        if isinstance(part, dict):
            name = str(part.get("$ref", "")).removeprefix("#/$defs/")
            return resolve(definitions[name]) if name else {key: resolve(value) for key, value in part.items()}
        return [resolve(item) for item in part] if isinstance(part, list) else part

    resolved: dict[str, Any] = resolve(schema)
    return resolved


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI part for the error answers of a route."""
    return {status: {"model": ErrorResponse, "description": _REFUSALS[status]} for status in statuses}
