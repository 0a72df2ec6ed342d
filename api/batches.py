"""One version's tagger shared by everybody who waits for it: texts that wait together are analysed together.

Together, texts cost half of what they cost alone. So a batch waits while others still come, and for a moment (0.3 ms)
while fewer are there than lately came together; who comes alone goes at once. Batches are bounded by what they cost,
measured while they run. Cheap ones run in the event loop itself, where a hop to a thread would cost as much as the
model; dear ones, and those of a version on trial, run in threads.
"""

import asyncio
import logging
import time
import traceback
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from ner.predictions import Tagged, Tagger

INLINE_SECONDS = 0.0015
"""The longest that a batch may keep the event loop to itself, by estimate."""
_LINGER_SECONDS = 0.0003
_THREAD_SECONDS = 0.02
_MOST_TEXTS = 64
# What a text costs beside its characters, in characters.
_OVERHEAD = 32
_WEIGHT = 0.2
_FIRST_GUESS = 5e-6
_LOG = logging.getLogger(__name__)


class _Waiting(NamedTuple):
    text: str
    answer: "asyncio.Future[Tagged | None]"
    size: int


class Batches:
    """Runs `tagger`; `threads` is how many batches may be in threads at a time. Belongs to one event loop."""

    def __init__(self, tagger: Tagger, version: str, threads: int) -> None:
        self._tagger = tagger
        self._version = version
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=f"tagging-{version}")
        self._free_threads = threads
        self._here: deque[_Waiting] = deque()
        self._there: deque[_Waiting] = deque()
        self._is_called = False
        self._has_news, self._news_at, self._company = False, 0.0, 1.0
        self._seconds_per_size = _FIRST_GUESS
        self._is_measured = False
        self._owed = 0
        self._pace = _FIRST_GUESS
        self._settled_at = 0.0

    @property
    def owed_seconds(self) -> float:
        """How long everything that is asked and not answered yet will take, at the pace of the last answers.

        The pace counts what the event loop does between batches too, so it holds when the loop has much else to do.
        """
        return self._owed * self._pace

    def close(self) -> None:
        """Finish what runs in threads; what waits is not answered."""
        self._settle([*self._there, *self._here], [None] * (len(self._there) + len(self._here)))
        self._there.clear()
        self._here.clear()
        self._threads.shutdown()

    def ask(self, texts: Sequence[str], *, may_run_here: bool = True) -> list["asyncio.Future[Tagged | None]"]:
        """For each text the future of its answer: None where the tagger fails at this text."""
        loop = asyncio.get_running_loop()
        asked = [_Waiting(text, loop.create_future(), len(text) + _OVERHEAD) for text in texts]
        size = sum(one.size for one in asked)
        if self._owed == 0:
            self._settled_at = time.perf_counter()
        self._owed += size
        if may_run_here and self._is_measured and size * self._seconds_per_size <= INLINE_SECONDS:
            self._here.extend(asked)
            self._has_news = True
            self._call(loop)
        else:
            self._there.extend(asked)
            self._fill_threads(loop)
        return [one.answer for one in asked]

    def _call(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._is_called and self._here:
            self._is_called = True
            loop.call_soon(self._run_here, loop)

    def _run_here(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._is_worth_waiting():
            loop.call_soon(self._run_here, loop)
            return
        self._is_called = False
        batch = self._next(self._here, INLINE_SECONDS)
        if batch:
            self._company += _WEIGHT * (len(batch) - self._company)
            self._settle(batch, self._tag(batch))
        self._call(loop)

    def _is_worth_waiting(self) -> bool:
        """Whether others are about to come: some came since the last look, or fewer are here than came lately."""
        if self._owed * self._seconds_per_size >= INLINE_SECONDS:
            return False
        now = time.perf_counter()
        if self._has_news:
            self._has_news = False
            self._news_at = now
            return True
        return len(self._here) < self._company and now - self._news_at < _LINGER_SECONDS

    def _fill_threads(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._free_threads and self._there:
            batch = self._next(self._there, _THREAD_SECONDS)
            if batch:
                self._free_threads -= 1
                future = loop.run_in_executor(self._threads, self._tag, batch)
                future.add_done_callback(lambda done, batch=batch: self._came_back(loop, batch, done))  # type: ignore[misc]

    def _came_back(
        self, loop: asyncio.AbstractEventLoop, batch: list[_Waiting], done: "asyncio.Future[list[Tagged | None]]"
    ) -> None:
        self._free_threads += 1
        self._settle(batch, [None] * len(batch) if done.cancelled() else done.result())
        self._fill_threads(loop)

    def _next(self, waiting: deque[_Waiting], seconds: float) -> list[_Waiting]:
        """The next texts that together cost no more than `seconds`, at least one; nobody who gave up is among them."""
        batch: list[_Waiting] = []
        budget = seconds / self._seconds_per_size
        while waiting and len(batch) < _MOST_TEXTS and (not batch or waiting[0].size <= budget):
            one = waiting.popleft()
            if one.answer.done():
                self._owed -= one.size
            else:
                batch.append(one)
                budget -= one.size
        return batch

    def _tag(self, batch: Sequence[_Waiting]) -> list[Tagged | None]:
        """One answer for each text. A batch that breaks is tried text by text, so that a bad one fails alone."""
        started = time.perf_counter()
        answers = self._attempt([one.text for one in batch])
        if answers is None:
            alone = [self._attempt([one.text]) for one in batch] if len(batch) > 1 else [None]
            return [answer[0] if answer is not None else None for answer in alone]
        self._learn((time.perf_counter() - started) / sum(one.size for one in batch))
        return list(answers)

    def _attempt(self, texts: list[str]) -> list[Tagged] | None:
        """What the tagger says, or None when it fails; what failed is logged without the text."""
        try:
            answers = self._tagger.tag(texts)
            if len(answers) != len(texts):
                raise ValueError(f"{len(answers)} answers to {len(texts)} texts")
            return answers
        except Exception as error:
            if len(texts) == 1:
                where = "".join(traceback.format_tb(error.__traceback__))
                _LOG.error("Version %s failed with %s:\n%s", self._version, type(error).__name__, where)
            return None

    def _learn(self, seconds_per_size: float) -> None:
        # One slow batch on a busy machine must not make everybody behind it look too dear.
        seen = min(seconds_per_size, 2 * self._seconds_per_size)
        self._seconds_per_size += _WEIGHT * (seen - self._seconds_per_size)
        self._is_measured = True

    def _note_pace(self, size: int) -> None:
        """How fast a backlog gets shorter, while there is one; without one, how fast the model is."""
        now = time.perf_counter()
        if self._owed > 0 and size > 0:
            seen = min((now - self._settled_at) / size, 2 * self._pace)
        else:
            seen = self._seconds_per_size
        self._pace += _WEIGHT * (seen - self._pace)
        self._settled_at = now

    def _settle(self, batch: Sequence[_Waiting], answers: Sequence[Tagged | None]) -> None:
        size = sum(one.size for one in batch)
        self._owed -= size
        self._note_pace(size)
        for one, answer in zip(batch, answers, strict=True):
            if not one.answer.done():
                one.answer.set_result(answer)
