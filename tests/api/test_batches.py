"""Texts that wait together go to the model together, each gets its own answer, and nobody waits for nothing."""

import asyncio
import threading
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.batches import Batches
from ner.predictions import ConfidenceKind, Tagged


class EchoTagger:
    """Answers with the length of each text. Fails at a batch with "poison" in it, and waits where it is told to."""

    labels = ("x",)
    confidence_kind: ConfidenceKind = "none"

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.may_go = threading.Event()
        self.may_go.set()

    def tag(self, texts: Sequence[str]) -> list[Tagged]:
        self.calls.append(list(texts))
        self.may_go.wait(30)
        if any("poison" in text for text in texts):
            raise RuntimeError("broken")
        return [Tagged((), len(text), 0) for text in texts]


@pytest.fixture
def tagger() -> EchoTagger:
    return EchoTagger()


@pytest.fixture
def batches(tagger: EchoTagger) -> Iterator[Batches]:
    made = Batches(tagger, "1.0.0", threads=1)
    yield made
    tagger.may_go.set()
    made.close()


async def _answers(batches: Batches, texts: Sequence[str]) -> list[int | None]:
    answers = await asyncio.gather(*batches.ask(texts))
    return [answer.tokens if answer is not None else None for answer in answers]


async def test_a_lone_text_is_answered_at_once(batches: Batches, tagger: EchoTagger) -> None:
    assert await _answers(batches, ["John"]) == [4]
    assert tagger.calls == [["John"]]


async def test_texts_of_many_callers_go_together_when_they_wait_at_the_same_time(
    batches: Batches, tagger: EchoTagger
) -> None:
    await _answers(batches, ["the first one measures"])
    texts = ["a" * length for length in range(1, 4)]

    answers = await asyncio.gather(*(_answers(batches, [text]) for text in texts))

    assert answers == [[length] for length in range(1, 4)]
    assert tagger.calls[1:] == [texts]


async def test_texts_that_come_one_turn_after_the_other_go_together(batches: Batches, tagger: EchoTagger) -> None:
    await _answers(batches, ["the first one measures"])
    asked = []
    for text in ("a", "bb", "ccc"):
        asked += batches.ask([text])
        await asyncio.sleep(0)

    await asyncio.gather(*asked)

    assert tagger.calls[1:] == [["a", "bb", "ccc"]]


@given(st.lists(st.text("ab", min_size=1) | st.just("poison"), min_size=1, max_size=64))
async def test_a_text_that_breaks_the_model_fails_alone(texts: list[str]) -> None:
    batches = Batches(EchoTagger(), "1.0.0", threads=1)

    assert await _answers(batches, texts) == [None if text == "poison" else len(text) for text in texts]
    assert batches.owed_seconds == 0
    batches.close()


async def test_what_is_owed_grows_with_what_waits_and_ends_with_it(batches: Batches, tagger: EchoTagger) -> None:
    tagger.may_go.clear()
    first = batches.ask(["a" * 1000])
    once = batches.owed_seconds
    second = batches.ask(["a" * 1000])

    assert batches.owed_seconds == pytest.approx(2 * once)
    tagger.may_go.set()
    await asyncio.gather(*first, *second)
    assert batches.owed_seconds == 0


async def test_nobody_is_analysed_who_gave_up_waiting(batches: Batches, tagger: EchoTagger) -> None:
    tagger.may_go.clear()
    running = batches.ask(["first"])
    (impatient,) = batches.ask(["second"])
    impatient.cancel()
    third = batches.ask(["third"])
    tagger.may_go.set()
    await asyncio.gather(*running, *third)

    assert [text for call in tagger.calls for text in call] == ["first", "third"]
    assert batches.owed_seconds == 0


async def test_the_loop_goes_on_while_a_dear_batch_is_in_a_thread(batches: Batches, tagger: EchoTagger) -> None:
    tagger.may_go.clear()
    dear = batches.ask(["a" * 100_000])
    turns = 0
    for _ in range(100):
        await asyncio.sleep(0)
        turns += 1
    tagger.may_go.set()

    assert (turns, await dear[0]) == (100, Tagged((), 100_000, 0))


async def test_a_version_on_trial_never_runs_in_the_loop(batches: Batches, tagger: EchoTagger) -> None:
    await _answers(batches, ["measured"])
    names: list[str] = []
    tag = tagger.tag

    def noted(texts: Sequence[str]) -> list[Tagged]:
        names.append(threading.current_thread().name)
        return tag(texts)

    tagger.tag = noted  # type: ignore[method-assign]
    await asyncio.gather(*batches.ask(["John"], may_run_here=False))
    await asyncio.gather(*batches.ask(["John"]))

    assert names[0].startswith("tagging-1.0.0")
    assert names[1] == threading.current_thread().name
