"""What happens to callers when a part of the system dies: nothing. Every part is real, and really killed."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from api import callers
from ner import tables
from ner.database import Database
from ner.migrations import migrate
from ner.predictions import Tagged
from ner.settings import Settings
from tests.api.rooms import Room, open_room
from tests.api.servers import OwnPostgres, OwnRedis

PREDICT = "/api/v1/ner/predict"


@pytest.fixture
def own_redis() -> Iterator[OwnRedis]:
    server = OwnRedis()
    server.start()
    yield server
    server.kill()


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[OwnPostgres]:
    server = OwnPostgres(tmp_path / "postgres")
    server.start()
    yield server
    server.kill()


@contextlib.contextmanager
def _room(settings: Settings, url: str, **changes: object) -> Iterator[Room]:
    store = Database(url)
    migrate(store)
    opened = open_room(settings.model_copy(update=changes), store)
    with opened.client:
        yield opened
    store.close()


@pytest.mark.redis
@pytest.mark.parametrize("death", ["kill", "freeze"])
def test_nobody_notices_when_redis_dies(death: str, settings: Settings, tmp_path: Path, own_redis: OwnRedis) -> None:
    with _room(settings, f"sqlite:///{tmp_path / 'light.db'}", redis_url=own_redis.url) as room:
        room.stable()
        headers = {"X-API-Key": room.key(limit=60)}
        room.predict("John", headers)
        getattr(own_redis, death)()

        answers = [room.predict(f"John {number}", headers) for number in range(20)]
        again = [room.predict(f"John {number}", headers) for number in range(20)]
        refused = [room.client.post(PREDICT, json={"text": "John"}, headers=headers) for _ in range(70)]

    assert [answer["entities"][0]["text"] for answer in answers] == ["John"] * 20
    assert all(answer["cached"] for answer in again)
    # This process counts alone now, and still refuses.
    assert {answer.status_code for answer in refused} == {200, 429}


@pytest.mark.redis
def test_redis_is_used_again_when_it_is_back(
    settings: Settings, tmp_path: Path, own_redis: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.redis_link._REST_SECONDS", 0.0)
    with _room(settings, f"sqlite:///{tmp_path / 'light.db'}", redis_url=own_redis.url) as room:
        room.stable()
        headers = room.headers()
        own_redis.kill()
        room.predict("John", headers)
        own_redis.start()
        room.predict("Ada in Berlin", headers)
        room.client.portal.call(room.app.state.wiring.cache.close)  # type: ignore[union-attr]

        kept = own_redis.dump()

    assert kept.startswith(b"ner:answer:")
    assert b"Berlin" not in kept
    assert b"Ada" not in kept


@pytest.mark.postgres
def test_predictions_go_on_when_the_database_dies_and_their_rows_arrive_once(
    settings: Settings, own_postgres: OwnPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callers, "FRESH_SECONDS", 0.0)
    with _room(settings, own_postgres.url) as room:
        room.stable()
        headers = room.headers()
        asked = [room.predict(f"John {number}", headers)["request_id"] for number in range(50)]
        room.logged()

        own_postgres.kill()
        asked += [room.predict(f"Ada {number}", headers)["request_id"] for number in range(50)]
        with pytest.raises(sa.exc.OperationalError):
            room.logged()
        assert room.client.get("/api/v1/ner/health").status_code == 200
        assert room.app.state.wiring.log.spooled >= 1

        own_postgres.start()
        asked += [room.predict(f"Zoë {number}", headers)["request_id"] for number in range(50)]
        room.logged()
        with room.database.reading() as connection:
            logged = list(connection.scalars(sa.select(tables.predictions.c.request_id)))

    assert sorted(logged) == sorted(asked)


@pytest.mark.postgres
def test_rows_of_a_process_that_died_without_its_database_are_written_by_the_next(
    settings: Settings, own_postgres: OwnPostgres
) -> None:
    with _room(settings, own_postgres.url) as room:
        room.stable()
        headers = room.headers()
        room.predict("John", headers)
        room.logged()
        own_postgres.kill()
        lost = room.predict("Ada", headers)["request_id"]

    own_postgres.start()
    with _room(settings, own_postgres.url) as room:
        room.logged()
        with room.database.reading() as connection:
            logged = list(connection.scalars(sa.select(tables.predictions.c.request_id)))

    assert lost in logged
    assert len(logged) == 2


def test_serving_goes_on_and_starts_anew_when_mlflow_is_gone(settings: Settings, tmp_path: Path) -> None:
    gone = {"mlflow_url": "http://127.0.0.1:1"}
    url = f"sqlite:///{tmp_path / 'light.db'}"
    with _room(settings, url, **gone) as room:
        room.stable()
        headers = room.headers()
        assert room.predict("John", headers)["model_version"] == "1.0.0"

    with _room(settings, url, **gone) as room:
        assert room.predict("John", headers)["model_version"] == "1.0.0"


def test_the_stable_version_answers_when_the_canary_hangs(light_room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.answering._CANARY_SECONDS", 0.05)
    light_room.canary("1.1.0", 100)
    canary = light_room.app.state.wiring.serving.lineup.canary.tagger
    may_go = threading.Event()

    def hang(texts: Sequence[str]) -> list[Tagged]:
        may_go.wait(60)
        return [Tagged((), 0, 0) for _ in texts]

    canary.tag = hang
    answers = [light_room.predict(f"John {number}", light_room.headers()) for number in range(3)]
    alerts = light_room.client.get("/metrics").text
    may_go.set()

    assert {(answer["variant"], answer["degraded"]) for answer in answers} == {("stable", True)}
    assert 'ner_answer_failures_total{variant="canary",version="1.1.0"} 3.0' in alerts


async def test_ten_thousand_callers_at_once_get_their_own_answers(
    light_room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(light_room.app.state.wiring.answering, "_longest_wait_seconds", 600.0)
    headers = light_room.headers()
    nonces = [f"{'x' * (number % 37)} John {number:05d}" for number in range(10_000)]

    async with light_room.asking() as client:
        calls = [client.post(PREDICT, json={"text": nonce}, headers=headers) for nonce in nonces]
        answers = [answer.json() for answer in await asyncio.gather(*calls)]

    found = [(answer["entities"][0]["start"], answer["entities"][0]["text"]) for answer in answers]
    assert found == [(nonce.index("John"), "John") for nonce in nonces]
    assert len({answer["request_id"] for answer in answers}) == 10_000


async def test_what_cannot_be_answered_in_time_is_refused_at_once(light_room: Room) -> None:
    tagger = light_room.app.state.wiring.serving.lineup.stable.tagger
    may_go = threading.Event()
    tag = tagger.tag

    def wait(texts: Sequence[str]) -> list[Tagged]:
        may_go.wait(60)
        found: list[Tagged] = tag(texts)
        return found

    tagger.tag = wait
    long = "John " * 10_000
    headers = light_room.headers()

    async with light_room.asking() as client:

        async def ask(number: int) -> httpx.Response:
            return await client.post(PREDICT, json={"text": f"{number} {long}"}, headers=headers)

        calls = [asyncio.create_task(ask(number)) for number in range(20)]
        refused = await next(asyncio.as_completed(calls))
        may_go.set()
        answers = await asyncio.gather(*calls)

    assert (refused.status_code, refused.json()["error"]["kind"]) == (503, "overloaded")
    assert int(refused.headers["Retry-After"]) >= 1
    assert {answer.status_code for answer in answers} == {200, 503}
