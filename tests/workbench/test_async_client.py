"""The asynchronous client: the same answers, the same errors, the same patience."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.api.conftest import light_room as light_room
from tests.api.rooms import Room
from workbench.api_client import ApiError, AsyncApiClient, RetryPolicy

BUSY = {"error": {"kind": "overloaded", "message": "Too busy.", "request_id": "r", "details": {}}}


class Server:
    """Gives its answers in turn, the last one for ever; its client does not really sleep."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests = 0
        self.pauses: list[float] = []

    def answer(self, _: httpx.Request) -> httpx.Response:
        self.requests += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, attempts: int = 4) -> AsyncApiClient:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self.answer), base_url="http://api")
        retry = RetryPolicy(attempts=attempts, chance=lambda: 1.0)

        async def sleep(seconds: float) -> None:
            self.pauses.append(seconds)

        return AsyncApiClient(http, api_key="a key", retry=retry, sleep=sleep)


@pytest.fixture
async def api(light_room: Room) -> AsyncIterator[AsyncApiClient]:
    http = httpx.AsyncClient(transport=httpx.ASGITransport(light_room.app), base_url="http://workbench.test")
    async with AsyncApiClient(http, api_key=light_room.key()) as client:
        yield client


async def test_many_texts_are_answered_at_the_same_time(api: AsyncApiClient) -> None:
    answers = await asyncio.gather(*(api.predict(f"John {number}") for number in range(50)))
    assert [answer["entities"][0]["label"] for answer in answers] == ["per"] * 50


async def test_a_bad_text_fails_alone_when_it_is_in_a_batch(api: AsyncApiClient) -> None:
    good, bad = await api.predict_batch(["Berlin", ""])
    assert good["model_version"] == "1.0.0"
    assert "error" in bad


async def test_health_metrics_and_a_named_version_answer(api: AsyncApiClient) -> None:
    assert (await api.health())["status"] == "healthy"
    assert (await api.predict_with("1.0.0", "John"))["model_version"] == "1.0.0"
    assert (await api.metrics())["requests"] >= 0


async def test_the_error_is_the_servers_sentence(api: AsyncApiClient) -> None:
    with pytest.raises(ApiError, match="The text is empty") as raised:
        await api.predict("")
    assert raised.value.status == 422


FAILURES: dict[str, list[Any]] = {
    "the server is busy": [httpx.Response(503, json=BUSY), httpx.Response(503, json=BUSY)],
    "the server was not reached": [httpx.ConnectError("refused"), httpx.ConnectError("refused")],
    "the answer was lost": [httpx.ReadError("gone"), httpx.ReadTimeout("slow")],
}


@pytest.mark.parametrize("failures", FAILURES.values(), ids=FAILURES)
async def test_a_call_is_sent_again_with_longer_pauses_when(failures: list[Any]) -> None:
    server = Server(*failures, httpx.Response(200, json={"status": "healthy"}))
    async with server.client() as client:
        assert await client.health() == {"status": "healthy"}
    assert server.pauses == [0.1, 0.2]


async def test_the_server_decides_the_pause_when_it_says_retry_after() -> None:
    busy = httpx.Response(429, json=BUSY, headers={"Retry-After": "2"})
    server = Server(busy, httpx.Response(200, json={}))
    async with server.client() as client:
        await client.health()
    assert server.pauses == [2.1]


@pytest.mark.parametrize("status", [401, 403, 404, 422, 500])
async def test_a_call_is_sent_once_when_sending_it_again_is_no_use(status: int) -> None:
    server = Server(httpx.Response(status, json=BUSY))
    async with server.client() as client:
        with pytest.raises(ApiError):
            await client.predict("John")
    assert server.requests == 1


async def test_it_gives_up_when_every_attempt_fails() -> None:
    server = Server(httpx.ConnectError("refused"))
    async with server.client(attempts=3) as client:
        with pytest.raises(ApiError, match="does not answer"):
            await client.health()
    assert server.requests == 3
