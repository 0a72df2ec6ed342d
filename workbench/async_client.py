"""The answering half of the API for asynchronous programs, with the same promises as `ApiClient`.

from workbench.async_client import AsyncApiClient

async with AsyncApiClient("http://127.0.0.1:8000", api_key="...") as api:
    for entity in (await api.predict("John lives in New York"))["entities"]:
        print(entity["label"], entity["text"])
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import quote

import httpx

from workbench.api_answers import TIMEOUT_SECONDS, Prediction
from workbench.api_operations import given
from workbench.api_transport import ApiError, Body, RetryPolicy, refusal, unreachable

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Attempt:
    """An answer, or the error and how long the server asked to wait; None where another attempt is no use."""

    answer: httpx.Response | None
    error: ApiError | None = None
    retry_after: str | None = None


class AsyncApiClient:
    """One caller of the API; safe to share between tasks. Close it, or use it as a context.

    What failed is sent again after a random pause, where sending it twice does no harm. Every method raises ApiError.
    """

    def __init__(
        self,
        http: str | httpx.AsyncClient = "http://127.0.0.1:8000",
        *,
        api_key: str | None = None,
        token: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._http = httpx.AsyncClient(base_url=http, timeout=timeout_seconds) if isinstance(http, str) else http
        self._headers = {"X-API-Key": api_key} if api_key else {}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._retry = retry
        self._sleep = sleep

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Give back the connections."""
        await self._http.aclose()

    async def predict(self, text: str, *, document_key: str | None = None) -> Prediction:
        """The entities of a text, as production traffic is answered."""
        body = given({"text": text, "document_key": document_key})
        return cast(Prediction, await self._json("POST", "ner/predict", body))

    async def predict_batch(self, texts: Sequence[str], *, document_key: str | None = None) -> list[Prediction | Body]:
        """One answer per text, in order; a text that was refused has `{"error": ...}` in its place."""
        body = given({"texts": list(texts), "document_key": document_key})
        return cast(list[Prediction | Body], (await self._json("POST", "ner/batch", body))["results"])

    async def predict_with(self, version: str, text: str) -> Prediction:
        """The entities of a text by one named version, outside of the rollout."""
        return cast(Prediction, await self._json("POST", f"versions/{quote(version)}/predict", {"text": text}))

    async def health(self) -> Body:
        """Which versions answer, and whether the server is whole."""
        return await self._json("GET", "ner/health")

    async def metrics(self) -> Body:
        """Latencies in ms, throughput, error rate and cache hits of the last minutes."""
        return await self._json("GET", "ner/metrics")

    async def _json(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Body:
        """Every call here may be sent twice without harm."""
        for number in range(1, self._retry.attempts + 1):
            attempt = await self._try(method, f"/api/v1/{path}", body)
            if attempt.answer is not None:
                return cast(Body, json.loads(attempt.answer.text))
            pause = self._retry.pause_seconds(number, attempt.retry_after)
            if attempt.retry_after is None or pause is None:
                break
            await self._sleep(pause)
        assert attempt.error is not None
        raise attempt.error

    async def _try(self, method: str, path: str, body: Mapping[str, Any] | None) -> _Attempt:
        try:
            answer = await self._http.request(method, path, json=body, headers=self._headers)
        except httpx.TransportError as error:
            return _Attempt(None, unreachable(error), "0")
        if answer.status_code < 400:
            return _Attempt(answer)
        may_repeat = answer.status_code in {429, 503}
        return _Attempt(None, refusal(answer), answer.headers.get("Retry-After", "0") if may_repeat else None)
