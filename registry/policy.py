"""The rollout policy: which shares of traffic a canary passes through, and what it must keep to.

A latency criterion `latency_p95_ms: 200` is read as the proportion that it is: at most 5 % of requests slower than
200 ms. So one test of proportions (`registry/verdicts.py`) judges errors and latencies alike.
"""

import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from ner.errors import InvalidInput

BreachAction = Literal["roll_back", "hold", "investigate"]

DEFAULT_POLICY = Path(__file__).with_name("default_policy.yml")
_LATENCY = re.compile(r"latency_p(\d\d(?:_\d)?)_ms")
_TITLES = {"error_rate": "error rate", "f1_drop": "drop of F1", "memory_share": "memory use"}
_SHARES = frozenset(_TITLES)
_KEYS = frozenset({"steps_percent", "bake", "false_alarm_rate", "criteria"})


@dataclass(frozen=True, slots=True)
class Criterion:
    """One promise that a canary must keep. `limit` is milliseconds for a latency, else a share in (0, 1)."""

    name: str
    limit: float
    on_breach: BreachAction

    @property
    def allowed_share(self) -> float | None:
        """Share of requests that may exceed: fail, or be slower than `limit` ms. None where no request exceeds."""
        if self.name == "error_rate":
            return self.limit
        return round(1 - float(self._percentile) / 100, 6) if self._percentile else None

    @property
    def slower_than_ms(self) -> float | None:
        """The latency above which a request counts as exceeding; None where it is not about latency."""
        return self.limit if self._percentile else None

    @property
    def title(self) -> str:
        """The name of the criterion as people say it: "error rate", "p95 latency"."""
        return _TITLES.get(self.name) or f"p{self._percentile} latency"

    @property
    def exceeding(self) -> str:
        """What an exceeding request did: "failed", "took longer than 200 ms"; "" where no request exceeds."""
        if self.allowed_share is None:
            return ""
        return "failed" if self.slower_than_ms is None else f"took longer than {self.slower_than_ms:g} ms"

    @property
    def _percentile(self) -> str:
        found = _LATENCY.fullmatch(self.name)
        return found[1].replace("_", ".") if found else ""


@dataclass(frozen=True, slots=True)
class Policy:
    """Steps in percent of traffic, strictly growing to 100; hours per step; criteria in the order of the file."""

    steps_percent: tuple[float, ...]
    shortest_hours: float
    longest_hours: float
    false_alarm_rate: float
    criteria: tuple[Criterion, ...]

    def criterion(self, name: str) -> Criterion | None:
        """The criterion of that name, where the policy has it."""
        return next((criterion for criterion in self.criteria if criterion.name == name), None)

    @property
    def rate_criteria(self) -> tuple[Criterion, ...]:
        """The criteria that single requests keep or break."""
        return tuple(criterion for criterion in self.criteria if criterion.allowed_share is not None)


@cache
def default_policy() -> Policy:
    """The policy that ships with the workbench."""
    return load_policy()


def load_policy(path: Path | None = None) -> Policy:
    """Read a policy from YAML, the one that ships with the workbench unless a path is given.

    Raises InvalidInput with a sentence that names the key to change.
    """
    return read_policy(policy_text(path))


def policy_text(path: Path | None = None) -> str:
    """A policy file as it stands. Raises InvalidInput where it cannot be read."""
    path = path or DEFAULT_POLICY
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise InvalidInput(f"The policy {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise InvalidInput(f"The policy {path} is not text in UTF-8: {error}.") from None


def read_policy(text: str) -> Policy:
    """A policy from YAML. Raises InvalidInput with a sentence that names the key to change."""
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InvalidInput(f"The policy is not YAML: {' '.join(str(error).split())}.") from None
    return as_policy(content)


def as_policy(content: Any) -> Policy:
    """Check the content of a policy file. Raises InvalidInput with a sentence that names the key to change."""
    content = _mapping(content, "The policy", _KEYS)
    bake = _mapping(content.get("bake"), "bake", frozenset({"shortest_hours", "longest_hours"}))
    shortest = _number(bake.get("shortest_hours"), "bake.shortest_hours", 0, 10_000)
    return Policy(
        steps_percent=_steps(content.get("steps_percent")),
        shortest_hours=shortest,
        longest_hours=_number(bake.get("longest_hours"), "bake.longest_hours", shortest, 10_000),
        false_alarm_rate=_number(content.get("false_alarm_rate"), "false_alarm_rate", 0.0001, 0.5),
        criteria=_criteria(content.get("criteria")),
    )


def _steps(content: Any) -> tuple[float, ...]:
    if not isinstance(content, list) or not content:
        raise InvalidInput("steps_percent must be a list of shares such as [5, 25, 50, 75, 100].")
    steps = tuple(_number(step, "A step in steps_percent", 0.01, 100) for step in content)
    if list(steps) != sorted(set(steps)) or steps[-1] != 100:
        raise InvalidInput("steps_percent must grow from step to step and end with 100.")
    return steps


def _criteria(content: Any) -> tuple[Criterion, ...]:
    if not isinstance(content, Mapping) or not content:
        raise InvalidInput("criteria must name at least one promise, such as error_rate: {limit: 0.01, ...}.")
    criteria = []
    for name, body in content.items():
        if name not in _SHARES and not _LATENCY.fullmatch(str(name)):
            raise InvalidInput(
                f"'{name}' is not a criterion; there are {', '.join(sorted(_SHARES))} and latencies such as "
                "latency_p95_ms."
            )
        body = _mapping(body, f"criteria.{name}", frozenset({"limit", "on_breach"}))
        if body.get("on_breach") not in get_args(BreachAction):
            raise InvalidInput(f"criteria.{name}.on_breach must be one of {', '.join(get_args(BreachAction))}.")
        low, high = (0.0001, 0.9999) if name in _SHARES else (0.1, 3_600_000)
        limit = _number(body.get("limit"), f"criteria.{name}.limit", low, high)
        criteria.append(Criterion(name, limit, body["on_breach"]))
    return tuple(criteria)


def _mapping(content: Any, name: str, keys: frozenset[str]) -> Mapping[str, Any]:
    if not isinstance(content, Mapping):
        raise InvalidInput(f"{name} must hold the keys {', '.join(sorted(keys))}.")
    strange = {str(key) for key in content} - keys
    if strange:
        raise InvalidInput(
            f"{name} does not know {', '.join(sorted(strange))}; its keys are {', '.join(sorted(keys))}."
        )
    return content


def _number(content: Any, name: str, low: float, high: float) -> float:
    if isinstance(content, bool) or not isinstance(content, int | float) or not low <= content <= high:
        raise InvalidInput(f"{name} must be a number from {low:g} to {high:g}, not {reprlib.repr(content)}.")
    return float(content)
