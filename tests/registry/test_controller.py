"""What the controller does with a canary: every step earned, nothing done on bad evidence, people first."""

import datetime as dt
import math

import pytest

from ner.database import Database
from ner.errors import Conflict
from registry import audit, rollout
from registry.alerts import acknowledge, list_alerts
from registry.judges import F1Evidence
from registry.tallies import TallyCounter
from registry.trials import start_trial, stop_trial
from registry.verdict_records import list_verdicts, recompute
from registry.versions import register
from tests.builders import a_version
from tests.registry.canaries import POLICY, QUALITY, SETTLED, World


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def alerts(world: World) -> dict[str, str]:
    """The open ones: kind and severity."""
    with world.database.reading() as connection:
        return {alert.kind: alert.severity for alert in list_alerts(connection, only_open=True)}


def test_a_canary_walks_through_every_step_and_is_promoted_when_it_earns_each(world: World) -> None:
    world.begin()
    for _ in range(3):
        world.later(0.05)
        world.traffic(canary=SETTLED, stable=SETTLED)
        waiting = world.tick()
        assert waiting is not None
        assert waiting.status == "running"
        world.later(0.06)
        world.traffic(canary=1)
        world.tick()
    assert world.shares() == [
        ("set_stable", 0.0), ("canary", 10.0), ("canary", 50.0), ("canary", 100.0), ("promote", 0.0),
    ]  # fmt: skip
    assert world.trial().status == "promoted"
    assert world.tick() is None
    with world.database.reading() as connection:
        state = rollout.current_rollout(connection)
        assert (state.stable, state.previous, state.changed_by) == ("1.1.0", "1.0.0", "automatic rollout")
        assert audit.verify(connection).ok
        decisions = [record for record in list_verdicts(connection) if record.kind == "decision"]
        assert [record.action for record in decisions] == ["advance"] * 3
        assert recompute(connection).ok
    assert alerts(world) == {}


def test_a_step_needs_evidence_of_its_own_when_the_last_one_had_plenty(world: World) -> None:
    world.begin()
    world.later(0.2)
    world.traffic(canary=SETTLED, stable=SETTLED)
    world.tick()
    world.later(0.2)
    world.traffic(canary=5)
    found = world.tick()
    assert found is not None
    assert (found.step, found.status) == (1, "running")
    assert world.shares()[-1] == ("canary", 50.0)


def test_a_failing_canary_is_rolled_back_at_once_when_stable_is_well(world: World) -> None:
    world.begin()
    world.traffic(canary=100, canary_bad=12, stable=900)
    ended = world.tick()
    assert ended is not None
    assert ended.status == "rolled_back"
    assert "Error rate: 12 of 100 requests failed (12.00%): above the limit of 1.00%, and worse than 0.00%" in (
        ended.sentence
    )
    assert world.shares()[-1] == ("rollback", 0.0)
    assert alerts(world) == {"canary_rolled_back": "warning"}
    with world.database.transaction() as connection:
        acknowledge(connection, list_alerts(connection)[0].id, actor="grace")
    assert alerts(world) == {}


def test_nothing_is_rolled_back_and_people_are_told_when_both_versions_fail_alike(world: World) -> None:
    world.begin()
    world.traffic(canary=200, canary_bad=60, stable=1800, stable_bad=540)
    found = world.tick()
    assert found is not None
    assert (found.status, world.shares()[-1]) == ("running", ("canary", 10.0))
    assert alerts(world) == {"shared_outage": "critical"}


def at_the_last_step(world: World) -> None:
    world.begin()
    for stable in (20 * SETTLED, SETTLED):
        world.later(0.2)
        world.traffic(canary=SETTLED, stable=stable)
        world.tick()
    world.later(0.01)
    assert world.trial().percent == 100


@pytest.mark.parametrize(
    ("stable_bad", "status", "last", "alert"),
    [
        (30, "running", ("canary", 50.0), {"shared_outage": "critical"}),
        (0, "rolled_back", ("rollback", 0.0), {"canary_rolled_back": "warning"}),
    ],
)
def test_the_canary_steps_back_to_be_compared_when_it_breaks_a_limit_with_all_of_the_traffic(
    world: World, stable_bad: int, status: str, last: tuple[str, float], alert: dict[str, str]
) -> None:
    at_the_last_step(world)
    # The stable version answers only where the canary failed.
    world.traffic(canary=200, canary_bad=60, stable=60, stable_bad=20)
    world.tick()
    back = world.trial()
    assert (back.status, back.step, world.shares()[-1]) == ("running", 1, ("canary", 50.0))
    assert "Whether 1.1.0 is to blame cannot be told while nobody answers beside it" in back.sentence
    assert alerts(world) == {"shared_outage": "critical"}
    world.tick()
    assert (world.trial().step, alerts(world)) == (1, {"shared_outage": "critical"})
    world.later(0.001)
    world.traffic(canary=100, canary_bad=30, stable=100, stable_bad=stable_bad)
    world.tick()
    assert (world.trial().status, world.shares()[-1]) == (status, last)
    assert alerts(world) == alert
    with world.database.reading() as connection:
        assert recompute(connection).ok


