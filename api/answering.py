"""From texts to answers: choose the version, look into the cache, run the model, fall back where it fails."""

import asyncio
import dataclasses
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from api.batches import Batches
from api.cache import AnswerCache
from api.measures import Measures
from api.serving import Lineup, Served, Serving
from ner.errors import InvalidInput, NerError, NoServingVersion, Overloaded, TextTooLong
from ner.predictions import Tagged, Tagger, Variant
from registry.rollout import choose_variant

_BUSY = "More is asked than this server can answer; try again in a moment."
# Told to very many, and so made once; what is raised is made anew, because it grows with each raise.
_OVERLOADED = Overloaded(_BUSY, retry_after_seconds=1)
# A version on trial that hangs must not make anybody wait for long.
_CANARY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A version that should have answered and broke, or took too long; `at` as `time.perf_counter` counts."""

    variant: Variant
    version: str
    at: float


@dataclass(slots=True)
class Answer:
    """What is said about a text, who said it, and when (as `time.perf_counter` counts). `stood_in_for`: the variant
    whose turn it was, where another one answered. `failed` names the candidates that should have answered and broke.
    """

    tagged: Tagged
    version: str
    variant: Variant
    cached: bool
    stood_in_for: Variant | None
    at: float
    failed: tuple[Failure, ...] = ()

    @property
    def degraded(self) -> bool:
        """Whether another version answered than the one whose turn it was."""
        return self.stood_in_for is not None


class TaggingFailed(NerError):
    """Every version that may answer failed at this text; `failed` names them."""

    kind = "failed"

    def __init__(self, failed: Sequence[Failure]) -> None:
        super().__init__("No version could analyse this text; the server's log says why.")
        self.failed = tuple(failed)


Outcome = Answer | TaggingFailed


def check_text(text: object, longest: int) -> str:
    """The text, if it can be analysed. Raises InvalidInput, or TextTooLong."""
    if not isinstance(text, str):
        raise InvalidInput("The text must be a string.")
    if len(text) > longest:
        raise TextTooLong(f"The text has {len(text):,} characters; the most this server takes is {longest:,}.")
    if not text or text.isspace():
        raise InvalidInput("The text is empty; send at least one character that is not blank.")
    if not _is_encodable(text):
        raise InvalidInput("The text holds half of a surrogate pair (\\ud800 to \\udfff), which is no character.")
    return text


def checked_text(text: object, longest: int) -> str | NerError:
    """The text if it can be analysed, or the fact that says why not."""
    try:
        return check_text(text, longest)
    except NerError as fact:
        return fact


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class Answering:
    """Answers texts by the lineup of the moment. A text waits for the model `longest_wait_seconds` at most, or is
    refused at once; each version has `threads` threads of its own.
    """

    def __init__(
        self, serving: Serving, cache: AnswerCache, measures: Measures, threads: int, longest_wait_seconds: float = 0.2
    ) -> None:
        self._serving = serving
        self._cache = cache
        self._measures = measures
        self._threads = threads
        self._longest_wait_seconds = longest_wait_seconds
        # Looked through at every request, so that it holds only what may still be asked.
        self._batches: dict[Tagger, Batches] = {}
        self._running: dict[bytes, asyncio.Future[Tagged | None]] = {}

    def close(self) -> None:
        """Finish what runs."""
        for batches in list(self._batches.values()):
            batches.close()

    def overload(self, share: float = 1.0) -> Overloaded | None:
        """What to tell whoever asks while more waits for a model than can be answered in this share of the longest
        wait; None while it can."""
        for batches in self._batches.values():
            if batches.owed_seconds > share * self._longest_wait_seconds:
                return _OVERLOADED
        return None

    def check_load(self) -> None:
        """Raises Overloaded while more waits for a model than can be answered in time."""
        if self.overload() is not None:
            raise Overloaded(_BUSY, retry_after_seconds=1)

    async def answer(self, text: str, key: str) -> Outcome:
        """The answer for one text; `key` decides who meets the canary. Raises NoServingVersion, or Overloaded."""
        lineup = self._serving.lineup
        chosen = choose_variant(lineup.rollout, key)
        failed: tuple[Failure, ...] = ()
        for variant, served in _candidates(lineup, chosen):
            name = self._cache.key(served.version, served.digest, text)
            tagged = await self._cache.find(name)
            cached = tagged is not None
            self._measures.cache_lookups(hits=int(cached), misses=int(not cached))
            if tagged is None:
                tagged = await self._new(served, variant, name, text)
            at = time.perf_counter()
            if tagged is not None:
                stood_in_for = None if variant == chosen else chosen
                return Answer(tagged, served.version, variant, cached, stood_in_for, at, failed)
            failed = (*failed, Failure(variant, served.version, at))
        return TaggingFailed(failed)

    async def answer_batch(self, texts: Sequence[str], key: str | None) -> list[Outcome]:
        """One answer per text, in order; texts go to the model together. A text that breaks it fails alone.

        `key` None lets each text be its own key. Raises NoServingVersion, or Overloaded.
        """
        lineup = self._serving.lineup
        groups: dict[Variant, list[int]] = {}
        for index, text in enumerate(texts):
            groups.setdefault(choose_variant(lineup.rollout, key or text), []).append(index)
        # At the same time, so that no version waits for another one and is blamed for it.
        answered = await asyncio.gather(
            *(self._together(lineup, chosen, [texts[index] for index in indices]) for chosen, indices in groups.items())
        )
        indices = itertools.chain(*groups.values())
        answers = dict(zip(indices, itertools.chain(*answered), strict=True))
        return [answers[index] for index in range(len(texts))]

    async def answer_with(self, served: Served, texts: Sequence[str]) -> list[Outcome]:
        """Answers by one named version, outside of the rollout. Raises Overloaded."""
        lineup = dataclasses.replace(self._serving.lineup, stable=served, previous=None, canary=None)
        return await self._together(lineup, "stable", texts)

    async def _together(self, lineup: Lineup, chosen: Variant, texts: Sequence[str]) -> list[Outcome]:
        """Ask the chosen version, then those that may stand in for it about the texts at which it failed."""
        answers: list[Outcome | None] = [None] * len(texts)
        failed: list[tuple[Failure, ...]] = [()] * len(texts)
        open_places: Sequence[int] = range(len(texts))
        for variant, served in _candidates(lineup, chosen):
            found = await self._found(served, variant, [texts[place] for place in open_places])
            at = time.perf_counter()
            stands_in_for = None if variant == chosen else chosen
            for place, (tagged, cached) in zip(open_places, found, strict=True):
                if tagged is None:
                    failed[place] = (*failed[place], Failure(variant, served.version, at))
                else:
                    answers[place] = Answer(tagged, served.version, variant, cached, stands_in_for, at, failed[place])
            open_places = [place for place in open_places if answers[place] is None]
            if not open_places:
                break
        return [answer or TaggingFailed(failed[place]) for place, answer in enumerate(answers)]

    async def _found(self, served: Served, variant: Variant, texts: Sequence[str]) -> list[tuple[Tagged | None, bool]]:
        """The model's answers, and whether each was known. Equal texts that come together are analysed once."""
        keys = [self._cache.key(served.version, served.digest, text) for text in texts]
        known = await self._cache.find_many(keys)
        self._measures.cache_lookups(hits=len(known), misses=len(texts) - len(known))
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if not missing:
            return [(known[key], True) for key in keys]
        fresh = await self._fresh(served, variant, missing)
        return [(known[key], True) if key in known else (fresh[key], False) for key in keys]

    async def _new(self, served: Served, variant: Variant, key: bytes, text: str) -> Tagged | None:
        """What the model says of one text; None where it fails."""
        if variant == "canary" or key in self._running:
            return (await self._fresh(served, variant, {key: text}))[key]
        (future,) = self._ask(served, variant, [text])
        self._running[key] = future
        try:
            # Not shielded, which would cost as much as everything else in here.
            tagged = await future
        finally:
            self._running.pop(key, None)
        if tagged is not None:
            self._cache.put(key, tagged)
        return tagged

    async def _fresh(self, served: Served, variant: Variant, missing: dict[bytes, str]) -> dict[bytes, Tagged | None]:
        new = {key: text for key, text in missing.items() if key not in self._running}
        if new:
            for key, future in zip(new, self._ask(served, variant, list(new.values())), strict=True):
                self._running[key] = future
                future.add_done_callback(partial(self._came_in, key))
        running = [self._running[key] for key in missing]
        await asyncio.wait(running, timeout=_CANARY_SECONDS if variant == "canary" else None)
        answers: dict[bytes, Tagged | None] = {}
        for (key, text), future in zip(missing.items(), running, strict=True):
            if future.cancelled():  # whoever asked first has gone away
                answers[key] = await self._new(served, variant, key, text)
            else:
                answers[key] = future.result() if future.done() else None
        return answers

    def _ask(self, served: Served, variant: Variant, texts: Sequence[str]) -> list["asyncio.Future[Tagged | None]"]:
        batches = self._batches_of(served)
        if batches.owed_seconds > self._longest_wait_seconds:
            raise Overloaded(_BUSY, retry_after_seconds=1)
        return batches.ask(texts, may_run_here=variant != "canary")

    def _came_in(self, key: bytes, future: "asyncio.Future[Tagged | None]") -> None:
        self._running.pop(key, None)
        tagged = None if future.cancelled() else future.result()
        if tagged is not None:
            self._cache.put(key, tagged)

    def _batches_of(self, served: Served) -> Batches:
        batches = self._batches.get(served.tagger)
        if batches is None:
            self._forget_those_gone()
            batches = self._batches[served.tagger] = Batches(served.tagger, served.version, self._threads)
        return batches

    def _forget_those_gone(self) -> None:
        """Let go of versions that nobody can ask any more: each keeps its model in memory."""
        held = {id(served.tagger) for served in self._serving.held()}
        for tagger, batches in list(self._batches.items()):
            if id(tagger) not in held and batches.owed_seconds == 0:
                del self._batches[tagger]
                batches.close()


def _candidates(lineup: Lineup, chosen: Variant) -> list[tuple[Variant, Served]]:
    candidates = lineup.candidates(chosen)
    if not candidates:
        raise NoServingVersion(lineup.nobody_answers())
    return candidates
