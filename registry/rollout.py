"""Which version answers: every change is a new row, and the highest epoch is in force.

stable    answers
canary    answers a share of the traffic, on trial
previous  the stable version before this one, kept warm to go back to
"""

import dataclasses
import datetime as dt
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner import tables
from ner.database import lock_for_appending, utc_now
from ner.errors import Conflict, InvalidInput
from registry import audit
from registry.gate import broken_examples
from registry.versions import get_version


@dataclass(frozen=True, slots=True)
class Rollout:
    """One state of the rollout. `percent` is the canary's share of traffic, 0 to 100; epoch 0 means nothing yet."""

    epoch: int
    stable: str | None
    canary: str | None
    previous: str | None
    percent: float
    salt: str
    action: str
    reason: str
    changed_by: str
    changed_at: dt.datetime


NOTHING = Rollout(0, None, None, None, 0.0, "", "none", "", "system", dt.datetime.min.replace(tzinfo=dt.UTC))
"""The state before the first version was stable."""
_EARLIEST, _LATEST = (dt.datetime(year, 1, 1, tzinfo=dt.UTC) for year in (1970, 9000))


def current_rollout(connection: Connection) -> Rollout:
    """The state in force."""
    row = connection.execute(sa.select(tables.rollouts).order_by(tables.rollouts.c.epoch.desc()).limit(1)).first()
    if row is None:
        return dataclasses.replace(NOTHING, changed_at=utc_now())
    return _rollout(row)


def history(connection: Connection, *, limit: int = 200) -> list[Rollout]:
    """The latest changes, newest first."""
    rows = connection.execute(sa.select(tables.rollouts).order_by(tables.rollouts.c.epoch.desc()).limit(limit))
    return [_rollout(row) for row in rows]


def rollout_at(connection: Connection, moment: dt.datetime) -> Rollout:
    """The state that was in force at a moment, which is that of its last change until then."""
    known = min(max(moment, _EARLIEST), _LATEST)
    until = sa.select(tables.rollouts).where(tables.rollouts.c.changed_at <= known)
    row = connection.execute(until.order_by(tables.rollouts.c.epoch.desc()).limit(1)).first()
    return _rollout(row) if row is not None else NOTHING


def set_stable(connection: Connection, version: str, *, actor: str, reason: str = "") -> Rollout:
    """Let the very first version answer. Raises Conflict when one does already."""
    state = _locked(connection)
    get_version(connection, version)
    if state.stable is not None:
        raise Conflict(f"Version {state.stable} is stable already; make {version} the canary and promote it.")
    salt = secrets.token_hex(16)
    return _write(connection, state, "set_stable", actor, reason, stable=version, salt=salt)


def set_canary(connection: Connection, version: str, percent: float, *, actor: str, reason: str = "") -> Rollout:
    """Put `version` on trial with `percent` of the traffic, or change the share of the one on trial.

    A new canary draws a new salt, so that it meets other callers than the last one did; a changed share keeps the
    salt, so that whoever met the canary goes on meeting it as the share grows.
    """
    state = _locked(connection)
    get_version(connection, version)
    if not 0 <= percent <= 100:
        raise InvalidInput(f"The canary's share is a percentage from 0 to 100, not {percent:g}.")
    if state.stable is None:
        raise Conflict("No version is stable yet; promote one first, then put another on trial.")
    if version == state.stable:
        raise Conflict(f"Version {version} is the stable one; a canary must be another version.")
    salt = state.salt if version == state.canary else secrets.token_hex(16)
    return _write(connection, state, "canary", actor, reason, canary=version, percent=float(percent), salt=salt)


def promote(
    connection: Connection,
    version: str | None = None,
    *,
    actor: str,
    reason: str = "",
    override: bool = False,
    broken: Sequence[str] = (),
) -> Rollout:
    """Make the canary (or `version`) the stable one; the stable one becomes `previous`.

    Raises Conflict where the version answers a must-pass example wrongly, unless `override`, which the audit trail
    keeps with the examples that were waved through. `broken` are texts that it was asked now, beside those of its own
    figures: an example may be younger than the version.
    """
    state = _locked(connection)
    chosen = version or state.canary
    if chosen is None:
        raise Conflict("There is no canary to promote; set one, or name a version.")
    record = get_version(connection, chosen)
    if chosen == state.stable:
        raise Conflict(f"Version {chosen} is stable already.")
    texts = list(dict.fromkeys([*broken_examples(record.performance), *broken]))
    _hold_broken(connection, chosen, texts, actor, reason, override=override)
    return _write(
        connection, state, "promote", actor, reason, stable=chosen, previous=state.stable, canary=None, percent=0.0
    )


def _hold_broken(
    connection: Connection, version: str, broken: list[str], actor: str, reason: str, *, override: bool
) -> None:
    if not broken:
        return
    if not override:
        raise Conflict(
            f"Version {version} answers {len(broken)} must-pass examples wrongly, the first “{broken[0]}”; "
            "promote it with an override, which the audit trail keeps, or train another."
        )
    details = {"reason": reason, "broken": broken}
    audit.append(connection, actor=actor, action="gate.overridden", subject=version, details=details)


def roll_back(connection: Connection, *, actor: str, reason: str = "") -> Rollout:
    """Take the canary off trial; where there is none, let the previous version answer again.

    After the second kind the version that was stable is `previous`, so a rollback can be rolled back.
    """
    state = _locked(connection)
    if state.canary is not None:
        return _write(connection, state, "rollback", actor, reason, canary=None, percent=0.0)
    if state.previous is None:
        raise Conflict("There is nothing to roll back to: no canary is on trial and no version was stable before.")
    return _write(connection, state, "rollback", actor, reason, stable=state.previous, previous=state.stable)


def aliases_of(rollout: Rollout, version: str) -> list[str]:
    """The aliases that `version` holds in this state."""
    return [name for name in ("stable", "canary", "previous") if getattr(rollout, name) == version]


def choose_variant(rollout: Rollout, key: str) -> Literal["stable", "canary"]:
    """Who answers the caller or document `key`: the canary if hash(salt, key) falls below its share.

    The same on every replica, the same for every call with this key, and monotone as the share grows.
    """
    if rollout.canary is None or rollout.percent <= 0:
        return "stable"
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), key=rollout.salt.encode(), digest_size=8).digest()
    return "canary" if int.from_bytes(digest) < rollout.percent / 100 * 2**64 else "stable"


def _locked(connection: Connection) -> Rollout:
    lock_for_appending(connection, "rollouts")
    return current_rollout(connection)


def _write(
    connection: Connection, state: Rollout, action: str, actor: str, reason: str, **changes: str | float | None
) -> Rollout:
    after = dataclasses.replace(
        state,
        epoch=state.epoch + 1,
        action=action,
        reason=reason,
        changed_by=actor,
        changed_at=utc_now(),
        **changes,  # type: ignore[arg-type]
    )
    row = dataclasses.asdict(after)
    row["canary_percent"] = row.pop("percent")
    connection.execute(tables.rollouts.insert().values(**row))
    audit.append(
        connection,
        actor=actor,
        action=f"rollout.{action}",
        subject=after.canary or after.stable or "",
        details={
            "reason": reason,
            "before": _facts(state),
            "after": _facts(after),
        },
    )
    return after


def _facts(state: Rollout) -> dict[str, str | float | int | None]:
    names = ("epoch", "stable", "canary", "previous", "percent")
    return {name: getattr(state, name) for name in names}


def _rollout(row: sa.Row) -> Rollout:  # type: ignore[type-arg]
    values = dict(row._mapping)
    values["percent"] = values.pop("canary_percent")
    return Rollout(**values)
