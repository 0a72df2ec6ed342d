"""Whatever happens to controllers, people, clocks, figures and the database: the rollout is what evidence allows.

Hypothesis plays all of it in any order; after every move the whole history in the database is read anew and held
against rules that are stated here without the controller's help.
"""

import datetime as dt
import json
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ner.database import Database, utc_now
from ner.errors import NerError
from ner.tables import metadata, rollouts, trials, verdicts
from registry import audit, rollout
from registry.controller import Controller, Observation
from registry.policy import read_policy
from registry.process_reports import ProcessReport, report
from registry.trials import ACTOR, Trial, active_trial, start_trial, stop_trial
from registry.verdict_records import recompute
from tests.builders import registered
from tests.registry.canaries import POLICY, SETTLED, log_answers
from tests.registry.faults import Fault, Faults

VERSIONS = ("1.0.0", "1.1.0", "1.2.0")
QUICK = POLICY.replace("[10, 50, 100]", "[25, 100]").replace("shortest_hours: 0.1", "shortest_hours: 0.02")
POLICIES = (POLICY, QUICK, POLICY.replace("on_breach: roll_back", "on_breach: hold"))
_FAULTS: st.SearchStrategy[tuple[Fault | None, int]] = st.one_of(
    st.just((None, 0)),
    st.tuples(st.just("killed"), st.integers(0, 12)),
    st.tuples(st.just("database error"), st.integers(0, 25)),
    st.tuples(st.just("commit fails"), st.integers(0, 1)),
)  # type: ignore[arg-type]
_DEEDS = st.sampled_from(["stop", "roll back", "promote", "share", "edit policy", "another canary"])


class _Interrupted(Controller):
    """A controller between whose look and whose act something else happens, and whose success may go unheard."""

    meanwhile: Callable[[], object] | None = None
    is_unheard = False

    def _between(self) -> None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()

    def _act(self, seen: Observation) -> Trial | None:
        self._between()
        acted = super()._act(seen)
        if self.is_unheard:
            raise sa.exc.OperationalError("COMMIT", None, Exception("the answer was lost"))
        return acted

    def _note(self, seen: Observation) -> Trial | None:
        self._between()
        return super()._note(seen)

    def _stand_back(self, trial: Trial) -> Trial | None:
        self._between()
        return super()._stand_back(trial)


