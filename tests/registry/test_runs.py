import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

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

from ner import tables
from ner.database import Database, utc_now
from ner.errors import Conflict, InvalidInput, NerError, NotFound, RunCancelled
from registry import audit, runs
from registry.progress import Progress
from registry.runs import MOST_ATTEMPTS, STALE_AFTER_SECONDS, Run


@pytest.fixture
def queue(database: Database) -> Database:
    with database.transaction() as connection:
        connection.execute(
            tables.datasets.insert().values(
                id="d" * 32,
                name="news",
                labels=["per"],
                nesting="flat",
                annotators_required=1,
                created_at=utc_now(),
                created_by="ada",
            )
        )
    return database


def _ask(queue: Database) -> Run:
    with queue.transaction() as connection:
        return runs.request_run(connection, "news", "bilstm_crf.v1", {"epochs": 2}, "ada")


def _claim(queue: Database, worker: str = "one", *, seconds_later: float = 0) -> Run | None:
    with queue.transaction() as connection:
        return runs.claim_run(connection, worker, now=utc_now() + dt.timedelta(seconds=seconds_later))


def _claimed(queue: Database, worker: str = "one", *, seconds_later: float = 0) -> Run:
    run = _claim(queue, worker, seconds_later=seconds_later)
    assert run is not None
    return run


def _stored(queue: Database, run: Run) -> Run:
    with queue.reading() as connection:
        return runs.get_run(connection, run.id)


def test_a_run_is_refused_when_its_dataset_does_not_exist(queue: Database) -> None:
    with pytest.raises(NotFound, match=r"There is no dataset 'nwes'.*known: news"), queue.transaction() as connection:
        runs.request_run(connection, "nwes", "bilstm_crf.v1", {}, "ada")


@pytest.mark.parametrize(
    ("recipe", "parameters", "kind"),
    [
        ("lstm", {}, NotFound),
        ("bilstm_crf.v1", {"layers": 2}, InvalidInput),
        ("bilstm_crf.v1", {"epochs": 0}, InvalidInput),
    ],
)
def test_a_run_is_refused_when_its_recipe_cannot_be_trained(
    queue: Database, recipe: str, parameters: dict[str, int], kind: type[NerError]
) -> None:
    with pytest.raises(kind), queue.transaction() as connection:
        runs.request_run(connection, "news", recipe, parameters, "ada")
    with queue.reading() as connection:
        assert runs.list_runs(connection) == []


def test_runs_are_claimed_in_the_order_they_were_asked_for(queue: Database) -> None:
    asked = [_ask(queue).id for _ in range(3)]
    assert [_claimed(queue).id for _ in range(3)] == asked
    assert _claim(queue) is None


def test_every_run_is_claimed_once_when_many_claim_at_the_same_time(queue: Database) -> None:
    asked = {_ask(queue).id for _ in range(12)}
    workers = 6
    start = Barrier(workers)

    def work(worker: int) -> list[str]:
        start.wait()
        mine = []
        while (run := _claim(queue, f"worker {worker}")) is not None:
            mine.append(run.id)
        return mine

    with ThreadPoolExecutor(workers) as pool:
        taken = [run_id for mine in pool.map(work, range(workers)) for run_id in mine]
    assert sorted(taken) == sorted(asked)


def test_one_of_many_gets_a_run_when_its_worker_fell_silent(queue: Database) -> None:
    _ask(queue)
    lost = _claimed(queue)
    workers = 6
    start = Barrier(workers)

    def take_over(worker: int) -> Run | None:
        start.wait()
        return _claim(queue, f"worker {worker}", seconds_later=STALE_AFTER_SECONDS + 5)

    with ThreadPoolExecutor(workers) as pool:
        takers = [run for run in pool.map(take_over, range(workers)) if run is not None]
    assert [(run.id, run.attempts) for run in takers] == [(lost.id, 2)]


def test_a_run_is_left_alone_when_its_heart_beats(queue: Database) -> None:
    _ask(queue)
    run = _claimed(queue)
    with queue.transaction() as connection:
        later = utc_now() + dt.timedelta(seconds=STALE_AFTER_SECONDS)
        assert runs.heartbeat(connection, run, Progress("training", 0.5, epoch=1), now=later) is False
    assert _claim(queue, "two", seconds_later=STALE_AFTER_SECONDS + 20) is None
    assert _stored(queue, run).progress["epoch"] == 1
    assert _claimed(queue, "two", seconds_later=2 * STALE_AFTER_SECONDS + 1).attempts == 2


