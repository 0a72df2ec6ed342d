"""What goes wrong, in the one shape that callers see: one table from kinds to status codes, and one handler."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
import sqlalchemy as sa
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.exchange import exchange_of
from ner.errors import NerError
from ner.masking import masked

_LOG = logging.getLogger(__name__)

STATUS: dict[str, int] = {
    "failed": 500,
    "malformed_body": 400,
    "invalid_input": 422,
    "invalid_span": 422,
    "overlapping_spans": 422,
    "unknown_label": 422,
    "malformed_file": 422,
    "invalid_setting": 500,
    "text_too_long": 413,
    "body_too_large": 413,
    "not_found": 404,
    "method_not_allowed": 405,
    "stale_correction": 409,
    "conflict": 409,
    "run_cancelled": 409,
    "no_serving_version": 503,
    "broken_package": 503,
    "database_away": 503,
    "bucket_away": 503,
    "overloaded": 503,
    "disk_full": 507,
    "not_signed_in": 401,
    "not_allowed": 403,
    "rate_limited": 429,
    "source_failed": 502,
}
_KIND_OF_STATUS = {
    400: "malformed_body",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    422: "invalid_input",
}
_RETRY_SECONDS = 1


class MalformedBody(NerError):
    """A request body that is not UTF-8 or not JSON."""

    kind = "malformed_body"


class BodyTooLarge(HTTPException):
    """A request body above the limit. FastAPI lets errors of this family through while it reads a body."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(413, f"The body is larger than {limit_bytes / 1e6:,.0f} MB, the most this path takes.")


class UnstorableBody(HTTPException):
    """A body with a character that no database keeps."""

    def __init__(self) -> None:
        super().__init__(422, "The body holds the character NUL (\\u0000), which cannot be stored.")


@dataclass(frozen=True, slots=True)
class Fact:
    """An error as the caller sees it."""

    status: int
    kind: str
    message: str
    details: dict[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, request_id: str) -> dict[str, Any]:
        """The error shape of the contract."""
        return {
            "error": {
                "kind": self.kind,
                "message": self.message,
                "request_id": request_id,
                "details": self.details,
            }
        }

    def response(self, request_id: str) -> Response:
        """The same as an HTTP answer."""
        content = orjson.dumps(self.body(request_id), default=str)
        return Response(content, self.status, dict(self.headers), "application/json")


def fact_of(error: Exception) -> Fact:
    """What to tell the caller about an error; the server's own failures are told without their inside."""
    if isinstance(error, NerError):
        return _known(error)
    if isinstance(error, RequestValidationError):
        return _invalid(error.errors())
    if isinstance(error, HTTPException):
        kind = _KIND_OF_STATUS.get(error.status_code, "failed")
        return Fact(error.status_code, kind, _sentence(error), headers=error.headers or {})
    if isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError | sa.exc.TimeoutError):
        message = "The database does not answer; try again in a moment."
        return Fact(503, "database_away", message, headers={"Retry-After": str(_RETRY_SECONDS)})
    return Fact(500, "failed", "The server failed at this request; its log says why, under this request id.")


def fact_noted(error: Exception, request_id: str) -> Fact:
    """`fact_of`, and a line in the log where the server itself failed."""
    fact = fact_of(error)
    if fact.kind == "disk_full":
        # A line: a full disk has no room for a stack trace at each import that it refuses.
        _LOG.error("Request %s was refused: %s", request_id, fact.message)
    elif fact.status >= 500 and not (isinstance(error, NerError) and fact.status == 503):
        _LOG.error("Request %s failed.", request_id, exc_info=error)
    return fact


async def answer_error(request: Request, error: Exception) -> Response:
    """The one handler."""
    request_id = exchange_of(request.scope).request_id
    return fact_noted(error, request_id).response(request_id)


def add_error_handler(app: FastAPI) -> None:
    """Send every foreseen kind of error through `answer_error`; the rest meets it in the edge middleware."""
    database_errors = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)
    for kind in (NerError, RequestValidationError, HTTPException, *database_errors):
        app.add_exception_handler(kind, answer_error)


def _known(error: NerError) -> Fact:
    status = STATUS.get(error.kind, 500)
    headers = {}
    if status in {429, 503}:
        headers["Retry-After"] = str(error.details.get("retry_after_seconds", _RETRY_SECONDS))
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Fact(status, error.kind, error.message, error.details, headers)


def _sentence(error: HTTPException) -> str:
    if error.status_code == 404:
        return "There is nothing at this address; the paths are listed at /docs."
    if error.status_code == 405:
        return f"This path does not take this method; it takes {(error.headers or {}).get('Allow', 'another one')}."
    detail = str(error.detail or HTTPStatus(error.status_code).phrase)
    return detail if detail.endswith(".") else f"{detail}."


def _invalid(problems: Sequence[Any]) -> Fact:
    if problems and problems[0]["type"] == "json_invalid":
        reason = problems[0].get("ctx", {}).get("error", "it cannot be parsed")
        return Fact(400, "malformed_body", f"The body is not valid JSON in UTF-8: {reason}.")
    told = [
        {"field": masked(_field(problem)), "message": masked(_problem_sentence(problem))} for problem in problems[:20]
    ]
    return Fact(422, "invalid_input", " ".join(problem["message"] for problem in told[:5]), {"problems": told})


def _field(problem: Mapping[str, Any]) -> str:
    places = [str(place) for place in problem["loc"]]
    return ".".join(places[1:] if places[:1] in (["body"], ["query"], ["path"]) else places)


def _problem_sentence(problem: Mapping[str, Any]) -> str:
    name = _field(problem)
    if not name:
        return "The body must be a JSON object, sent with 'Content-Type: application/json'."
    if problem["type"] == "missing":
        return f"'{name}' is missing."
    if problem["type"] == "extra_forbidden":
        return f"'{name[:100]}' is not a field of this request."
    message = str(problem["msg"]).removeprefix("Input should ").removeprefix("Value error, ")
    return f"'{name[:100]}' should {message}." if message != problem["msg"] else f"'{name[:100]}': {message}."
