"""Automatic rollouts: a canary that walks through the steps of a policy, and where it stands.

Every change of a trial is one transaction with the change of the rollout that it means and the audit row of that.
`epoch` is the rollout that the trial wrote last: while it is the one in force, nobody else has decided anything.
"""

import dataclasses
import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner.database import lock_for_appending, utc_now
from ner.errors import Conflict
from ner.tables import trials
from registry import audit, rollout
from registry.alerts import close_alert
from registry.gate import broken_examples
from registry.policy import Policy, read_policy
from registry.rollout import Rollout, current_rollout
from registry.tallies import Trialled
from registry.versions import get_version

Status = Literal["running", "held", "promoted", "rolled_back", "stood_back"]
ACTOR = "automatic rollout"
ALERTS = ("shared_outage", "trial_stale", "trial_held", "trial_investigated", "canary_rolled_back")
_ACTIVE = ("running", "held")


@dataclass(frozen=True)
class Trial:
    """One automatic rollout. `step` is the place in the policy's steps, counted from 0; `sentence` says how it is."""

    id: str
    canary: str
    stable: str
    policy: str
    status: Status
    step: int
    epoch: int
    sentence: str
    began_by: str
    began_at: dt.datetime
    step_began_at: dt.datetime
    ended_at: dt.datetime | None

    @cached_property
    def rules(self) -> Policy:
        """The policy, read."""
        return read_policy(self.policy)

    @property
    def is_active(self) -> bool:
        """Whether the controller still looks after it."""
        return self.status in _ACTIVE

    @property
    def percent(self) -> float:
        """The share of traffic of this step, in percent."""
        return self.rules.steps_percent[self.step]

    @property
    def trialled(self) -> Trialled:
        """Whose requests count, and since when."""
        return Trialled(self.canary, self.stable, self.began_at, self.step_began_at)

    def is_same_step(self, other: "Trial | None") -> bool:
        """Whether `other` is this trial, as far as it had come."""
        mine = (self.id, self.status, self.step, self.epoch)
        return other is not None and mine == (other.id, other.status, other.step, other.epoch)


def start_trial(
    connection: Connection, version: str, policy: str, *, actor: str, reason: str = "", broken: Sequence[str] = ()
) -> Trial:
    """Put `version` on trial by the steps of `policy` (YAML), with the first of them; a canary whose share is one of
    the steps already goes on from there. A trial that was under way ends.

    Raises InvalidInput for the policy, NotFound, or Conflict, also where the version answers must-pass examples wrongly
    and so could not be promoted in the end. `broken` are texts that it was asked now, as in `rollout.promote`.
    """
    lock_for_appending(connection, "rollouts")
    rules = read_policy(policy)
    texts = list(dict.fromkeys([*broken_examples(get_version(connection, version).performance), *broken]))
    if texts:
        raise Conflict(
            f"Version {version} answers {len(texts)} must-pass examples wrongly, so no policy may promote it; "
            "put it on trial by hand, or train another."
        )
    before = current_rollout(connection)
    is_on_a_step = before.canary == version and before.percent in rules.steps_percent
    step = rules.steps_percent.index(before.percent) if is_on_a_step else 0
    state = rollout.set_canary(connection, version, rules.steps_percent[step], actor=actor, reason=reason)
    under_way = active_trial(connection)
    if under_way is not None:
        end_trial(connection, under_way, "stood_back", f"{actor} began another automatic rollout.", actor=actor)
    for kind in ALERTS:
        close_alert(connection, kind, subject=version)
    now = utc_now()
    made = Trial(
        uuid.uuid4().hex, version, state.stable or "", policy, "running", step, state.epoch,
        f"{version} begins with {state.percent:g} % of the traffic.", actor, now, now, None,
    )  # fmt: skip
    connection.execute(trials.insert().values(**_row(made)))
    audit.append(
        connection,
        actor=actor,
        action="trial.began",
        subject=version,
        details={"trial": made.id, "policy": policy, "reason": reason, "epoch": state.epoch, "step": step},
    )
    return made


def active_trial(connection: Connection) -> Trial | None:
    """The trial that is under way."""
    return _first(connection, sa.select(trials).where(trials.c.status.in_(_ACTIVE)))


