"""What one request carries from the edge to its answer and back."""

import os
import time
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

from ner.roles import Role

_PLACE = "ner.exchange"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `rate_limit_per_hour` None means no limit, `scopes` None no bounds but the role's."""

    id: str
    name: str
    role: Role
    rate_limit_per_hour: int | None
    scopes: frozenset[str] | None = None


@dataclass(slots=True)
class Budget:
    """What is left of a caller's hour. (One is made at every request, and frozen ones take three times as long.)"""

    limit: int
    remaining: int
    reset_seconds: int
    is_spent: bool
    retry_after_seconds: int = 0


class _Ids:
    """Random ids of 128 bits, drawn a thousand at a time: the system call costs more than all the rest of an id."""

    def __init__(self) -> None:
        self._drawn: list[str] = []

    def draw(self) -> str:
        try:
            return self._drawn.pop()
        except IndexError:
            drawn = os.urandom(16 * 1024).hex()
            self._drawn = [drawn[place : place + 32] for place in range(0, len(drawn), 32)]
            return self._drawn.pop()


_IDS = _Ids()
draw_id = _IDS.draw
"""A new request id."""


@dataclass(slots=True)
class Exchange:
    """One request on its way through. Routes note which version answered; the edge makes headers and metrics of it."""

    request_id: str = field(default_factory=draw_id)
    started: float = field(default_factory=time.perf_counter)
    caller: Caller | None = None
    budget: Budget | None = None
    version: str = ""
    variant: str = ""
    is_recorded: bool = False

    def answered_by(self, version: str, variant: str, *, stood_in: bool) -> None:
        """Note who answered one text of it. Where a version stood in for a failing one, its own latency is not known,
        so that such a request counts for neither of them."""
        name = "stand-in" if stood_in else variant
        is_first = not self.version
        self.version = version if is_first or self.version == version else "several"
        self.variant = name if is_first or self.variant == name else "several"

    def latency_ms(self) -> float:
        """Milliseconds since the request came in."""
        return (time.perf_counter() - self.started) * 1000


def begin(scope: MutableMapping[str, Any]) -> Exchange:
    """Attach a new exchange to an ASGI scope."""
    exchange = Exchange()
    scope[_PLACE] = exchange
    return exchange


def exchange_of(scope: MutableMapping[str, Any]) -> Exchange:
    """The exchange of this request."""
    found = scope.get(_PLACE)
    return found if isinstance(found, Exchange) else begin(scope)