def test_people_are_told_and_the_share_stays_when_the_only_step_is_all_of_the_traffic(world: World) -> None:
    world.begin(POLICY.replace("[10, 50, 100]", "[100]"))
    world.traffic(canary=200, canary_bad=60)
    world.tick()
    assert (world.trial().status, world.shares()[-1]) == ("running", ("canary", 100.0))
    assert alerts(world) == {"shared_outage": "critical"}


def test_the_alert_of_an_outage_is_closed_and_the_canary_goes_on_when_it_is_over(world: World) -> None:
    world.begin()
    world.traffic(canary=60, canary_bad=6, stable=600, stable_bad=60)
    world.tick()
    assert alerts(world) == {"shared_outage": "critical"}
    world.later(0.2)
    world.traffic(canary=4000, stable=36_00)
    world.tick()
    assert alerts(world) == {}
    assert world.shares()[-1] == ("canary", 50.0)


def test_a_slow_canary_is_investigated_and_rolled_back_when_it_still_is_slow_at_the_end(world: World) -> None:
    world.begin()
    world.later(0.2)
    world.traffic(canary=400, slow=80, stable=4000)
    world.tick()
    assert world.trial().status == "running"
    assert alerts(world) == {"trial_investigated": "warning"}
    world.later(0.9)
    world.traffic(canary=1)
    world.tick()
    assert world.trial().status == "rolled_back"


def test_a_canary_is_held_for_a_person_when_memory_is_short(world: World) -> None:
    world.begin()
    world.later(0.2)
    world.traffic(canary=SETTLED, stable=SETTLED)
    world.report(memory=0.85)
    world.tick(reports=False)
    assert world.trial().status == "held"
    assert alerts(world) == {"trial_held": "warning"}
    # Memory is free again, but a person has been asked: nothing goes on by itself.
    world.tick()
    assert (world.trial().status, world.shares()[-1]) == ("held", ("canary", 10.0))
    # What rolls back does so all the same.
    world.traffic(canary=100, canary_bad=40)
    world.tick()
    assert world.trial().status == "rolled_back"


def test_a_person_is_asked_when_the_longest_bake_is_over_without_an_answer(world: World) -> None:
    world.begin()
    world.later(1.01)
    world.traffic(canary=20, stable=180)
    world.tick()
    held = world.trial()
    assert held.status == "held"
    assert "has baked for 61 minutes without an answer on error rate, p95 latency" in held.sentence
    assert alerts(world) == {"trial_held": "warning"}


def test_a_held_canary_goes_on_from_its_step_when_a_person_says_so(world: World) -> None:
    world.begin()
    world.later(0.2)
    world.traffic(canary=SETTLED, stable=SETTLED)
    world.tick()
    world.later(1.01)
    world.tick()
    assert world.trial().status == "held"
    again = world.begin()
    assert (again.step, again.percent, again.status) == (1, 50.0, "running")
    assert alerts(world) == {}


@pytest.mark.parametrize(
    ("memory", "behind", "reports", "words"),
    [
        (0.4, 0.0, False, "No API process has reported"),
        (0.4, 45.0, True, "prediction log of api:1 is 45 seconds behind"),
    ],
)
@pytest.mark.parametrize("bad", [0, 60])
def test_nothing_is_done_when_the_counts_are_stale(
    world: World, memory: float, behind: float, reports: bool, words: str, bad: int
) -> None:
    world.begin()
    world.later(0.2)
    world.traffic(canary=SETTLED, canary_bad=bad, stable=SETTLED)
    if reports:
        world.report(memory=memory, behind=behind)
    world.tick(reports=False)
    assert (world.trial().status, world.shares()[-1]) == ("running", ("canary", 10.0))
    assert alerts(world) == {}
    world.later(0.01)
    if reports:
        world.report(memory=memory, behind=behind)
    world.tick(reports=False)
    assert alerts(world) == {"trial_stale": "warning"}
    with world.database.reading() as connection:
        assert words in list_alerts(connection)[0].sentence
    world.tick()
    assert world.trial().status == ("rolled_back" if bad else "running")
    assert world.shares()[-1] == (("rollback", 0.0) if bad else ("canary", 50.0))


def test_nothing_is_done_when_the_canary_has_fallen_silent(world: World) -> None:
    world.begin()
    world.later(0.05)
    world.traffic(canary=SETTLED, stable=SETTLED)
    world.later(0.2)
    world.tick()
    assert world.shares()[-1] == ("canary", 10.0)
    world.traffic(canary=1)
    world.tick()
    assert world.shares()[-1] == ("canary", 50.0)


