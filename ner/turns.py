"""Whose turn it is: a lock that serves those who wait in the order in which they came."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """SQLite lets writers in by chance, and one of twenty may wait forever; here nobody is passed over.

    Whoever has waited for `seconds` goes on without a turn, and meets the database's own lock.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._guard = threading.Lock()
        self._is_taken = False
        self._waiting: deque[threading.Event] = deque()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the turn while the block runs."""
        has_turn = self._take()
        try:
            yield
        finally:
            if has_turn:
                self._give_on()

    def _take(self) -> bool:
        with self._guard:
            if not self._is_taken:
                self._is_taken = True
                return True
            mine = threading.Event()
            self._waiting.append(mine)
        if mine.wait(self._seconds):
            return True
        with self._guard:
            if mine.is_set():
                return True
            self._waiting.remove(mine)
            return False

    def _give_on(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._is_taken = False
