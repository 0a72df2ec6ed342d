"""When a call is sent again, when it is not, and what the caller hears in the end."""

from collections.abc import Callable

import httpx
import pytest

from workbench.api_client import ApiClient, ApiError, RetryPolicy

Answer = Callable[[httpx.Request], httpx.Response]
REFUSED = {
    "error": {"kind": "conflict", "message": "There is no canary to promote.", "request_id": "r1", "details": {}}
}


class Server:
    """A server that gives its answers in turn, the last one for ever, and remembers what it was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.pauses: list[float] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, attempts: int = 4) -> ApiClient:
        http = httpx.Client(transport=httpx.MockTransport(self.answer), base_url="http://api")
        retry = RetryPolicy(attempts=attempts, sleep=self.pauses.append, chance=lambda: 1.0)
        return ApiClient(http, api_key="a key", retry=retry)


def healthy() -> httpx.Response:
    return httpx.Response(200, json={"status": "healthy"})


def busy(**headers: str) -> httpx.Response:
    body = {"error": {"kind": "overloaded", "message": "Too busy.", "request_id": "r2", "details": {}}}
    return httpx.Response(503, json=body, headers=headers)


def test_a_read_is_sent_again_with_longer_pauses_when_the_server_is_busy() -> None:
    server = Server(busy(), busy(), healthy())
    assert server.client().health() == {"status": "healthy"}
    assert server.pauses == [0.1, 0.2]


def test_pauses_are_random_when_many_callers_fail_at_once() -> None:
    policy = RetryPolicy()
    pauses = {policy.pause_seconds(2) for _ in range(20)}
    assert len(pauses) > 10
    assert all(pause is not None and 0 <= pause <= 0.2 for pause in pauses)


def test_the_server_decides_the_pause_when_it_says_retry_after() -> None:
    server = Server(busy(**{"Retry-After": "2"}), healthy())
    server.client().health()
    assert server.pauses == [2.1]


def test_the_call_fails_at_once_when_the_server_asks_for_a_long_pause() -> None:
    server = Server(busy(**{"Retry-After": "1800"}))
    with pytest.raises(ApiError, match="Too busy"):
        server.client().health()
    assert len(server.requests) == 1


@pytest.mark.parametrize("call", [lambda api: api.roll_back(), lambda api: api.start_run("news", "bilstm_crf.v1")])
def test_a_decision_is_sent_once_when_the_server_refuses_it(call: Callable[[ApiClient], object]) -> None:
    server = Server(busy())
    with pytest.raises(ApiError):
        call(server.client())
    assert len(server.requests) == 1


def test_a_decision_is_sent_once_when_its_answer_is_lost() -> None:
    server = Server(httpx.ReadError("gone"))
    with pytest.raises(ApiError, match="does not answer"):
        server.client().promote("1.1.0")
    assert len(server.requests) == 1


def test_every_call_is_sent_again_when_the_server_was_never_reached() -> None:
    server = Server(httpx.ConnectError("refused"), httpx.Response(200, json={"stable": "1.0.0"}))
    assert server.client().roll_back() == {"stable": "1.0.0"}


def test_it_gives_up_when_every_attempt_fails() -> None:
    server = Server(httpx.ConnectError("refused"))
    with pytest.raises(ApiError, match="check that it is running") as raised:
        server.client(attempts=3).health()
    assert raised.value.status == 0
    assert len(server.requests) == 3


def test_the_error_is_the_servers_sentence_when_it_refuses() -> None:
    with pytest.raises(ApiError, match="There is no canary to promote") as raised:
        Server(httpx.Response(409, json=REFUSED)).client().promote()
    assert (raised.value.status, raised.value.kind, raised.value.request_id) == (409, "conflict", "r1")


def test_the_error_names_the_status_when_the_answer_is_not_ours() -> None:
    with pytest.raises(ApiError, match="answered 502"):
        Server(httpx.Response(502, text="<html>Bad gateway</html>")).client(attempts=1).health()


def test_a_sentence_says_so_when_the_server_is_too_slow() -> None:
    with pytest.raises(ApiError, match="too long"):
        Server(httpx.ReadTimeout("slow")).client(attempts=1).health()


def test_the_key_is_sent_with_every_call() -> None:
    server = Server(healthy())
    server.client().health()
    assert server.requests[0].headers["X-API-Key"] == "a key"


def test_nothing_was_imported_when_the_server_breaks_off() -> None:
    server = Server(httpx.Response(200, text='{"progress": {"done": 1, "total": 2}}\n'))
    with pytest.raises(ApiError, match="nothing was imported"):
        server.client().import_file("news", b"...", filename="news.jsonl")
