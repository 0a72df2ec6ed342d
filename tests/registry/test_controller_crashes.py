"""A controller that dies at any write neither skips a step nor takes one twice; F1 comes from stored labels."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Connection

from ner.database import Database
from registry import audit
from registry.paired_labels import PairedLabel, f1_evidence, store_labels
from registry.quality_verdicts import PairedCounts
from registry.trials import latest_trial
from registry.verdict_records import list_verdicts, recompute
from tests.registry.canaries import QUALITY, SETTLED, World
from tests.running import wait_until

_WALK = [("set_stable", 0.0), ("canary", 10.0), ("canary", 50.0), ("canary", 100.0), ("promote", 0.0)]
_CONTROLLER = """
import sys, time
from ner.database import Database
from registry.controller import Controller
controller = Controller(Database(sys.argv[1]))
while True:
    controller.tick()
    print("looked", flush=True)
    time.sleep(0.01)
"""


class _Dies(Exception):
    """The process is gone."""


class _Death:
    """Ends whoever writes, at the statement with a number that is counted down."""

    def __init__(self, database: Database) -> None:
        self.writes_left: int | None = None
        sa.event.listen(database.engine, "before_cursor_execute", self._count)

    def _count(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        if self.writes_left is None or not statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE")):
            return
        self.writes_left -= 1
        if self.writes_left < 0:
            raise _Dies


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deaths=st.lists(st.integers(min_value=0, max_value=9), min_size=1, max_size=12))
def test_no_step_is_skipped_or_taken_twice_when_the_controller_dies_at_any_write(
    tmp_path_factory: pytest.TempPathFactory, migrated_file: Path, deaths: list[int]
) -> None:
    database = Database(_copied(migrated_file, tmp_path_factory.mktemp("crash")))
    world, death = World(database), _Death(database)
    world.begin()
    for _ in range(3):
        world.later(0.2)
        world.traffic(canary=SETTLED, stable=SETTLED)
        _tick_until_it_lives(world, death, deaths)
    assert world.shares() == _WALK
    with database.reading() as connection:
        assert [one.action for one in list_verdicts(connection) if one.kind == "decision"] == ["advance"] * 3
        assert recompute(connection).ok
        assert audit.verify(connection).ok
    database.close()


def _copied(migrated_file: Path, folder: Path) -> str:
    shutil.copyfile(migrated_file, folder / "trial.db")
    return f"sqlite:///{folder / 'trial.db'}"


def _tick_until_it_lives(world: World, death: _Death, deaths: list[int]) -> None:
    world.report()
    while deaths:
        death.writes_left = deaths.pop()
        try:
            world.another_controller().tick()
        except _Dies:
            continue
        finally:
            death.writes_left = None
        return
    world.another_controller().tick()


def test_a_real_process_that_is_killed_is_followed_by_one_that_rolls_back_once(
    tmp_path: Path, migrated_file: Path
) -> None:
    url = _copied(migrated_file, tmp_path)
    world = World(Database(url))
    world.begin()
    with _process(url) as first:
        assert first.stdout is not None
        assert first.stdout.readline()
        first.kill()
    world.traffic(canary=200, stable=200, canary_bad=20)
    world.report()
    with _process(url) as second:
        try:
            wait_until(lambda: _status(world) == "rolled_back", what="the rollback")
        finally:
            second.kill()
    assert world.shares() == [("set_stable", 0.0), ("canary", 10.0), ("rollback", 0.0)]
    world.database.close()


def _process(url: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", _CONTROLLER, url], stdout=subprocess.PIPE, text=True)


def _status(world: World) -> str:
    with world.database.reading() as connection:
        found = latest_trial(connection)
    return found.status if found else ""


@pytest.mark.parametrize(("lost", "status", "percent"), [(0.0, "running", 50.0), (0.2, "held", 10.0)])
def test_labels_of_traffic_decide_on_f1_when_the_policy_names_it(
    database: Database, lost: float, status: str, percent: float
) -> None:
    world = World(database, f1=f1_evidence)
    world.begin(QUALITY)
    with database.transaction() as connection:
        _label(connection, lost)
    world.later(0.2)
    world.traffic(canary=SETTLED, stable=SETTLED)
    world.tick()
    assert (world.trial().status, world.shares()[-1][1]) == (status, percent)


def _label(connection: Connection, lost: float) -> None:
    """400 documents with two entities each, of which the canary misses a share more."""
    misses = [1.0 if number < 400 * lost else 0.0 for number in range(400)]
    labels = [
        PairedLabel(f"{number:032x}", 1, "all", PairedCounts(2, 2, 2, 2 - missed, 2 - missed, 2))
        for number, missed in enumerate(misses)
    ]
    store_labels(connection, "1.0.0", "1.1.0", labels)
