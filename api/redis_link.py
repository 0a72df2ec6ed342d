"""Redis as something that may be away: a call that fails gives None, and the next ones do not wait for it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

_TIMEOUT_SECONDS = 0.1
_REST_SECONDS = 3.0
_LOG = logging.getLogger(__name__)
T = TypeVar("T")


class RedisLink:
    """One client per process. After a failure Redis is left alone for a few seconds."""

    def __init__(self, url: str) -> None:
        # Costs a tenth of what is imported at the start, and most installations do without.
        import redis.asyncio as redis

        self._errors = (redis.RedisError, OSError, TimeoutError)
        self._client: Any = redis.Redis.from_url(
            url, socket_timeout=_TIMEOUT_SECONDS, socket_connect_timeout=_TIMEOUT_SECONDS, max_connections=64
        )
        self._resting_until = 0.0

    async def ask(self, operation: Callable[[Any], Awaitable[T]]) -> T | None:
        """The operation's result, or None where Redis does not answer in time. Never raises for Redis' sake."""
        if time.monotonic() < self._resting_until:
            return None
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS * 2):
                return await operation(self._client)
        except self._errors as error:
            self._resting_until = time.monotonic() + _REST_SECONDS
            _LOG.warning("Redis does not answer (%s); this process goes on without it.", type(error).__name__)
            return None

    async def close(self) -> None:
        """Give back the connections."""
        await self._client.aclose()
