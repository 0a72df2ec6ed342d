"""Verdicts as they were: what was known, what the policy was, what was concluded; and whether that can be repeated.

A record is canonical JSON. Python writes and reads floats so that they come back to the last bit, so a record that is
judged again must come out equal, byte by byte. Of a record in an older format, only what was told to people (the
wording, and how much longer it takes) may come out otherwise; before format 3 a canary beside which nobody answered
failed on its limit alone, and is judged so again.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner import tables
from ner.errors import NerError
from registry.judges import Evidence, Judgement, as_facts, evidence_of, judge
from registry.policy import read_policy
from registry.trials import Trial

FORMAT = 3
_TOLD = frozenset({"sentence", "reason", "requests_to_go", "minutes_to_go", "to_go"})
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class VerdictRecord:
    """One verdict. "decision": something was done because of it; "sample": it was looked at in passing."""

    id: int
    trial_id: str
    at: dt.datetime
    kind: Literal["decision", "sample"]
    action: str
    body: dict[str, Any]
    hash: str


@dataclass(frozen=True, slots=True)
class Recomputed:
    """Whether every record comes out as it was written; `problem` names the first that does not."""

    ok: bool
    verdicts: int
    problem: str | None = None


def body_of(trial: Trial, evidence: Evidence, judgement: Judgement) -> str:
    """A record as canonical JSON."""
    return _canonical(
        {
            "format": FORMAT,
            "trial": trial.id,
            "canary": trial.canary,
            "stable": trial.stable,
            "step": trial.step,
            "percent": trial.percent,
            "epoch": trial.epoch,
            "policy": trial.policy,
            "evidence": as_facts(evidence),
            "judgement": as_facts(judgement),
        }
    )


def seal_of(body: str) -> str:
    """The hash that stands beside a record, and in the audit trail for a decision."""
    return hashlib.sha256(body.encode()).hexdigest()


def keep(connection: Connection, trial: Trial, body: str, *, kind: str, action: str, now: dt.datetime) -> None:
    """Write a record."""
    connection.execute(
        tables.verdicts.insert().values(
            trial_id=trial.id, at=now, kind=kind, action=action, body=body, hash=seal_of(body)
        )
    )


def newest_moment(connection: Connection, trial_id: str) -> dt.datetime | None:
    """When the last record of a trial was written."""
    found = sa.select(tables.verdicts.c.at).where(tables.verdicts.c.trial_id == trial_id)
    moment: dt.datetime | None = connection.scalar(found.order_by(tables.verdicts.c.id.desc()).limit(1))
    return moment


def list_verdicts(connection: Connection, *, trial_id: str | None = None, limit: int = 100) -> list[VerdictRecord]:
    """The latest records, newest first."""
    wanted = sa.select(tables.verdicts).order_by(tables.verdicts.c.id.desc()).limit(limit)
    if trial_id is not None:
        wanted = wanted.where(tables.verdicts.c.trial_id == trial_id)
    return [VerdictRecord(**{**row._mapping, "body": json.loads(row.body)}) for row in connection.execute(wanted)]


def recompute(connection: Connection) -> Recomputed:
    """Judge every record again from what it holds, and compare the whole record and its hash, a decision's with the
    audit trail's too.
    """
    sealed = _sealed_in_the_audit_trail(connection)
    count = 0
    for row in _rows(connection):
        count += 1
        problem = _problem_of(row)
        if problem is None and row.kind == "decision" and row.hash not in sealed:
            problem = "does not stand in the audit trail with this hash"
        if problem is not None:
            return Recomputed(False, count, f"Verdict {row.id} {problem}.")
        sealed.discard(row.hash)
    if sealed:
        return Recomputed(False, count, f"{len(sealed)} decisions of the audit trail have no verdict any more.")
    return Recomputed(True, count)


def _problem_of(row: Any) -> str | None:
    if seal_of(row.body) != row.hash:
        return "was changed after it was written"
    try:
        facts = json.loads(row.body)
        is_older = facts["format"] < FORMAT
        judged = judge(
            read_policy(facts["policy"]),
            evidence_of(facts["evidence"]),
            canary=facts["canary"],
            percent=facts["percent"],
            alone_fails=is_older,
        )
    except (NerError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"cannot be read ({type(error).__name__})"
    again, written = as_facts(judged), facts["judgement"]
    if is_older:
        again, written = _concluded(again), _concluded(written)
    if _canonical(again) != _canonical(written):
        return f"comes out otherwise when it is computed again: {judged.action}, {judged.verdict}"
    return None


def _concluded(facts: Any) -> Any:
    """A judgement without what is only told."""
    if isinstance(facts, dict):
        return {name: _concluded(value) for name, value in facts.items() if name not in _TOLD}
    return [_concluded(one) for one in facts] if isinstance(facts, list) else facts


def _rows(connection: Connection) -> Iterator[Any]:
    after = 0
    while rows := connection.execute(
        sa.select(tables.verdicts).where(tables.verdicts.c.id > after).order_by(tables.verdicts.c.id).limit(_AT_ONCE)
    ).all():
        yield from rows
        after = rows[-1].id


def _sealed_in_the_audit_trail(connection: Connection) -> set[str]:
    details = connection.scalars(sa.select(tables.audit.c.details).where(tables.audit.c.action == "trial.decided"))
    return {json.loads(one)["verdict"] for one in details}


def _canonical(facts: dict[str, Any]) -> str:
    return json.dumps(facts, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
