"""How a call reaches the API: who is calling, when to try again, and what a refusal becomes."""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from ner.errors import NerError

Body = dict[str, Any]


class HttpCaller(Protocol):
    """What a client needs of an HTTP library: `httpx.Client`, and every test client with its interface."""

    def request(self, method: str, url: str, **options: Any) -> Any: ...

    def stream(self, method: str, url: str, **options: Any) -> AbstractContextManager[Any]: ...


class ApiError(NerError):
    """What the server refused, in its own sentence; `status` is 0 where no server answered."""

    def __init__(self, message: str, *, status: int = 0, kind: str = "failed", request_id: str = "", **details: Any):
        super().__init__(message, **details)
        self.status = status
        self.kind = kind
        self.request_id = request_id


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a failed call is sent again: up to `attempts` times in all, after a random pause that doubles.

    Random ("full jitter"), so that many callers refused at one moment do not come back at one moment.
    """

    attempts: int = 4
    first_pause_seconds: float = 0.1
    longest_pause_seconds: float = 3.0
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random

    def pause_seconds(self, attempt: int, retry_after: str | None = None) -> float | None:
        """The pause after failed attempt number `attempt` (from 1); None where trying again is no use."""
        if attempt >= self.attempts:
            return None
        ceiling = min(self.first_pause_seconds * 2 ** (attempt - 1), self.longest_pause_seconds)
        asked = float(retry_after) if retry_after and retry_after.isdigit() else 0.0
        return None if asked > self.longest_pause_seconds else asked + self.chance() * ceiling


@dataclass(frozen=True, slots=True)
class Transport:
    """One caller's way to the API. Thread-safe where `http` is. `timeout_seconds` None leaves time limits to `http`."""

    http: HttpCaller
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: float | None = None
    retry: RetryPolicy = RetryPolicy()

    def call(self, method: str, path: str, *, is_idempotent: bool | None = None, **options: Any) -> Any:
        """Send, try again where that is safe, and return the answer of a success. Raises ApiError.

        A call that never reached the server is always sent again; one that the server refused with 429 or 503,
        or whose answer was lost, only where sending it twice does no harm.
        """
        safe = method in {"GET", "PUT", "DELETE"} if is_idempotent is None else is_idempotent
        for attempt in range(1, self.retry.attempts + 1):
            failure, retry_after = self._try(method, path, safe, options)
            if not isinstance(failure, ApiError):
                return failure
            pause = self.retry.pause_seconds(attempt, retry_after)
            if retry_after is None or pause is None:
                break
            self.retry.sleep(pause)
        raise failure

    def _try(self, method: str, path: str, safe: bool, options: dict[str, Any]) -> tuple[Any, str | None]:
        """The answer, or the error and how long to wait; None where another attempt is no use."""
        try:
            answer = self.http.request(method, path, **self._with_defaults(options))
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            return unreachable(error), "0"
        except httpx.TransportError as error:
            return unreachable(error), "0" if safe else None
        if answer.status_code < 400:
            return answer, None
        may_repeat = safe and answer.status_code in {429, 503}
        return refusal(answer), answer.headers.get("Retry-After", "0") if may_repeat else None

    def _with_defaults(self, options: Mapping[str, Any]) -> dict[str, Any]:
        whole = {"timeout": self.timeout_seconds, **options, "headers": {**self.headers, **options.get("headers", {})}}
        if self.timeout_seconds is None:
            del whole["timeout"]
        return whole

    def json(self, method: str, path: str, **options: Any) -> Body:
        """`call`, and the JSON object of the answer (empty for an answer without a body)."""
        answer = self.call(method, path, **options)
        return json.loads(answer.text) if answer.text else {}

    def lines(self, method: str, path: str, **options: Any) -> Iterator[Body]:
        """Send once, and yield the JSON object of each line as it arrives."""
        options["headers"] = {**options.get("headers", {}), "Accept": "application/x-ndjson"}
        try:
            with self.http.stream(method, path, **self._with_defaults({"timeout": None, **options})) as answer:
                if answer.status_code >= 400:
                    answer.read()
                    raise refusal(answer)
                for line in answer.iter_lines():
                    if line.strip():
                        yield json.loads(line)
        except httpx.TransportError as error:
            raise unreachable(error) from error


def refusal(answer: Any) -> ApiError:
    """The server's error body as an ApiError, or a sentence about an answer that is none of ours."""
    try:
        return refusal_of(json.loads(answer.text)["error"], answer.status_code)
    except (ValueError, KeyError, TypeError):
        return ApiError(f"The server answered {answer.status_code} without saying why.", status=answer.status_code)


def refusal_of(error: Mapping[str, Any], status: int) -> ApiError:
    """The ApiError of an error object `{"kind", "message", "request_id", "details"}`."""
    raised = ApiError(
        str(error["message"]),
        status=status,
        kind=str(error.get("kind", "failed")),
        request_id=str(error.get("request_id", "")),
    )
    raised.details = dict(error.get("details") or {})
    return raised


def unreachable(error: Exception) -> ApiError:
    """The sentence for a server that does not answer."""
    if isinstance(error, httpx.TimeoutException):
        return ApiError("The server took too long to answer; try again in a moment.", kind="unreachable")
    return ApiError("The server does not answer; check that it is running, then try again.", kind="unreachable")
