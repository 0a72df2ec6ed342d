"""Routes that will go: every answer of theirs says since when, until when, and what to call instead."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Any, TypeVar

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
_ATTRIBUTE = "deprecation"


@dataclass(frozen=True, slots=True)
class Deprecation:
    """Moments with their time zone; `instead` is the path of the successor."""

    since: dt.datetime
    until: dt.datetime
    instead: str

    def headers(self) -> dict[str, str]:
        """RFC 9745 and RFC 8594."""
        return {
            "Deprecation": f"@{int(self.since.timestamp())}",
            "Sunset": format_datetime(self.until.astimezone(dt.UTC), usegmt=True),
            "Link": f'<{self.instead}>; rel="successor-version"',
        }


def deprecated(since: dt.datetime, until: dt.datetime, instead: str) -> Callable[[Endpoint], Endpoint]:
    """Declare that a route will go."""

    def declare(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _ATTRIBUTE, Deprecation(since, until, instead))
        return endpoint

    return declare


def deprecation_of(endpoint: Callable[..., Any]) -> Deprecation | None:
    """What was declared for a route's function; None for one that stays."""
    return getattr(endpoint, _ATTRIBUTE, None)
