"""From texts to answers: choose the version, look into the cache, run the model, fall back where it fails."""

import asyncio
import dataclasses
import logging
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from api.cache import AnswerCache
from api.measures import Measures
from api.serving import Lineup, Served, Serving
from ner.errors import InvalidInput, NerError, NoServingVersion, TextTooLong
from ner.predictions import Tagged, Variant
from registry.rollout import choose_variant

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said about a text, and who said it. `failed` names the candidates that should have answered and broke."""

    tagged: Tagged
    version: str
    variant: Variant
    cached: bool
    degraded: bool
    failed: tuple[tuple[Variant, str], ...] = ()


class TaggingFailed(NerError):
    """Every version that may answer failed at this text; `failed` names them."""

    kind = "failed"

    def __init__(self, failed: Sequence[tuple[Variant, str]]) -> None:
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
    """Answers texts by the lineup of the moment; models run in `threads` threads of their own."""

    def __init__(self, serving: Serving, cache: AnswerCache, measures: Measures, threads: int) -> None:
        self._serving = serving
        self._cache = cache
        self._measures = measures
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="tagging")
        self._running: dict[bytes, asyncio.Future[list[Tagged] | None]] = {}

    def close(self) -> None:
        """Finish what runs."""
        self._threads.shutdown()

    async def answer(self, text: str, key: str) -> Outcome:
        """The answer for one text; `key` decides who meets the canary. Raises NoServingVersion."""
        lineup = self._serving.lineup
        return await self._one(lineup, choose_variant(lineup.rollout, key), text)

    async def answer_batch(self, texts: Sequence[str], key: str | None) -> list[Outcome]:
        """One answer per text, in order; one call of the model per variant. A text that breaks it fails alone.

        `key` None lets each text be its own key. Raises NoServingVersion.
        """
        lineup = self._serving.lineup
        groups: dict[Variant, list[int]] = {}
        for index, text in enumerate(texts):
            groups.setdefault(choose_variant(lineup.rollout, key or text), []).append(index)
        answers: dict[int, Outcome] = {}
        for chosen, indices in groups.items():
            answered = await self._together(lineup, chosen, [texts[index] for index in indices])
            answers.update(zip(indices, answered, strict=True))
        return [answers[index] for index in range(len(texts))]

    async def answer_with(self, served: Served, texts: Sequence[str]) -> list[Outcome]:
        """Answers by one named version, outside of the rollout."""
        lineup = dataclasses.replace(self._serving.lineup, stable=served, previous=None, canary=None)
        return await self._together(lineup, "stable", texts)

    async def _one(self, lineup: Lineup, chosen: Variant, text: str) -> Outcome:
        failed: list[tuple[Variant, str]] = []
        for variant, served in _candidates(lineup, chosen):
            tagged, cached = await self._tagged(served, text)
            if tagged is not None:
                return Answer(tagged, served.version, variant, cached, variant != chosen, tuple(failed))
            failed.append((variant, served.version))
        return TaggingFailed(failed)

    async def _together(self, lineup: Lineup, chosen: Variant, texts: Sequence[str]) -> list[Outcome]:
        variant, served = _candidates(lineup, chosen)[0]
        found = await self._tagged_together(served, texts)
        answers: list[Outcome] = []
        for text, (tagged, cached) in zip(texts, found, strict=True):
            if tagged is not None:
                answers.append(Answer(tagged, served.version, variant, cached, variant != chosen))
            else:
                answers.append(await self._one(lineup, chosen, text))
        return answers

    async def _tagged(self, served: Served, text: str) -> tuple[Tagged | None, bool]:
        """The model's answer, and whether it was known. Equal texts that come together are analysed once."""
        key = self._cache.key(served.version, served.digest, text)
        known = await self._look_up(key)
        if known is not None:
            return known, True
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = asyncio.ensure_future(self._run(served, [text]))
            running.add_done_callback(lambda _: self._running.pop(key, None))
        tagged = await asyncio.shield(running)
        if tagged is None:
            return None, False
        self._cache.put(key, tagged[0])
        return tagged[0], False

    async def _tagged_together(self, served: Served, texts: Sequence[str]) -> list[tuple[Tagged | None, bool]]:
        keys = [self._cache.key(served.version, served.digest, text) for text in texts]
        known = [await self._look_up(key) for key in keys]
        missing = [index for index, tagged in enumerate(known) if tagged is None]
        fresh = await self._run(served, [texts[index] for index in missing]) if missing else []
        found: list[tuple[Tagged | None, bool]] = [(tagged, tagged is not None) for tagged in known]
        for index, tagged in zip(missing, fresh or (), strict=fresh is not None):
            self._cache.put(keys[index], tagged)
            found[index] = (tagged, False)
        return found

    async def _look_up(self, key: bytes) -> Tagged | None:
        known = await self._cache.find(key)
        self._measures.cache_lookup(hit=known is not None)
        return known

    async def _run(self, served: Served, texts: Sequence[str]) -> list[Tagged] | None:
        """What the model says, or None when it fails; what failed is logged without the text."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, served.tagger.tag, texts)
        except Exception as error:
            where = "".join(traceback.format_tb(error.__traceback__))
            _LOG.error("Version %s failed with %s:\n%s", served.version, type(error).__name__, where)
            return None


def _candidates(lineup: Lineup, chosen: Variant) -> list[tuple[Variant, Served]]:
    candidates = lineup.candidates(chosen)
    if not candidates:
        raise NoServingVersion("No version answers yet; train one and promote it, then ask again.")
    return candidates
