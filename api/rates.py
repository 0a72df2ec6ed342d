"""How often a caller may ask: a sliding window of one hour, counted in Redis for all processes, or in this one.

The window slides over two fixed hours: what was counted in the hour before weighs by the part of it that the window
still covers. Exact at the borders, smooth between them, and two numbers per caller.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from api.exchange import Budget
from api.redis_link import RedisLink
from ner.errors import RateLimited

WINDOW_SECONDS = 3600
_REMEMBERED = 100_000
# A caller's lease is this part of the limit.
_LEASES_AN_HOUR = 500
_SCRIPT = """
local count = tonumber(redis.call('GET', KEYS[1]) or '0')
local before = tonumber(redis.call('GET', KEYS[2]) or '0')
local room = math.floor(tonumber(ARGV[2]) - before * tonumber(ARGV[1]) - count)
local granted = math.max(0, math.min(room, tonumber(ARGV[3])))
if granted > 0 then
    redis.call('INCRBY', KEYS[1], granted)
    redis.call('EXPIRE', KEYS[1], ARGV[4])
end
return {count + granted, before, granted}
"""


@dataclass(slots=True)
class _Lease:
    """Requests that this process may let in without asking. `count`: of all processes, this lease included."""

    window: int
    count: int
    before: int
    left: int
    is_refusal: bool


@dataclass(slots=True)
class _Counts:
    window: int
    count: int = 0
    before: int = 0


class Rates:
    """Budgets by caller. `clock` gives seconds since the epoch, the same on every machine."""

    def __init__(self, link: RedisLink | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self._link = link
        self._clock = clock
        self._counts: OrderedDict[str, _Counts] = OrderedDict()
        self._leases: OrderedDict[str, _Lease] = OrderedDict()
        self._leasing: dict[str, asyncio.Future[_Lease | None]] = {}

    async def spend(self, caller: str, limit: int) -> Budget:
        """Take one request from the caller's hour, unless it is spent; a refused request costs nothing."""
        now = self._clock()
        window, elapsed = int(now // WINDOW_SECONDS), (now % WINDOW_SECONDS) / WINDOW_SECONDS
        counted = await self._shared(caller, window, elapsed, limit) if self._link is not None else None
        if counted is None:
            counted = self._local(caller, window, elapsed, limit)
        return _budget(counted, elapsed, limit)

    @staticmethod
    def check(budget: Budget) -> None:
        """Raises RateLimited when the budget is spent."""
        if budget.is_spent:
            raise RateLimited(
                f"The limit of {budget.limit:,} requests an hour is reached; "
                f"try again in {budget.retry_after_seconds} s, or ask for a key with a higher limit.",
                retry_after_seconds=budget.retry_after_seconds,
            )

    def _local(self, caller: str, window: int, elapsed: float, limit: int) -> tuple[int, int, bool]:
        counts = self._counts.get(caller)
        if counts is None or counts.window < window:
            before = counts.count if counts is not None and counts.window == window - 1 else 0
            counts = self._counts[caller] = _Counts(window, before=before)
            self._counts.move_to_end(caller)
            if len(self._counts) > _REMEMBERED:
                self._counts.popitem(last=False)
        is_spent = counts.before * (1 - elapsed) + counts.count + 1 > limit
        counts.count += not is_spent
        return counts.count, counts.before, is_spent

    async def _shared(self, caller: str, window: int, elapsed: float, limit: int) -> tuple[int, int, bool] | None:
        while True:
            lease = self._leases.get(caller)
            if lease is None or lease.window != window or not lease.left:
                lease = await self._lease(caller, window, elapsed, limit)
                if lease is None:
                    return None
                if not lease.left and lease.is_refusal:
                    return lease.count, lease.before, True
            if lease.left:
                lease.left -= 1
                return lease.count - lease.left, lease.before, False

    async def _lease(self, caller: str, window: int, elapsed: float, limit: int) -> _Lease | None:
        """A new lease from Redis; those who need one for the same caller at the same time share it."""
        running = self._leasing.get(caller)
        if running is None:
            running = asyncio.ensure_future(self._ask_for_lease(caller, window, elapsed, limit))
            self._leasing[caller] = running
            running.add_done_callback(lambda _: self._leasing.pop(caller, None))
        return await asyncio.shield(running)

    async def _ask_for_lease(self, caller: str, window: int, elapsed: float, limit: int) -> _Lease | None:
        assert self._link is not None
        keys = (f"ner:rate:{caller}:{window}", f"ner:rate:{caller}:{window - 1}")
        wanted = max(1, limit // _LEASES_AN_HOUR)

        async def count(client: Any) -> list[int]:
            answer: list[int] = await client.eval(_SCRIPT, 2, *keys, 1 - elapsed, limit, wanted, 2 * WINDOW_SECONDS)
            return answer

        counted = await self._link.ask(count)
        if counted is None:
            return None
        lease = self._leases[caller] = _Lease(window, counted[0], counted[1], counted[2], not counted[2])
        self._leases.move_to_end(caller)
        if len(self._leases) > _REMEMBERED:
            self._leases.popitem(last=False)
        return lease


def _budget(counted: tuple[int, int, bool], elapsed: float, limit: int) -> Budget:
    count, before, is_spent = counted
    reset = math.ceil((1 - elapsed) * WINDOW_SECONDS)
    if is_spent:
        return Budget(limit, 0, reset, True, _seconds_until_free(count, before, elapsed, limit))
    remaining = max(0, math.floor(limit - count - before * (1 - elapsed)))
    return Budget(limit, remaining, reset, False)


def _seconds_until_free(count: int, before: int, elapsed: float, limit: int) -> int:
    """When the weight of the hour before, or in the next hour of this one, has fallen far enough for one request."""
    if count < limit:
        needed = 1 - (limit - count - 1) / before
        return max(1, math.ceil((needed - elapsed) * WINDOW_SECONDS))
    needed = 1 - (limit - 1) / count
    return max(1, math.ceil((1 - elapsed + needed) * WINDOW_SECONDS))
