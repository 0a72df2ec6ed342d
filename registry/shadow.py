"""Shadow mode: a share of stable traffic is also answered by the canary, off the path. The switch, and what was said.

What the canary says in the shadow reaches nobody: it is compared with what the stable version answered, and counted.
"""

import dataclasses
import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner import tables
from ner.database import lock_for_appending, utc_now
from ner.errors import InvalidInput
from ner.shadow_tables import KINDS, shadow_answers, shadow_hours
from registry import audit
from registry.quality_verdicts import PairedCounts
from registry.rollout import Rollout

SWITCH = "shadow"
ShadowOutcome = Literal["agree", "disagree", "failed"]
OUTCOMES: tuple[ShadowOutcome, ...] = ("agree", "disagree", "failed")
_PLACES = 2**63
_SUMS = (*OUTCOMES, *KINDS)
# Quoted: one of the kinds of difference is a word of SQL.
_QUOTED = [f'"{name}"' for name in _SUMS]
_ADD_HOUR = sa.text(
    f"INSERT INTO shadow_hours (stable, canary, hour, {', '.join(_QUOTED)}) "
    f"VALUES (:stable, :canary, :hour, {', '.join(f':{name}' for name in _SUMS)}) "
    "ON CONFLICT (stable, canary, hour) DO UPDATE SET "
    + ", ".join(f"{name} = shadow_hours.{name} + excluded.{name}" for name in _QUOTED)
).bindparams(sa.bindparam("hour", type_=shadow_hours.c.hour.type))


@dataclass(frozen=True, slots=True)
class ShadowAnswer:
    """One row of `shadow_answers`: how two answers to one request differ, never its text."""

    request_id: str
    at: dt.datetime
    stable: str
    canary: str
    outcome: ShadowOutcome
    differences: Mapping[str, int]
    stable_lowest: float | None
    canary_lowest: float | None
    expected: PairedCounts | None
    is_sampled: bool

    def values(self) -> dict[str, Any]:
        """The columns of its row."""
        facts = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        counts = {kind: facts["differences"].get(kind, 0) for kind in KINDS}
        del facts["differences"]
        return facts | counts | {"place": place_of(self.request_id), "expected": list(self.expected or ())}


@dataclass(frozen=True, slots=True)
class ShadowTotals:
    """What two versions said about the same traffic. `kinds`: differences by kind, agreement is "match"."""

    agree: int
    disagree: int
    failed: int
    kinds: Mapping[str, int]

    @property
    def strata(self) -> dict[str, int]:
        """Answered requests by whether the versions agree on them."""
        return {"disagree": self.disagree, "agree": self.agree}


def place_of(request_id: str) -> int:
    """A draw from 0 to 2^63 that nobody can choose: the order of labelling within a stratum."""
    return int.from_bytes(hashlib.blake2b(request_id.encode(), digest_size=8).digest()) >> 1


def share_below(place: int, share: float) -> bool:
    """Whether a place belongs to the first `share` of all places."""
    return place < share * _PLACES


def is_shadowed(rollout: Rollout, key: str, percent: float) -> bool:
    """Whether a request of the caller or document `key` is also answered by the canary: sticky, as the canary's share
    is, and independent of it.
    """
    if percent <= 0:
        return False
    salted = hashlib.blake2b(
        key.encode("utf-8", "surrogatepass"), key=rollout.salt.encode(), person=b"shadow", digest_size=8
    )
    return int.from_bytes(salted.digest()) < percent / 100 * 2**64


def shadow_percent(connection: Connection) -> float:
    """The share of stable traffic that the canary answers in the shadow, 0 to 100."""
    value = connection.scalar(sa.select(tables.switches.c.value).where(tables.switches.c.name == SWITCH))
    return float(value["percent"]) if value else 0.0


def set_shadow_percent(connection: Connection, percent: float, *, actor: str, reason: str = "") -> float:
    """Change the share; returns it. Raises InvalidInput."""
    if not 0 <= percent <= 100:
        raise InvalidInput(f"The share of shadowed traffic is a percentage from 0 to 100, not {percent:g}.")
    lock_for_appending(connection, "switches")
    before = shadow_percent(connection)
    connection.execute(tables.switches.delete().where(tables.switches.c.name == SWITCH))
    row = {"name": SWITCH, "value": {"percent": percent}, "changed_by": actor, "changed_at": utc_now()}
    connection.execute(tables.switches.insert().values(**row))
    details = {"before": before, "after": percent, "reason": reason}
    audit.append(connection, actor=actor, action="shadow.switched", subject=SWITCH, details=details)
    return percent


def write_answers(connection: Connection, answers: Sequence[ShadowAnswer]) -> None:
    """Append answers and count them by hour. Run it in a writing transaction."""
    if not answers:
        return
    rows = [answer.values() for answer in answers]
    connection.execute(shadow_answers.insert(), rows)
    hours: dict[tuple[str, str, dt.datetime], dict[str, Any]] = {}
    for row in rows:
        hour = row["at"].replace(minute=0, second=0, microsecond=0)
        key = (row["stable"], row["canary"], hour)
        sums = hours.setdefault(
            key, dict(zip(("stable", "canary", "hour"), key, strict=True)) | dict.fromkeys(_SUMS, 0)
        )
        sums[row["outcome"]] += 1
        for kind in KINDS:
            sums[kind] += row[kind]
    connection.execute(_ADD_HOUR, [hours[key] for key in sorted(hours)])


def totals(connection: Connection, stable: str, canary: str) -> ShadowTotals:
    """Everything that the two versions said about the same traffic."""
    sums = [sa.func.coalesce(sa.func.sum(shadow_hours.c[name]), 0).label(name) for name in _SUMS]
    row = connection.execute(sa.select(*sums).where(*_pair(shadow_hours, stable, canary))).one()._mapping
    kinds = {kind: int(row[kind]) for kind in KINDS}
    return ShadowTotals(int(row["agree"]), int(row["disagree"]), int(row["failed"]), kinds)


def hours(connection: Connection, stable: str, canary: str, *, limit: int = 24 * 14) -> list[dict[str, Any]]:
    """The latest hours with shadow traffic, oldest first: their counts by outcome and by kind."""
    query = sa.select(shadow_hours).where(*_pair(shadow_hours, stable, canary))
    rows = connection.execute(query.order_by(shadow_hours.c.hour.desc()).limit(limit))
    return [dict(row._mapping) for row in rows][::-1]


def expected_counts(connection: Connection, stable: str, canary: str, *, limit: int = 2000) -> list[PairedCounts]:
    """By the versions' own probabilities, on the newest texts that both answered; those that say none are left out."""
    query = sa.select(shadow_answers.c.expected).where(*_pair(shadow_answers, stable, canary))
    rows = connection.scalars(query.order_by(shadow_answers.c.id.desc()).limit(limit))
    return [PairedCounts(*row) for row in rows if len(row) == len(PairedCounts._fields)]


def _pair(table: sa.Table, stable: str, canary: str) -> tuple[sa.ColumnElement[bool], ...]:
    return table.c.stable == stable, table.c.canary == canary