def test_nothing_is_done_when_no_process_follows_the_rollout(world: World) -> None:
    world.report()
    world.begin()
    world.traffic(canary=100, canary_bad=40)
    world.tick(reports=False)
    assert world.trial().status == "running"


@pytest.mark.parametrize("memory", [None, math.inf])
def test_nothing_is_promoted_when_memory_is_not_known(world: World, memory: float | None) -> None:
    world.begin()
    world.later(0.2)
    world.traffic(canary=SETTLED, stable=SETTLED)
    world.report(memory=memory)
    world.tick(reports=False)
    assert (world.trial().status, world.shares()[-1]) == ("running", ("canary", 10.0))


@pytest.mark.parametrize(
    ("f1", "status", "percent"),
    [
        (None, "running", 10.0),
        (F1Evidence(0.001, -0.012, 0.014, "labels", ""), "running", 50.0),
        (F1Evidence(-0.05, -0.07, -0.03, "labels", ""), "held", 10.0),
        (F1Evidence(-0.01, -0.03, 0.01, "labels", ""), "running", 10.0),
    ],
)
def test_f1_is_a_criterion_like_the_others_when_the_policy_names_it(
    database: Database, f1: F1Evidence | None, status: str, percent: float
) -> None:
    world = World(database, f1=lambda *_: f1)
    world.begin(QUALITY)
    world.later(0.2)
    world.traffic(canary=SETTLED, stable=SETTLED)
    world.tick()
    assert (world.trial().status, world.shares()[-1][1]) == (status, percent)


@pytest.mark.parametrize("step", ["share", "promotion", "rollback"])
def test_the_controller_stands_back_when_a_person_decides(world: World, step: str) -> None:
    world.begin()
    with world.database.transaction() as connection:
        if step == "share":
            rollout.set_canary(connection, "1.1.0", 33, actor="grace")
        elif step == "promotion":
            rollout.promote(connection, actor="grace")
        else:
            rollout.roll_back(connection, actor="grace")
    before = world.shares()
    world.traffic(canary=100, canary_bad=40)
    world.tick()
    assert world.trial().status == "stood_back"
    assert "grace decided by hand" in world.trial().sentence
    world.tick()
    assert world.shares() == before


def test_the_share_stays_when_a_person_stops_the_automatic_rollout(world: World) -> None:
    world.begin()
    with world.database.transaction() as connection:
        stopped = stop_trial(connection, actor="grace", reason="I want to look")
        assert stopped.sentence == "grace stopped the automatic rollout: I want to look."
        with pytest.raises(Conflict, match="No automatic rollout"):
            stop_trial(connection, actor="grace")
    world.traffic(canary=100, canary_bad=40)
    assert world.tick() is None
    assert world.shares()[-1] == ("canary", 10.0)


def test_only_one_of_two_controllers_acts_when_both_have_judged_the_same_step(world: World) -> None:
    world.begin()
    world.later(0.2)
    world.traffic(canary=SETTLED, stable=SETTLED)
    world.report()
    other = world.another_controller()
    late = _judged(world)
    other.tick()
    after = late._act(late.seen)  # type: ignore[attr-defined]
    assert after is not None
    assert after.step == 1
    assert world.shares() == [("set_stable", 0.0), ("canary", 10.0), ("canary", 50.0)]


def _judged(world: World) -> object:
    """A controller that has looked and not acted yet."""
    controller = world.another_controller()
    act = controller._act
    controller._act = lambda seen: setattr(controller, "seen", seen) or None  # type: ignore[method-assign,func-returns-value]
    controller.tick()
    controller._act = act  # type: ignore[method-assign]
    return controller


def test_a_trial_is_refused_when_it_could_not_end_well(world: World) -> None:
    performance = {"f1": 0.9, "behaviour": {"broken": [{"text": "Ada lives in Berlin"}]}}
    with world.database.transaction() as connection:
        register(connection, a_version("1.2.0", performance=performance))
        with pytest.raises(Conflict, match="must-pass"):
            start_trial(connection, "1.2.0", POLICY, actor="ada")


def test_the_tallies_are_the_same_when_they_are_counted_in_parts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.tallies._SETTLED_SECONDS", -1.0)
    trial = world.begin()
    counter = TallyCounter(trial.rules.rate_criteria)
    for number in range(6):
        world.now += dt.timedelta(seconds=10)
        world.traffic(canary=10 + number, canary_bad=number, slow=2, stable=20, stable_bad=1)
        if number == 3:
            world.later(0.2)
            world.traffic(canary=2000, stable=10)
            world.tick()
            trial = world.trial()
            assert trial.step == 1
        with world.database.reading() as connection:
            whole = TallyCounter(trial.rules.rate_criteria).count(connection, trial.trialled)
            assert counter.count(connection, trial.trialled) == whole
