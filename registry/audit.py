"""The audit trail: append-only, each entry sealed with the hash of the one before it."""

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner import tables
from ner.database import lock_for_appending, utc_now
from ner.errors import InvalidInput

_FIRST = "0" * 64


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One fact: who did what to which subject, and when (ISO 8601, UTC)."""

    entry: int
    at: str
    actor: str
    action: str
    subject: str
    details: dict[str, Any]
    hash: str


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """Whether the chain holds; `problem` is a sentence naming the first entry that does not. `end` stands for the
    whole chain up to its last entry: `number:hash`, to be noted where nobody who changes the database can reach it."""

    ok: bool
    entries: int
    problem: str | None = None
    end: str = field(default="", compare=False)


def append(
    connection: Connection, *, actor: str, action: str, subject: str, details: dict[str, Any] | None = None
) -> int:
    """Add one entry in the caller's transaction and return its number, counted from 1."""
    lock_for_appending(connection, "audit")
    last = connection.execute(
        sa.select(tables.audit.c.entry, tables.audit.c.hash).order_by(tables.audit.c.entry.desc()).limit(1)
    ).first()
    row: dict[str, Any] = {
        "entry": last.entry + 1 if last else 1,
        "at": utc_now().isoformat(),
        "actor": actor,
        "action": action,
        "subject": subject,
        "details": _canonical(details or {}),
        "previous_hash": last.hash if last else _FIRST,
    }
    connection.execute(tables.audit.insert().values(**row, hash=_seal(row)))
    return int(row["entry"])


def verify(connection: Connection, noted: str | None = None) -> AuditVerdict:
    """Walk the whole chain: an edited, deleted or reordered entry breaks it.

    A cut tail leaves a shorter chain that holds in itself, and so does a chain that was written anew. Both show against
    an end that was `noted` earlier. Raises InvalidInput where `noted` is no such end.
    """
    known = _as_end(noted) if noted else None
    rows = connection.execute(sa.select(tables.audit).order_by(tables.audit.c.entry))
    previous, count = _FIRST, 0
    for row in rows.mappings():
        count += 1
        if row["entry"] != count:
            return AuditVerdict(False, count - 1, f"Entry {count} is missing: the next one there is {row['entry']}.")
        if row["previous_hash"] != previous:
            return AuditVerdict(False, count, f"Entry {count} does not follow the entry before it.")
        if row["hash"] != _seal(dict(row)):
            return AuditVerdict(False, count, f"Entry {count} was changed after it was written.")
        if known and known[0] == count and row["hash"] != known[1]:
            return AuditVerdict(False, count, f"Entry {count} is another one than was noted: the trail was rewritten.")
        previous = row["hash"]
    if known and known[0] > count:
        return AuditVerdict(False, count, f"The trail ends at entry {count}; {known[0]} were noted: its end was cut.")
    return AuditVerdict(True, count, end=f"{count}:{previous}" if count else "")


def _as_end(noted: str) -> tuple[int, str]:
    found = re.fullmatch(r"([1-9][0-9]{0,17}):([0-9a-f]{64})", noted.strip())
    if not found:
        raise InvalidInput("What was noted is a number and a hash, 41:0f3a…, as 'workbench audit verify' prints it.")
    return int(found[1]), found[2]


def list_entries(connection: Connection, *, offset: int = 0, limit: int = 100) -> tuple[list[AuditEntry], int]:
    """Entries, newest first, and how many there are in all."""
    total = connection.scalar(sa.select(sa.func.count()).select_from(tables.audit)) or 0
    rows = connection.execute(
        sa.select(tables.audit).order_by(tables.audit.c.entry.desc()).offset(offset).limit(limit)
    ).mappings()
    return [
        AuditEntry(
            entry=row["entry"],
            at=row["at"],
            actor=row["actor"],
            action=row["action"],
            subject=row["subject"],
            details=json.loads(row["details"]),
            hash=row["hash"],
        )
        for row in rows
    ], total


def _canonical(details: dict[str, Any]) -> str:
    return json.dumps(details, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)


def _seal(row: dict[str, Any]) -> str:
    fields = ("entry", "at", "actor", "action", "subject", "details", "previous_hash")
    sealed = json.dumps([row[field] for field in fields], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(sealed.encode()).hexdigest()
