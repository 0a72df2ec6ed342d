"""Regular expressions that people type: refused when they are wrong, stopped when they take too long."""

import re
import time
from collections.abc import Iterator

import regex

from ner.errors import InvalidInput

_LONGEST = 2_000
# A pattern that calls itself: without an end it takes a gigabyte before its time is over.
_RECURSION = re.compile(r"(?<!\\)(?:\\\\)*\(\?(?:R|[+-]?\d+|&\w+|P>\w+)\)")


class Pattern:
    """A regular expression with a budget of seconds for all of its searches together, in the thread that made it."""

    def __init__(self, source: str, *, seconds: float = 5.0, ignore_case: bool = False) -> None:
        if not source or len(source) > _LONGEST:
            raise InvalidInput(f"A pattern has 1 to {_LONGEST} characters.")
        if _RECURSION.search(source):
            raise InvalidInput(f"'{source[:100]}' calls itself or one of its groups, which is not allowed here.")
        try:
            self._compiled = regex.compile(source, regex.IGNORECASE if ignore_case else 0)
        except (regex.error, RecursionError, OverflowError) as error:
            raise InvalidInput(f"'{source[:100]}' is no regular expression: {error}.") from None
        self._source = source
        # The thread's own seconds: a busy machine, or a slow database, is not the pattern's fault.
        self._until = time.thread_time() + seconds

    def is_in(self, text: str) -> bool:
        """Whether it matches somewhere in the text. Raises InvalidInput when the budget is spent."""
        try:
            return self._compiled.search(text, timeout=self._left()) is not None
        except (TimeoutError, MemoryError):
            raise self._too_slow() from None

    def places(self, text: str) -> Iterator[tuple[int, int]]:
        """Where it matches, empty matches left out."""
        try:
            for found in self._compiled.finditer(text, timeout=self._left()):
                if found.end() > found.start():
                    yield found.span()
        except (TimeoutError, MemoryError):
            raise self._too_slow() from None

    def _left(self) -> float:
        left = self._until - time.thread_time()
        if left <= 0:
            raise self._too_slow()
        return left

    def _too_slow(self) -> InvalidInput:
        return InvalidInput(f"The pattern '{self._source[:100]}' takes too long on these texts; make it simpler.")


def literal(text: str) -> Pattern:
    """A pattern of these very characters, in upper or lower case."""
    return Pattern(regex.escape(text), ignore_case=True)