def test_a_silent_run_fails_when_it_was_tried_three_times(queue: Database) -> None:
    _ask(queue)
    for attempt in range(MOST_ATTEMPTS):
        run = _claimed(queue, seconds_later=attempt * 100)
        assert run.attempts == attempt + 1
    assert _claim(queue, seconds_later=MOST_ATTEMPTS * 100) is None
    ended = _stored(queue, run)
    assert ended.status == "failed"
    assert ended.error is not None
    assert "tried 3 times" in ended.error


@pytest.mark.parametrize(
    "write",
    [
        lambda connection, run: runs.heartbeat(connection, run),
        lambda connection, run: runs.note_snapshot(connection, run, "s"),
        lambda connection, run: runs.finish_run(connection, run, Progress(), version="1.0.0", result={}),
        lambda connection, run: runs.fail_run(connection, run, "It failed."),
        lambda connection, run: runs.mark_cancelled(connection, run),
        lambda connection, run: runs.give_back(connection, run),
        lambda connection, run: runs.give_up(connection, run, "died"),
    ],
    ids=["heartbeat", "note_snapshot", "finish", "fail", "mark_cancelled", "give_back", "give_up"],
)
def test_a_worker_writes_nothing_when_another_took_its_run_over(
    queue: Database, write: Callable[[sa.Connection, Run], object]
) -> None:
    _ask(queue)
    lost = _claimed(queue)
    taken = _claimed(queue, seconds_later=STALE_AFTER_SECONDS + 1)
    before = _stored(queue, taken)
    with pytest.raises(Conflict, match="no longer this worker's"), queue.transaction() as connection:
        write(connection, lost)
    assert _stored(queue, taken) == before


def test_a_waiting_run_is_cancelled_at_once_when_asked(queue: Database) -> None:
    run = _ask(queue)
    with queue.transaction() as connection:
        assert runs.request_cancel(connection, run.id, "bob").status == "cancelled"
        assert runs.request_cancel(connection, run.id, "bob").status == "cancelled"
    assert _claim(queue) is None
    with queue.reading() as connection:
        entries, total = audit.list_entries(connection)
    assert [(entry.actor, entry.action) for entry in entries] == [
        ("bob", "run.cancel_requested"),
        ("ada", "run.requested"),
    ]
    assert total == 2


def test_a_running_run_hears_of_its_cancellation_and_cannot_finish_when_asked(queue: Database) -> None:
    _ask(queue)
    run = _claimed(queue)
    with queue.transaction() as connection:
        assert runs.request_cancel(connection, run.id, "bob").status == "running"
    with queue.transaction() as connection:
        assert runs.heartbeat(connection, run) is True
    with pytest.raises(RunCancelled), queue.transaction() as connection:
        runs.finish_run(connection, run, Progress(), version="1.0.0", result={})
    assert _claim(queue, seconds_later=STALE_AFTER_SECONDS + 1) is None
    assert _stored(queue, run).status == "cancelled"


def test_cancelling_is_refused_when_the_run_has_ended(queue: Database) -> None:
    _ask(queue)
    run = _claimed(queue)
    with queue.transaction() as connection:
        runs.fail_run(connection, run, "The data is too small.")
    with pytest.raises(Conflict, match="failed already"), queue.transaction() as connection:
        runs.request_cancel(connection, run.id, "bob")


def test_a_run_keeps_its_place_and_its_attempts_when_it_is_given_back(queue: Database) -> None:
    first, second = _ask(queue), _ask(queue)
    for _ in range(MOST_ATTEMPTS + 2):
        run = _claimed(queue)
        assert (run.id, run.attempts) == (first.id, 1)
        with queue.transaction() as connection:
            runs.give_back(connection, run)
    assert [_claimed(queue).id, _claimed(queue).id] == [first.id, second.id]


def test_unfinished_runs_fail_when_they_are_superseded(queue: Database) -> None:
    waiting, running = _ask(queue), _ask(queue)
    with queue.transaction() as connection:
        running = runs.claim_this_run(connection, running.id, "one")
        assert runs.supersede(connection, "news", "ada", "A later one took its place.") == 2
        assert runs.supersede(connection, "news", "ada", "A later one took its place.") == 0
    assert {_stored(queue, run).status for run in (waiting, running)} == {"failed"}
    with pytest.raises(Conflict), queue.transaction() as connection:
        runs.finish_run(connection, running, Progress(), version="1.0.0", result={})


def test_the_newest_run_is_listed_first(queue: Database) -> None:
    asked = [_ask(queue).id for _ in range(3)]
    with queue.reading() as connection:
        assert [run.id for run in runs.list_runs(connection)] == asked[::-1]
        assert [run.id for run in runs.list_runs(connection, limit=1)] == asked[-1:]