class Rollouts(RuleBasedStateMachine):
    """Two controllers, a person, and everything that may go wrong."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database, self.now = database, utc_now()
        self.faults = Faults(database)
        with database.transaction() as connection:
            registered(connection, *VERSIONS)
            rollout.set_stable(connection, "1.0.0", actor="ada")
        self.controllers = [self._controller(), self._controller()]

    @initialize(policy=st.sampled_from(POLICIES), earned=st.sampled_from([0, 0, 1, 3]))
    def a_trial_begins(self, policy: str, earned: int) -> None:
        """Some begin far on: by chance alone few would come there."""
        self.a_person_begins("1.1.0", policy)
        for _ in range(earned):
            self.a_step_is_earned(0, (None, 0), False, False)

    def _controller(self) -> _Interrupted:
        return _Interrupted(self.database, now=lambda: self.now)

    def _state(self) -> rollout.Rollout:
        with self.database.reading() as connection:
            return rollout.current_rollout(connection)

    def _by_person(self, change: Callable[[sa.Connection], object]) -> None:
        try:
            with self.database.transaction() as connection:
                change(connection)
        except NerError:
            pass  # refused, as it would be to anybody: nothing happened

    def teardown(self) -> None:
        self.database.close()

    # --- The world ---

    @rule(minutes=st.sampled_from([0.1, 1, 2, 7, 30, 90, -5, -600, 60 * 24 * 40]))
    def time_passes_or_the_clock_jumps(self, minutes: float) -> None:
        self.now += dt.timedelta(minutes=minutes)

    @rule(canary=st.sampled_from([0, 3, 60, SETTLED]), stable=st.sampled_from([0, 60, SETTLED]),
          bad=st.sampled_from([0.0, 0.0, 0.05, 0.5]), stable_bad=st.sampled_from([0.0, 0.0, 0.5]),
          slow=st.sampled_from([0.0, 0.0, 0.3]))  # fmt: skip
    def requests_come(self, canary: int, stable: int, bad: float, stable_bad: float, slow: float) -> None:
        state = self._state()
        with self.database.transaction() as connection:
            if state.canary is not None:
                failed, late = int(canary * bad), int(canary * slow)
                log_answers(connection, self.now, state.canary, "canary", canary, failed=failed, slow=late)
            log_answers(connection, self.now, state.stable or "", "stable", stable, failed=int(stable * stable_bad))

    @rule(memory=st.sampled_from([0.4, 0.4, 0.4, 0.95, float("nan"), None]), behind=st.sampled_from([0.0, 0.0, 600.0]),
          is_late=st.booleans(), process=st.sampled_from(["api:1", "api:2"]))  # fmt: skip
    def a_process_reports(self, memory: float | None, behind: float, is_late: bool, process: str) -> None:
        with self.database.transaction() as connection:
            epoch = rollout.current_rollout(connection).epoch - is_late
            report(connection, ProcessReport(process, self.now, epoch, memory, behind))

    @rule()
    def all_is_well_for_a_while(self) -> None:
        """Enough good requests after a step's time, and both processes say so: what moves a canary on."""
        trial = self._active()
        began = [trial.step_began_at] if trial is not None else []
        self.now = max([self.now, *began]) + dt.timedelta(minutes=8)
        self.requests_come(canary=SETTLED, stable=SETTLED, bad=0.0, stable_bad=0.0, slow=0.0)
        for process in ("api:1", "api:2"):
            self.a_process_reports(memory=0.4, behind=0.0, is_late=False, process=process)

    # --- Controllers ---

    @rule(which=st.integers(0, 1), fault=_FAULTS, is_replaced=st.booleans(),
          is_unheard=st.booleans())  # fmt: skip
    def a_controller_looks(
        self, which: int, fault: tuple[Fault | None, int], is_replaced: bool, is_unheard: bool
    ) -> None:
        controller = self.controllers[which]
        controller.is_unheard = is_unheard and fault[0] is not None
        with self.faults.at(*fault):
            controller.tick()
        controller.is_unheard = False
        if is_replaced:
            self.controllers[which] = self._controller()

    @rule(which=st.integers(0, 1), fault=_FAULTS, is_replaced=st.booleans(),
          is_unheard=st.booleans())  # fmt: skip
    def a_step_is_earned(
        self, which: int, fault: tuple[Fault | None, int], is_replaced: bool, is_unheard: bool
    ) -> None:
        self.all_is_well_for_a_while()
        self.a_controller_looks(which, fault, is_replaced, is_unheard)

    @rule(which=st.integers(0, 1), fault=_FAULTS, bad=st.sampled_from([0.05, 0.3]),
          stable_bad=st.sampled_from([0.0, 0.5]))  # fmt: skip
    def a_limit_is_broken(self, which: int, fault: tuple[Fault | None, int], bad: float, stable_bad: float) -> None:
        self.all_is_well_for_a_while()
        self.requests_come(canary=SETTLED, stable=SETTLED, bad=bad, stable_bad=stable_bad, slow=0.0)
        self.a_controller_looks(which, fault, is_replaced=False, is_unheard=False)

    @rule(which=st.integers(0, 1), is_earned=st.booleans())
    def both_controllers_look_at_once(self, which: int, is_earned: bool) -> None:
        """The second one looks and acts between the look and the act of the first."""
        if is_earned:
            self.all_is_well_for_a_while()
        one, other = self.controllers[which], self.controllers[1 - which]
        one.meanwhile = other.tick
        one.tick()
        one.meanwhile = None

    @rule(which=st.integers(0, 1), deed=_DEEDS, is_earned=st.booleans())
    def a_person_decides_while_a_controller_looks(self, which: int, deed: str, is_earned: bool) -> None:
        if is_earned:
            self.all_is_well_for_a_while()
        controller = self.controllers[which]
        controller.meanwhile = lambda: self._decide(deed)
        controller.tick()
        controller.meanwhile = None

    # --- People ---

    @precondition(lambda self: self._active() is None)
    @rule(version=st.sampled_from(VERSIONS), policy=st.sampled_from(POLICIES))
    def a_person_begins(self, version: str, policy: str) -> None:
        self._by_person(lambda connection: start_trial(connection, version, policy, actor="ada"))

    @rule(deed=_DEEDS, policy=st.sampled_from(POLICIES), percent=st.sampled_from([0.0, 10.0, 30.0, 50.0, 100.0]),
          fault=_FAULTS)  # fmt: skip
    def a_person_decides(self, deed: str, policy: str, percent: float, fault: tuple[Fault | None, int]) -> None:
        with self.faults.at(*fault):
            self._decide(deed, policy, percent)

    def _decide(self, deed: str, policy: str = QUICK, percent: float = 30.0) -> None:
        canary = self._state().canary or "1.1.0"
        deeds: dict[str, Callable[[sa.Connection], object]] = {
            "stop": lambda connection: stop_trial(connection, actor="ada"),
            "roll back": lambda connection: rollout.roll_back(connection, actor="ada"),
            "promote": lambda connection: rollout.promote(connection, actor="ada"),
            "share": lambda connection: rollout.set_canary(connection, canary, percent, actor="ada"),
            # The same canary goes on by another policy; what was under way ends.
            "edit policy": lambda connection: start_trial(connection, canary, policy, actor="ada"),
            "another canary": lambda connection: start_trial(connection, "1.2.0", policy, actor="ada"),
        }
        self._by_person(deeds[deed])

    def _active(self) -> Trial | None:
        with self.database.reading() as connection:
            return active_trial(connection)

    # --- What holds at any time ---

    @invariant()
    def nothing_was_forged_or_lost(self) -> None:
        with self.database.reading() as connection:
            assert audit.verify(connection).ok
            found = recompute(connection)
            assert found.ok, found.problem

    @invariant()
    def every_step_was_earned_once_and_taken_in_order(self) -> None:
        with self.database.reading() as connection:
            changes = connection.execute(sa.select(rollouts).order_by(rollouts.c.epoch)).all()
            decisions = connection.execute(
                sa.select(verdicts).where(verdicts.c.kind == "decision").order_by(verdicts.c.id)
            ).all()
            known = {row.id: row for row in connection.execute(sa.select(trials))}
        assert [change.epoch for change in changes] == list(range(1, len(changes) + 1))
        moving = [row for row in decisions if row.action in ("advance", "step_back", "roll_back")]
        of_epoch = {json.loads(row.body)["epoch"]: row for row in moving if _moved(row, changes)}
        automatic = [change for change in changes if change.changed_by == ACTOR]
        # Each automatic change has its own verdict on the state before it, and no verdict moved anything twice.
        assert [change.epoch - 1 for change in automatic] == sorted(of_epoch)
        for change in automatic:
            _check_step(change, changes[change.epoch - 2], json.loads(of_epoch[change.epoch - 1].body), known)

    @invariant()
    def one_trial_is_under_way_at_most_and_stands_where_its_share_is(self) -> None:
        with self.database.reading() as connection:
            state = rollout.current_rollout(connection)
            active = connection.execute(sa.select(trials).where(trials.c.status.in_(("running", "held")))).all()
        assert len(active) <= 1
        for trial in active:
            if trial.epoch == state.epoch:
                steps = read_policy(trial.policy).steps_percent
                assert (state.canary, state.stable) == (trial.canary, trial.stable)
                assert state.percent == steps[trial.step]
        ended = [trial for trial in active if trial.ended_at is not None]
        assert ended == []


