"""Answers that are given again: in this process, and in Redis for all of them.

Keys are an HMAC of version and text, values are offsets, labels and counts: no text leaves the process.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

import orjson

from api.redis_link import RedisLink
from ner.predictions import ScoredSpan, Tagged
from registry.macs import Mac

_KEPT_SECONDS = 3600
_MOST_WRITES = 1_000
_WRITE_SECONDS = 0.01


class AnswerCache:
    """The newest `entries` answers; 0 switches it off, Redis included."""

    def __init__(self, secret: bytes, entries: int, link: RedisLink | None = None) -> None:
        self._mac = Mac(secret)
        self._entries = entries
        self._link = link
        self._known: OrderedDict[bytes, Tagged] = OrderedDict()
        self._asked: dict[bytes, asyncio.Future[Tagged | None]] = {}
        self._written: dict[bytes, Tagged] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    def key(self, version: str, digest: str, text: str) -> bytes:
        """The name of the answer that this package of this version gives to this text."""
        message = b"\0".join((version.encode(), digest.encode(), text.encode("utf-8", "surrogatepass")))
        return self._mac.digest(message)

    async def find(self, key: bytes) -> Tagged | None:
        """The answer, if it is known."""
        tagged = self._known.get(key)
        if tagged is not None:
            self._known.move_to_end(key)
            return tagged
        return (await self.find_many((key,))).get(key) if self._link is not None else None

    async def find_many(self, keys: Sequence[bytes]) -> dict[bytes, Tagged]:
        """The answers that are known."""
        known: dict[bytes, Tagged] = {}
        for key in keys:
            tagged = self._known.get(key)
            if tagged is not None:
                self._known.move_to_end(key)
                known[key] = tagged
        if self._link is None or self._entries == 0 or len(known) == len(keys):
            return known
        return known | await self._shared([key for key in keys if key not in known])

    async def _shared(self, keys: Sequence[bytes]) -> dict[bytes, Tagged]:
        """What Redis knows; everybody who asks in one turn of the event loop asks in one call."""
        loop = asyncio.get_running_loop()
        if not self._asked:
            loop.call_soon(self._send_asked)
        futures = [self._asked.setdefault(key, loop.create_future()) for key in keys]
        answers = [await asyncio.shield(future) for future in futures]
        return {key: tagged for key, tagged in zip(keys, answers, strict=True) if tagged is not None}

    def _send_asked(self) -> None:
        asked, self._asked = self._asked, {}
        self._run(self._ask(asked))

    async def _ask(self, asked: dict[bytes, "asyncio.Future[Tagged | None]"]) -> None:
        assert self._link is not None
        places = [_place(key) for key in asked]
        packed = await self._link.ask(lambda client: client.mget(places)) or [None] * len(places)
        for (key, future), one in zip(asked.items(), packed, strict=True):
            tagged = _unpacked(one) if one is not None else None
            if tagged is not None:
                self._keep(key, tagged)
            if not future.done():
                future.set_result(tagged)

    def put(self, key: bytes, tagged: Tagged) -> None:
        """Keep an answer. Redis is written to in the background, many answers at a time."""
        if self._entries == 0:
            return
        self._keep(key, tagged)
        if self._link is not None and len(self._written) < _MOST_WRITES:
            if not self._written:
                asyncio.get_running_loop().call_later(_WRITE_SECONDS, self._send_written)
            self._written[key] = tagged

    def _send_written(self) -> None:
        written, self._written = self._written, {}
        if self._link is not None and written:
            self._run(self._link.ask(partial(_write, written)))

    def _run(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait for what is being written."""
        self._send_written()
        await asyncio.gather(*self._tasks)

    def _keep(self, key: bytes, tagged: Tagged) -> None:
        self._known[key] = tagged
        if len(self._known) > self._entries:
            self._known.popitem(last=False)


async def _write(written: Mapping[bytes, Tagged], client: Any) -> None:
    pipeline = client.pipeline(transaction=False)
    for key, tagged in written.items():
        pipeline.set(_place(key), _packed(tagged), ex=_KEPT_SECONDS)
    await pipeline.execute()


def _place(key: bytes) -> str:
    return f"ner:answer:{key.hex()}"


def _packed(tagged: Tagged) -> bytes:
    spans = [(span.start, span.end, span.label, span.confidence) for span in tagged.spans]
    return orjson.dumps((spans, tagged.tokens, tagged.unknown_tokens, tagged.word_sample, tagged.expected_entities))


def _unpacked(packed: bytes) -> Tagged | None:
    try:
        spans, tokens, unknown_tokens, word_sample, expected = orjson.loads(packed)
        return Tagged(tuple(ScoredSpan(*span) for span in spans), tokens, unknown_tokens, tuple(word_sample), expected)
    except (ValueError, TypeError):
        return None  # written by other software, or damaged: as good as not there
