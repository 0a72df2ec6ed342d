"""The controller of automatic rollouts: looks at the trial that is under way, judges it, and does what follows.

A crash at any moment leaves a trial as it was before or after a step, for a step is one transaction. Of two
controllers one acts: each takes the rollout's lock and looks again whether the trial still is what it judged.
"""

import datetime as dt
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from ner.database import Database, utc_now
from ner.errors import Conflict
from registry import audit, trials, verdict_records
from registry.alerts import Severity, close_alert, open_alerts, raise_alert
from registry.judges import Evidence, Judgement, judge
from registry.observation import F1Judge, no_f1, observe
from registry.policy import Policy
from registry.rollout import Rollout, current_rollout
from registry.tallies import TallyCounter
from registry.trials import Trial

_PASSING = ("shared_outage", "trial_stale", "trial_investigated")
_OUTAGE: tuple[str, Severity] = ("shared_outage", "critical")
_STALE_SECONDS = 30.0
_SAMPLES_IN_A_STEP = 200
_SAMPLE_SECONDS = (10.0, 900.0)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Observation:
    """A trial as it was judged."""

    trial: Trial
    evidence: Evidence
    judgement: Judgement


class Controller:
    """Call `tick` about once a second, from one thread."""

    def __init__(self, database: Database, *, f1: F1Judge = no_f1, now: Callable[[], dt.datetime] = utc_now) -> None:
        self._database = database
        self._f1 = f1
        self._now = now
        self._counter: tuple[str, TallyCounter] | None = None
        self._stale_since: dt.datetime | None = None

    def tick(self) -> Trial | None:
        """Look once after the trial that is under way; returns it as it is now, None where there is none."""
        with self._database.reading() as connection:
            trial = trials.active_trial(connection)
            if trial is None:
                self._counter = None
                return None
            state = current_rollout(connection)
            seen = self._observed(connection, trial, state) if state.epoch == trial.epoch else None
        if seen is None:
            return self._stand_back(trial)
        action = seen.judgement.action
        is_first = action == "step_back" and trial.step == 0
        if action in ("wait", "investigate") or is_first or (trial.status == "held" and action != "roll_back"):
            return self._note(seen)
        return self._act(seen)

    def _observed(self, connection: Connection, trial: Trial, state: Rollout) -> Observation:
        policy = trial.rules
        if self._counter is None or self._counter[0] != trial.id:
            self._counter = trial.id, TallyCounter(policy.rate_criteria)
        evidence = observe(
            connection, policy, trial.trialled, self._counter[1], state=state, f1=self._f1, now=self._now()
        )
        return Observation(trial, evidence, judge(policy, evidence, canary=trial.canary, percent=trial.percent))

    def _stand_back(self, trial: Trial) -> Trial | None:
        with self._database.transaction() as connection:
            found, state = trials.locked_trial(connection)
            if not trial.is_same_step(found) or state.epoch == trial.epoch:
                return found
            _log.info("Version %s: %s decided by hand; the automatic rollout ends.", trial.canary, state.changed_by)
            return trials.stand_back(connection, trial, state)

    def _act(self, seen: Observation) -> Trial | None:
        """Do what the judgement says, unless the trial is no longer what was judged."""
        with self._database.transaction() as connection:
            found, state = trials.locked_trial(connection)
            if not seen.trial.is_same_step(found) or state.epoch != seen.trial.epoch:
                return found
            after = self._moved(connection, seen)
            details = {
                "trial": seen.trial.id,
                "step": seen.trial.step,
                "action": seen.judgement.action,
                "verdict": self._keep(connection, seen, "decision"),
            }
            audit.append(
                connection, actor=trials.ACTOR, action="trial.decided", subject=seen.trial.canary, details=details
            )
        _log.info("Version %s, step %d: %s. %s", after.canary, after.step, seen.judgement.action, after.sentence)
        return after

    def _moved(self, connection: Connection, seen: Observation) -> Trial:
        trial, judgement = seen.trial, seen.judgement
        if judgement.action == "advance":
            try:
                with connection.begin_nested():
                    after = trials.advance(connection, trial, self._now(), judgement.sentence)
            except Conflict as fact:
                return self._hold(connection, trial, fact.message)
            for kind in _PASSING:
                close_alert(connection, kind, subject=trial.canary)
            return after
        if judgement.action == "step_back":
            raise_alert(connection, *_OUTAGE, judgement.sentence, subject=trial.canary)
            return trials.step_back(connection, trial, self._now(), judgement.sentence)
        if judgement.action == "roll_back":
            after = trials.take_out(connection, trial, judgement.sentence)
            sentence = f"Rolled back: {judgement.sentence}"
            raise_alert(connection, "canary_rolled_back", "warning", sentence, subject=trial.canary)
            return after
        return self._hold(connection, trial, judgement.sentence)

    def _hold(self, connection: Connection, trial: Trial, sentence: str) -> Trial:
        asked = f"A person has to decide: {sentence}"
        raise_alert(connection, "trial_held", "warning", asked, subject=trial.canary)
        return trials.hold(connection, trial, sentence)

    def _note(self, seen: Observation) -> Trial | None:
        """Keep alerts true, and now and then a sample of the verdict."""
        wanted = self._alerts_of(seen)
        with self._database.reading() as connection:
            last = verdict_records.newest_moment(connection, seen.trial.id)
            told = {
                alert.kind: (alert.severity, alert.sentence)
                for alert in open_alerts(connection, subject=seen.trial.canary)
                if alert.kind in _PASSING
            }
        is_due = last is None or (self._now() - last).total_seconds() >= _sample_seconds(seen.trial.rules)
        if not is_due and {*wanted} == {*told}:
            return seen.trial
        with self._database.transaction() as connection:
            found, state = trials.locked_trial(connection)
            if not seen.trial.is_same_step(found) or state.epoch != seen.trial.epoch:
                return found
            for kind, (severity, sentence) in wanted.items():
                raise_alert(connection, kind, severity, sentence, subject=seen.trial.canary)
            for kind in {*told} - {*wanted}:
                close_alert(connection, kind, subject=seen.trial.canary)
            if is_due:
                self._keep(connection, seen, "sample")
        return seen.trial

    def _keep(self, connection: Connection, seen: Observation, kind: str) -> str:
        """Write the verdict down and return its hash."""
        body = verdict_records.body_of(seen.trial, seen.evidence, seen.judgement)
        action = seen.judgement.action
        verdict_records.keep(connection, seen.trial, body, kind=kind, action=action, now=self._now())
        return verdict_records.seal_of(body)

    def _alerts_of(self, seen: Observation) -> Mapping[str, tuple[Severity, str]]:
        """What people have to be told while it lasts, by the kind of alert."""
        now = self._now()
        self._stale_since = (self._stale_since or now) if seen.evidence.stale else None
        if self._stale_since is not None:
            is_long = (now - self._stale_since).total_seconds() >= _STALE_SECONDS
            return {"trial_stale": ("warning", seen.evidence.stale)} if is_long else {}
        if seen.judgement.is_shared_outage:
            kind, severity = _OUTAGE
            return {kind: (severity, seen.judgement.sentence)}
        if seen.judgement.action == "investigate":
            return {"trial_investigated": ("warning", seen.judgement.sentence)}
        return {}


def _sample_seconds(policy: Policy) -> float:
    """How often a verdict is kept although nothing was done."""
    least, most = _SAMPLE_SECONDS
    return min(most, max(least, policy.longest_hours * 3600 / _SAMPLES_IN_A_STEP))