class _QueueMachine(RuleBasedStateMachine):
    """Workers that claim, die, wake up again and write late, against a queue described by three dictionaries."""

    queue: Database

    def __init__(self) -> None:
        super().__init__()
        self.now = utc_now()
        self.order: list[str] = []
        self.status: dict[str, str] = {}
        self.attempts: dict[str, int] = {}
        self.heard: dict[str, dt.datetime] = {}
        self.to_cancel: set[str] = set()
        self.claims: list[Run] = []
        self.holder: dict[str, Run] = {}

    @initialize()
    def empty(self) -> None:
        with self.queue.transaction() as connection:
            connection.execute(tables.runs.delete())

    @rule()
    def ask(self) -> None:
        run = _ask(self.queue)
        self.order.append(run.id)
        self.status[run.id], self.attempts[run.id] = "queued", 0

    @rule(seconds=st.sampled_from([1, 20, STALE_AFTER_SECONDS + 1]))
    def time_passes(self, seconds: int) -> None:
        self.now += dt.timedelta(seconds=seconds)

    @rule()
    def claim(self) -> None:
        expected = None
        for run_id in self.order:
            silent = self.status[run_id] == "running" and (self.now - self.heard[run_id]).seconds > STALE_AFTER_SECONDS
            if self.status[run_id] != "queued" and not silent:
                continue
            if run_id in self.to_cancel:
                self.status[run_id] = "cancelled"
            elif self.attempts[run_id] == MOST_ATTEMPTS:
                self.status[run_id] = "failed"
            else:
                expected = run_id
                break
        with self.queue.transaction() as connection:
            run = runs.claim_run(connection, "worker", now=self.now)
        assert (run.id if run else None) == expected
        if run is not None:
            self.status[run.id], self.heard[run.id] = "running", self.now
            self.attempts[run.id] += 1
            self.claims.append(run)
            self.holder[run.id] = run

    @precondition(lambda self: self.claims)
    @rule(choice=st.data(), deed=st.sampled_from(["heartbeat", "finish", "fail", "give_back", "give_up"]))
    def write(self, choice: st.DataObject, deed: str) -> None:
        run = choice.draw(st.sampled_from(self.claims))
        is_mine = self.holder.get(run.id) is run and self.status[run.id] == "running"
        cancels = run.id in self.to_cancel
        try:
            with self.queue.transaction() as connection:
                if deed == "heartbeat":
                    assert runs.heartbeat(connection, run, now=self.now) == cancels
                elif deed == "finish":
                    runs.finish_run(connection, run, Progress(), version="1.0.0", result={})
                elif deed == "fail":
                    runs.fail_run(connection, run, "It failed.")
                elif deed == "give_back":
                    runs.give_back(connection, run)
                else:
                    runs.give_up(connection, run, "died")
        except Conflict:
            assert not is_mine
            return
        except RunCancelled:
            assert deed == "finish"
            assert cancels
            return
        assert is_mine
        if deed == "heartbeat":
            self.heard[run.id] = self.now
        elif deed == "give_back":
            self.status[run.id] = "queued"
            self.attempts[run.id] -= 1
        elif deed == "give_up":
            over = "failed" if self.attempts[run.id] == MOST_ATTEMPTS else "queued"
            self.status[run.id] = "cancelled" if cancels else over
        else:
            self.status[run.id] = {"finish": "finished", "fail": "failed"}[deed]

    @precondition(lambda self: self.order)
    @rule(choice=st.data())
    def cancel(self, choice: st.DataObject) -> None:
        run_id = choice.draw(st.sampled_from(self.order))
        over = self.status[run_id] in ("finished", "failed")
        try:
            with self.queue.transaction() as connection:
                runs.request_cancel(connection, run_id, "bob")
        except Conflict:
            assert over
            return
        assert not over
        if self.status[run_id] == "queued":
            self.status[run_id] = "cancelled"
        elif self.status[run_id] == "running":
            self.to_cancel.add(run_id)

    @invariant()
    def the_database_says_the_same(self) -> None:
        with self.queue.reading() as connection:
            stored = {run.id: (run.status, run.attempts) for run in runs.list_runs(connection)}
        assert stored == {run_id: (self.status[run_id], self.attempts[run_id]) for run_id in self.order}


def test_the_queue_keeps_its_promises_whatever_workers_and_people_do(queue: Database) -> None:
    machine = type("QueueMachine", (_QueueMachine,), {"queue": queue})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
