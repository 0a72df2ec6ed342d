"""Answers that are given again: in this process, and in Redis for all of them.

Keys are an HMAC of version and text, values are offsets, labels and counts: no text leaves the process.
"""

import asyncio
import hmac
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import orjson

from api.redis_link import RedisLink
from ner.predictions import ScoredSpan, Tagged

_KEPT_SECONDS = 3600
_MOST_WRITES = 1_000


class AnswerCache:
    """The newest `entries` answers; 0 switches it off, Redis included."""

    def __init__(self, secret: bytes, entries: int, link: RedisLink | None = None) -> None:
        self._secret = secret
        self._entries = entries
        self._link = link
        self._known: OrderedDict[bytes, Tagged] = OrderedDict()
        self._writes: set[asyncio.Task[Any]] = set()

    def key(self, version: str, digest: str, text: str) -> bytes:
        """The name of the answer that this package of this version gives to this text."""
        message = b"\0".join((version.encode(), digest.encode(), text.encode("utf-8", "surrogatepass")))
        return hmac.digest(self._secret, message, "sha256")

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
        assert self._link is not None
        places = [_place(key) for key in keys]
        packed = await self._link.ask(lambda client: client.mget(places)) or [None] * len(keys)
        found = {key: _unpacked(one) for key, one in zip(keys, packed, strict=True) if one is not None}
        known = {key: tagged for key, tagged in found.items() if tagged is not None}
        for key, tagged in known.items():
            self._keep(key, tagged)
        return known

    def put(self, key: bytes, tagged: Tagged) -> None:
        """Keep an answer. Redis is written to in the background."""
        if self._entries == 0:
            return
        self._keep(key, tagged)
        link = self._link
        if link is not None and len(self._writes) < _MOST_WRITES:
            packed = _packed(tagged)
            task = asyncio.ensure_future(link.ask(lambda client: client.set(_place(key), packed, ex=_KEPT_SECONDS)))
            self._writes.add(task)
            task.add_done_callback(self._writes.discard)

    async def close(self) -> None:
        """Wait for what is being written."""
        await asyncio.gather(*self._writes)

    def _keep(self, key: bytes, tagged: Tagged) -> None:
        self._known[key] = tagged
        if len(self._known) > self._entries:
            self._known.popitem(last=False)


def _place(key: bytes) -> str:
    return f"ner:answer:{key.hex()}"


def _packed(tagged: Tagged) -> bytes:
    spans = [(span.start, span.end, span.label, span.confidence) for span in tagged.spans]
    return orjson.dumps((spans, tagged.tokens, tagged.unknown_tokens, tagged.word_sample))


def _unpacked(packed: bytes) -> Tagged | None:
    try:
        spans, tokens, unknown_tokens, word_sample = orjson.loads(packed)
        return Tagged(tuple(ScoredSpan(*span) for span in spans), tokens, unknown_tokens, tuple(word_sample))
    except (ValueError, TypeError):
        return None  # written by other software, or damaged: as good as not there
