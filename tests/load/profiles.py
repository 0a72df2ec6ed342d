"""How many requests a second each profile asks for, and when it is over. Nothing here knows the load generator."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

ProfileName = Literal["normal", "peak", "stress", "spike"]
NAMES: tuple[ProfileName, ...] = ("normal", "peak", "stress", "spike")

BREAKING_FAILED = 0.10
BREAKING_MS = 1_000.0
_NORMAL, _PEAK, _SPIKE = 100, 500, 1_000
_STRESS_STEP = 100
_HOUR = 3600.0
_SPIKE_SECONDS = 240.0


@dataclass(frozen=True, slots=True)
class Phase:
    """A time of constant rate: `rate` requests a second from `start` to `end`, seconds from the beginning."""

    name: str
    rate: int
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Profile:
    """A named load. `seconds` is its whole length, for "stress" of one step; None is the length that was planned."""

    name: ProfileName
    seconds: float | None = None

    def phases(self) -> Iterator[Phase]:
        """In their order; those of "stress" never end, it is stopped at the breaking point."""
        if self.name == "spike":
            quarter = (self.seconds or _SPIKE_SECONDS) / 4
            yield Phase("before", _NORMAL, 0, quarter)
            yield Phase("spike", _SPIKE, quarter, 3 * quarter)
            yield Phase("after", _NORMAL, 3 * quarter, 4 * quarter)
        elif self.name == "stress":
            length, number = self.seconds or 300.0, 0
            while True:
                rate = _NORMAL + number * _STRESS_STEP
                yield Phase(f"{rate:,}/s", rate, number * length, (number + 1) * length)
                number += 1
        else:
            yield Phase(self.name, _NORMAL if self.name == "normal" else _PEAK, 0, self.seconds or _HOUR)

    def phase_at(self, elapsed: float) -> Phase | None:
        """The phase of a moment, or None when the profile is over."""
        for phase in self.phases():
            if elapsed < phase.end:
                return phase
        return None


def is_broken(failed_share: float, p95_ms: float) -> bool:
    """Whether more than one request in ten fails, or one in twenty takes longer than a second."""
    return failed_share > BREAKING_FAILED or p95_ms > BREAKING_MS