def _moved(decision: Any, changes: list[Any]) -> bool:
    """Whether an automatic change followed; an "advance" that may not be promoted holds instead."""
    epoch = json.loads(decision.body)["epoch"]
    return epoch < len(changes) and changes[epoch].changed_by == ACTOR


def _check_step(change: Any, before: Any, body: dict[str, Any], known: dict[str, Any]) -> None:
    """One automatic change, against the verdict that led to it and the state that it changed."""
    judged, evidence, trial = body["judgement"], body["evidence"], known[body["trial"]]
    policy = read_policy(body["policy"])
    steps, step = policy.steps_percent, body["step"]
    assert policy == read_policy(trial.policy)
    assert (before.canary, before.stable, before.canary_percent) == (trial.canary, trial.stable, steps[step])
    assert evidence["stale"] == ""
    if judged["action"] == "roll_back":
        assert (change.action, change.canary) == ("rollback", None)
        assert judged["verdict"] == "fail"
        assert any(one["verdict"] == "fail" for one in judged["criteria"])
        return
    if judged["action"] == "step_back":
        assert (change.action, change.canary_percent) == ("canary", steps[step - 1])
        assert step > 0
        return
    assert judged["action"] == "advance"
    # No share grows, and nothing is promoted, without evidence on every limit and the whole time of the step.
    assert {one["verdict"] for one in judged["criteria"]} == {"pass"}
    assert evidence["hours_in_step"] >= policy.shortest_hours
    assert all(evidence["step"][one.name]["requests"] > 0 for one in policy.rate_criteria)
    if step + 1 == len(steps):
        assert (change.action, change.stable, change.canary) == ("promote", trial.canary, None)
    else:
        assert (change.action, change.canary_percent) == ("canary", steps[step + 1])


_ANY = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


@pytest.mark.slow
def test_the_rollout_is_what_evidence_allows_whatever_happens(tmp_path: Path, migrated_file: Path) -> None:
    def machine() -> Rollouts:
        path = tmp_path / f"{uuid.uuid4().hex}.db"
        shutil.copyfile(migrated_file, path)
        return Rollouts(Database(f"sqlite:///{path}"))

    run_state_machine_as_test(
        machine, settings=settings(max_examples=6, stateful_step_count=30, deadline=None, suppress_health_check=_ANY)
    )


def test_the_machine_comes_as_far_as_a_promotion(tmp_path: Path, migrated_file: Path) -> None:
    """One that did not would prove nothing."""
    path = tmp_path / "one.db"
    shutil.copyfile(migrated_file, path)
    machine = Rollouts(Database(f"sqlite:///{path}"))
    machine.a_trial_begins(QUICK, 3)

    with machine.database.reading() as connection:
        changes = sa.select(rollouts.c.action).where(rollouts.c.changed_by == ACTOR).order_by(rollouts.c.epoch)
        actions = list(connection.scalars(changes))
    assert actions == ["canary", "promote"]
    machine.every_step_was_earned_once_and_taken_in_order()
    machine.teardown()


@pytest.mark.slow
@pytest.mark.postgres
def test_the_rollout_is_what_evidence_allows_whatever_happens_on_postgresql(postgres_url: str) -> None:
    names = ", ".join(table.name for table in metadata.sorted_tables)

    def machine() -> Rollouts:
        store = Database(postgres_url)
        with store.transaction() as connection:
            connection.execute(sa.text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
        return Rollouts(store)

    run_state_machine_as_test(
        machine, settings=settings(max_examples=3, stateful_step_count=25, deadline=None, suppress_health_check=_ANY)
    )
