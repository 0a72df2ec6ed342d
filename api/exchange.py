"""What one request carries from the edge to its answer and back."""

import time
import uuid
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

from ner.roles import Role

_PLACE = "ner.exchange"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `rate_limit_per_hour` None means no limit."""

    id: str
    name: str
    role: Role
    rate_limit_per_hour: int | None


@dataclass(frozen=True, slots=True)
class Budget:
    """What is left of a caller's hour."""

    limit: int
    remaining: int
    reset_seconds: int
    is_spent: bool
    retry_after_seconds: int = 0


@dataclass(slots=True)
class Exchange:
    """One request on its way through. Routes note which version answered; the edge makes headers and metrics of it."""

    request_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    started: float = field(default_factory=time.perf_counter)
    caller: Caller | None = None
    budget: Budget | None = None
    version: str = ""
    variant: str = ""

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
