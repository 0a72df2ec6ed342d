"""Requests that no version answered, counted where they happen: at three times what a server can do there are two of
them for each answer, and what each costs is taken from the answers."""

import datetime as dt
import threading
import time
from bisect import bisect_left
from typing import TypeAlias

from registry.logged import RefusedRequests
from registry.rollups import LATENCY_EDGES_MS, MINUTE_SECONDS

_Kind: TypeAlias = tuple[int, int, int]
"""Minutes since the epoch, status, and the place of the latency among the edges."""


class RefusalTally:
    """Counts by minute, status and latency. Safe to share between threads."""

    def __init__(self) -> None:
        self._counts: dict[_Kind, int] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, status: int, latency_ms: float) -> None:
        """Count one request, now."""
        place = min(bisect_left(LATENCY_EDGES_MS, latency_ms), len(LATENCY_EDGES_MS) - 1)
        kind = int(time.time() // MINUTE_SECONDS), status, place
        with self._lock:
            self._counts[kind] = self._counts.get(kind, 0) + 1

    def take(self) -> list[RefusedRequests]:
        """What was counted since the last time."""
        with self._lock:
            counts, self._counts = self._counts, {}
        return [
            RefusedRequests(
                dt.datetime.fromtimestamp(minute * MINUTE_SECONDS, dt.UTC), status, LATENCY_EDGES_MS[place], count
            )
            for (minute, status, place), count in counts.items()
        ]
