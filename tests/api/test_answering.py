"""Callers who ask the same thing at the same time: one question to the model, whoever of them goes away."""

import asyncio
from collections.abc import Iterator

import pytest

from api.answering import Answer, Answering, Outcome
from api.cache import AnswerCache
from api.measures import Measures
from api.serving import Lineup, Served
from ner.database import utc_now
from registry.rollout import Rollout
from tests.api.test_batches import EchoTagger


class OneVersion:
    """Stable alone."""

    def __init__(self, tagger: EchoTagger) -> None:
        rollout = Rollout(1, "1.0.0", None, None, 0.0, "", "none", "", "system", utc_now())
        self.lineup = Lineup(rollout, Served("1.0.0", "digest", tagger))

    def held(self) -> list[Served]:
        return [served for served in (self.lineup.stable,) if served is not None]


@pytest.fixture
def tagger() -> EchoTagger:
    return EchoTagger()


@pytest.fixture
def answering(tagger: EchoTagger) -> Iterator[Answering]:
    made = Answering(OneVersion(tagger), AnswerCache(b"secret", 10), Measures(), 1, longest_wait_seconds=60)  # type: ignore[arg-type]
    yield made
    tagger.may_go.set()
    made.close()


def _asked(answering: Answering, count: int) -> list["asyncio.Task[Outcome]"]:
    return [asyncio.create_task(answering.answer("John", "key")) for _ in range(count)]


def _tokens(outcome: Outcome) -> int:
    assert isinstance(outcome, Answer)
    return outcome.tagged.tokens


async def test_equal_texts_that_come_together_are_asked_once(answering: Answering, tagger: EchoTagger) -> None:
    assert [_tokens(outcome) for outcome in await asyncio.gather(*_asked(answering, 5))] == [4] * 5
    assert tagger.calls == [["John"]]


async def test_the_others_are_answered_when_whoever_asked_first_goes_away(
    answering: Answering, tagger: EchoTagger
) -> None:
    tagger.may_go.clear()
    busy = asyncio.create_task(answering.answer("keeps the only thread", "key"))
    while not tagger.calls:
        await asyncio.sleep(0)
    first, *others = _asked(answering, 4)
    for _ in range(5):
        await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    tagger.may_go.set()

    async with asyncio.timeout(30):
        assert [_tokens(outcome) for outcome in await asyncio.gather(*others)] == [4] * 3
        await busy
    assert tagger.calls.count(["John"]) == 1


async def test_the_first_is_answered_when_one_of_the_others_goes_away(answering: Answering, tagger: EchoTagger) -> None:
    tagger.may_go.clear()
    first, other = _asked(answering, 2)
    while not tagger.calls:
        await asyncio.sleep(0)
    other.cancel()
    tagger.may_go.set()

    async with asyncio.timeout(30):
        assert _tokens(await first) == 4