def latest_trial(connection: Connection) -> Trial | None:
    """The trial that is under way, or the one that ended last."""
    return _first(connection, sa.select(trials))


def advance(connection: Connection, trial: Trial, now: dt.datetime, reason: str) -> Trial:
    """Give the canary the share of the next step; after the last one it becomes the stable version.

    The caller has made sure, under the rollout's lock, that the trial is as it was read. Raises Conflict where the
    version may not be promoted.
    """
    if trial.step + 1 == len(trial.rules.steps_percent):
        rollout.promote(connection, trial.canary, actor=ACTOR, reason=reason)
        return end_trial(connection, trial, "promoted", reason)
    return _move(connection, trial, 1, now, reason)


def step_back(connection: Connection, trial: Trial, now: dt.datetime, reason: str) -> Trial:
    """Give the canary the share of the step before, so that the stable version answers beside it; the caller holds the
    lock as for `advance`. There has to be a step before.
    """
    return _move(connection, trial, -1, now, reason)


def _move(connection: Connection, trial: Trial, by: int, now: dt.datetime, reason: str) -> Trial:
    moved = dataclasses.replace(trial, step=trial.step + by, step_began_at=now)
    state = rollout.set_canary(connection, trial.canary, moved.percent, actor=ACTOR, reason=reason)
    return _write(connection, dataclasses.replace(moved, epoch=state.epoch, sentence=reason))


def take_out(connection: Connection, trial: Trial, reason: str) -> Trial:
    """Take the canary off trial; the caller holds the lock as for `advance`."""
    rollout.roll_back(connection, actor=ACTOR, reason=reason)
    return end_trial(connection, trial, "rolled_back", reason)


def hold(connection: Connection, trial: Trial, reason: str) -> Trial:
    """Leave the share as it is until a person decides."""
    held = _write(connection, dataclasses.replace(trial, status="held", sentence=reason))
    details = {"trial": trial.id, "step": trial.step, "reason": reason}
    audit.append(connection, actor=ACTOR, action="trial.held", subject=trial.canary, details=details)
    return held


def stop_trial(connection: Connection, *, actor: str, reason: str = "") -> Trial:
    """Leave the canary with the share that it has, for people to decide on. Raises Conflict where no trial runs."""
    trial, _ = locked_trial(connection)
    if trial is None:
        raise Conflict("No automatic rollout is under way.")
    because = f": {reason}" if reason else ""
    return end_trial(connection, trial, "stood_back", f"{actor} stopped the automatic rollout{because}.", actor=actor)


def stand_back(connection: Connection, trial: Trial, state: Rollout) -> Trial:
    """End a trial because `state`, the rollout in force, is somebody else's decision."""
    sentence = f"{state.changed_by} decided by hand ({state.action}); the automatic rollout stands back."
    return end_trial(connection, trial, "stood_back", sentence)


def end_trial(connection: Connection, trial: Trial, status: Status, sentence: str, *, actor: str = ACTOR) -> Trial:
    """Write how a trial ended, and close what was said about it."""
    ended = _write(connection, dataclasses.replace(trial, status=status, sentence=sentence, ended_at=utc_now()))
    for kind in ALERTS:
        close_alert(connection, kind, subject=trial.canary)
    details = {"trial": trial.id, "status": status, "step": trial.step, "sentence": sentence}
    audit.append(connection, actor=actor, action="trial.ended", subject=trial.canary, details=details)
    return ended


def locked_trial(connection: Connection) -> tuple[Trial | None, Rollout]:
    """The trial under way and the rollout in force, which nobody else changes until this transaction ends."""
    lock_for_appending(connection, "rollouts")
    return active_trial(connection), current_rollout(connection)


def _write(connection: Connection, trial: Trial) -> Trial:
    connection.execute(trials.update().where(trials.c.id == trial.id).values(**_row(trial)))
    return trial


def _row(trial: Trial) -> dict[str, object]:
    return {one.name: getattr(trial, one.name) for one in dataclasses.fields(Trial)}


def _first(connection: Connection, wanted: sa.Select[tuple[object, ...]]) -> Trial | None:
    row = connection.execute(wanted.order_by(trials.c.began_at.desc(), trials.c.epoch.desc()).limit(1)).first()
    return Trial(**row._mapping) if row is not None else None
