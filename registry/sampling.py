"""A log that stays readable at high volume: of many rows a sample, each with the number of rows it stands for."""

import random
import time
from collections.abc import Callable


class RowSampler:
    """Lets about `rows_a_second` rows through; 0 lets all of them.

    A row is kept with a probability that depends on the rows before it alone, and then weighs the inverse of it. Sums
    of weights are therefore unbiased estimates of what was put in (Horvitz and Thompson, 1952).
    """

    def __init__(
        self,
        rows_a_second: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._rows_a_second = rows_a_second
        self._clock = clock
        self._draw = draw
        self._second = 0
        self._count = 0
        self._before = 0

    def weight(self) -> float | None:
        """How many rows the next one stands for; None where it is left out."""
        if self._rows_a_second == 0:
            return 1.0
        second = int(self._clock())
        if second != self._second:
            self._before = self._count if second == self._second + 1 else 0
            self._second, self._count = second, 0
        self._count += 1
        busiest = max(self._before, self._count)
        if busiest <= self._rows_a_second:
            return 1.0
        share = self._rows_a_second / busiest
        return 1 / share if self._draw() < share else None
