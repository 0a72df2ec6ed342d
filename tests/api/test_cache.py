"""Answers given again: equal, private, and never of another version."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cache import AnswerCache, _packed, _unpacked
from api.redis_link import RedisLink
from ner.database import Database
from ner.migrations import migrate
from ner.predictions import ScoredSpan, Tagged
from ner.settings import Settings
from tests.api.rooms import Room, open_room

SECRET = b"0123456789abcdef0123456789abcdef"
TAGGED = Tagged((ScoredSpan(0, 4, "per", 0.1 + 0.2),), 4, 1, (5, -6))

spans = st.builds(
    ScoredSpan, st.integers(0, 1000), st.integers(1001, 2000), st.text("abc", min_size=1), st.floats(0, 1)
)


@given(st.builds(Tagged, st.lists(spans, max_size=5).map(tuple), st.integers(0, 9), st.integers(0, 9)))
def test_an_answer_comes_back_as_it_was_put_away(tagged: Tagged) -> None:
    assert _unpacked(_packed(tagged)) == tagged


@pytest.mark.parametrize("damaged", [b"", b"null", b"[]", b"{}", b"[[[1]], 1, 1, []]", b"\xff"])
def test_a_damaged_answer_is_as_good_as_none(damaged: bytes) -> None:
    assert _unpacked(damaged) is None


def test_the_name_of_an_answer_depends_on_everything_that_the_answer_depends_on() -> None:
    cache = AnswerCache(SECRET, 10)
    names = {
        cache.key(version, digest, text)
        for version in ("1.0.0", "1.1.0")
        for digest in ("a", "b")
        for text in ("John", "john", "John ")
    }

    assert len(names) == 12
    assert AnswerCache(b"another secret", 10).key("1.0.0", "a", "John") not in names


async def test_the_oldest_answers_go_when_there_is_no_room() -> None:
    cache = AnswerCache(SECRET, 2)
    keys = [cache.key("1.0.0", "a", text) for text in ("a", "b", "c")]
    cache.put(keys[0], TAGGED)
    cache.put(keys[1], TAGGED)
    assert await cache.find_many(keys[:1]) == {keys[0]: TAGGED}
    cache.put(keys[2], TAGGED)

    assert list(await cache.find_many(keys)) == [keys[0], keys[2]]


async def test_nothing_is_kept_when_the_cache_is_switched_off() -> None:
    cache = AnswerCache(SECRET, 0)
    key = cache.key("1.0.0", "a", "John")
    cache.put(key, TAGGED)

    assert await cache.find_many([key]) == {}


@pytest.mark.redis
async def test_processes_share_answers_through_redis_and_no_text_is_in_it(redis_url: str) -> None:
    import redis.asyncio as redis

    writer, reader = (AnswerCache(SECRET, 10, RedisLink(redis_url)) for _ in range(2))
    key = writer.key("1.0.0", "a", "John Smith lives here")
    writer.put(key, TAGGED)
    await writer.close()

    found = await reader.find_many([key])

    client = redis.Redis.from_url(redis_url)
    names = [name async for name in client.scan_iter("ner:answer:*")]
    kept = b" ".join([await client.get(name) or b"" for name in names] + names)
    await client.delete(*names)
    await client.aclose()
    for cache in (writer, reader):
        assert cache._link is not None
        await cache._link.close()
    assert found == {key: TAGGED}
    assert b"John" not in kept
    assert b"Smith" not in kept


async def test_the_process_goes_on_by_itself_when_redis_is_away() -> None:
    cache = AnswerCache(SECRET, 10, RedisLink("redis://127.0.0.1:1/0"))
    key = cache.key("1.0.0", "a", "John")

    assert await cache.find_many([key]) == {}
    cache.put(key, TAGGED)
    await cache.close()
    assert await cache.find_many([key]) == {key: TAGGED}


def test_no_request_fails_when_redis_is_away(settings: Settings, tmp_path: Path) -> None:
    store = Database(f"sqlite:///{tmp_path / 'away.db'}")
    migrate(store)
    room = open_room(settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"}), store)
    with room.client:
        room.stable()
        headers = {"X-API-Key": room.key(limit=100)}
        answers = [room.predict("John", headers) for _ in range(2)]
    store.close()

    assert [answer["cached"] for answer in answers] == [False, True]


async def test_the_model_is_asked_once_when_a_thousand_ask_the_same_at_the_same_time(light_room: Room) -> None:
    tagger = light_room.app.state.wiring.serving.lineup.stable.tagger
    tagger.calls.clear()

    async with light_room.asking() as client:
        headers = light_room.headers()
        calls = [client.post("/api/v1/ner/predict", json={"text": "John"}, headers=headers) for _ in range(1000)]
        answers = [answer.json() for answer in await asyncio.gather(*calls)]

    assert tagger.calls == [["John"]]
    assert len({answer["request_id"] for answer in answers}) == 1000
    assert all(answer["entities"][0]["text"] == "John" for answer in answers)


def test_nobody_gets_the_answer_to_another_text_when_many_ask_at_the_same_time(light_room: Room) -> None:
    headers = light_room.headers()
    texts = [f"{'x' * (number % 17)} John {number}" for number in range(300)]

    def ask(part: Sequence[str]) -> list[tuple[str, int]]:
        answers = [(text, light_room.predict(text, headers)) for text in part]
        return [(text, answer["entities"][0]["start"]) for text, answer in answers]

    with ThreadPoolExecutor(8) as threads:
        starts = [pair for pairs in threads.map(ask, [texts[first::8] for first in range(8)]) for pair in pairs]

    assert starts == [(text, text.index("John")) for text, _ in starts]
    assert len(starts) == 300


def test_the_link_leaves_redis_alone_for_a_while_after_a_failure() -> None:
    link = RedisLink("redis://127.0.0.1:1/0")
    calls: list[int] = []

    async def fail(_: object) -> None:
        calls.append(1)
        raise ConnectionError

    async def run() -> None:
        for _ in range(3):
            assert await link.ask(fail) is None

    asyncio.run(run())
    assert len(calls) == 1
