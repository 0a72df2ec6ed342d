"""Budgets: a sliding hour, the same for all processes where Redis counts."""

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.rates import WINDOW_SECONDS, Rates
from api.redis_link import RedisLink
from ner.database import Database
from ner.errors import RateLimited
from ner.migrations import migrate
from ner.settings import Settings
from tests.api.rooms import Room, open_room


class Clock:
    """Seconds since the epoch, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000_000.0 * WINDOW_SECONDS

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["in process", pytest.param("redis", marks=pytest.mark.redis)])
def link_url(request: pytest.FixtureRequest) -> Iterator[str]:
    return "" if request.param == "in process" else request.getfixturevalue("redis_url")


async def _rates(url: str, clock: Clock) -> tuple[Rates, RedisLink | None]:
    link = RedisLink(url) if url else None
    return Rates(link, clock=clock), link


async def test_a_budget_is_spent_and_comes_back_with_time(link_url: str) -> None:
    clock, caller = Clock(), uuid.uuid4().hex
    rates, link = await _rates(link_url, clock)

    first = [await rates.spend(caller, 10) for _ in range(12)]
    clock.now += WINDOW_SECONDS + WINDOW_SECONDS / 2
    half = [await rates.spend(caller, 10) for _ in range(7)]
    if link is not None:
        await link.close()

    assert [budget.remaining for budget in first] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0]
    assert [budget.is_spent for budget in first] == [False] * 10 + [True] * 2
    # Half of the hour in which ten were counted is still in the window.
    assert [budget.is_spent for budget in half] == [False] * 5 + [True] * 2


async def test_callers_do_not_share_a_budget(link_url: str) -> None:
    rates, link = await _rates(link_url, Clock())
    ada, grace = uuid.uuid4().hex, uuid.uuid4().hex

    budgets = [await rates.spend(caller, 1) for caller in (ada, ada, grace)]
    if link is not None:
        await link.close()

    assert [budget.is_spent for budget in budgets] == [False, True, False]


@pytest.mark.redis
async def test_processes_share_a_budget_when_redis_counts(redis_url: str) -> None:
    caller, clock = uuid.uuid4().hex, Clock()
    (one, first), (other, second) = [await _rates(redis_url, clock) for _ in range(2)]

    spent = [(await rates.spend(caller, 3)).is_spent for rates in (one, other, one, other)]
    for link in (first, second):
        assert link is not None
        await link.close()

    assert spent == [False, False, False, True]


async def test_this_process_counts_alone_when_redis_is_away() -> None:
    rates = Rates(RedisLink("redis://127.0.0.1:1/0"), clock=Clock())

    assert [(await rates.spend("ada", 2)).is_spent for _ in range(3)] == [False, False, True]


@given(
    limit=st.integers(1, 20),
    steps=st.lists(st.floats(0, WINDOW_SECONDS, allow_nan=False), min_size=1, max_size=60),
)
def test_never_more_than_the_limit_in_a_clock_hour_and_retry_after_is_enough(limit: int, steps: list[float]) -> None:
    clock = Clock()
    rates = Rates(clock=clock)
    let_in: dict[int, int] = {}

    async def run() -> None:
        for step in steps:
            clock.now += step
            budget = await rates.spend("ada", limit)
            window = int(clock.now // WINDOW_SECONDS)
            let_in[window] = let_in.get(window, 0) + (not budget.is_spent)
            if budget.is_spent:
                clock.now += budget.retry_after_seconds
                assert not (await rates.spend("ada", limit)).is_spent
                window = int(clock.now // WINDOW_SECONDS)
                let_in[window] = let_in.get(window, 0) + 1

    asyncio.run(run())
    assert max(let_in.values()) <= limit


async def test_a_refusal_says_when_to_come_back() -> None:
    rates = Rates(clock=Clock())
    budget = [await rates.spend("ada", 1) for _ in range(2)][1]

    with pytest.raises(RateLimited, match=r"limit of 1 requests an hour is reached; try again in \d+ s"):
        rates.check(budget)
    assert 0 < budget.retry_after_seconds <= 2 * WINDOW_SECONDS


def test_the_answer_carries_what_is_left_of_the_budget(light_room: Room) -> None:
    headers = {"X-API-Key": light_room.key(limit=2)}
    body = {"text": "John"}

    first, second, third = (light_room.client.post("/api/v1/ner/predict", json=body, headers=headers) for _ in range(3))

    assert [answer.status_code for answer in (first, second, third)] == [200, 200, 429]
    assert [answer.headers["RateLimit-Remaining"] for answer in (first, second, third)] == ["1", "0", "0"]
    assert {answer.headers["RateLimit-Limit"] for answer in (first, second, third)} == {"2"}
    assert 0 < int(third.headers["RateLimit-Reset"]) <= WINDOW_SECONDS
    assert int(third.headers["Retry-After"]) == third.json()["error"]["details"]["retry_after_seconds"]
    assert third.json()["error"]["kind"] == "rate_limited"


@pytest.mark.redis
async def test_four_processes_let_in_the_limit_and_hardly_less_when_redis_counts(redis_url: str) -> None:
    caller, clock, limit = uuid.uuid4().hex, Clock(), 5_000
    links = [RedisLink(redis_url) for _ in range(4)]
    processes = [Rates(link, clock=clock) for link in links]

    async def use(rates: Rates) -> int:
        return sum([not (await rates.spend(caller, limit)).is_spent for _ in range(2_000)])

    let_in = sum(await asyncio.gather(*(use(rates) for rates in processes)))
    for link in links:
        await link.close()

    assert 0.98 * limit <= let_in <= limit


def test_a_role_has_a_budget_when_the_settings_give_it_one(settings: Settings, tmp_path: Path) -> None:
    store = Database(f"sqlite:///{tmp_path / 'roles.db'}")
    migrate(store)
    room = open_room(settings.model_copy(update={"role_rate_limits": {"viewer": 2}}), store)
    with room.client:
        viewer, engineer = room.headers("viewer"), room.headers("engineer")
        own = {"X-API-Key": room.key("viewer", limit=3)}
        statuses = {
            name: [room.client.get("/api/v1/session", headers=headers).status_code for _ in range(4)]
            for name, headers in (("viewer", viewer), ("engineer", engineer), ("own", own))
        }
    store.close()

    assert statuses == {"viewer": [200, 200, 429, 429], "engineer": [200] * 4, "own": [200, 200, 200, 429]}


def test_a_key_without_a_limit_has_no_budget(light_room: Room) -> None:
    answer = light_room.client.get("/api/v1/session", headers=light_room.headers())

    assert "RateLimit-Limit" not in answer.headers


def test_health_can_be_asked_without_a_key_and_without_a_budget(light_room: Room) -> None:
    assert "RateLimit-Limit" not in light_room.client.get("/api/v1/ner/health").headers
