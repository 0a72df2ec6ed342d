"""The log of predictions: never in the way, never half-written."""

import contextlib
import dataclasses
import datetime as dt
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Connection

from ner import tables
from ner.database import Database, utc_now
from registry.log_batches import batch_of, unpack
from registry.log_spool import Spool
from registry.prediction_log import CapturedText, LoggedPrediction, PredictionLog


def _row(number: int) -> LoggedPrediction:
    return LoggedPrediction(
        request_id=f"request {number}",
        at=utc_now(),
        version="1.0.0",
        variant="stable",
        status=200,
        latency_ms=1.5,
        cached=False,
        key_id="key",
        characters=10,
        tokens=3,
        unknown_tokens=1,
        entities={"per": 1},
        lowest_confidence=0.5,
        confidences=[0] * 10,
        word_sample=[1, -2],
    )


def _kept_nothing(_connection: Connection, _text: CapturedText) -> None:
    raise AssertionError("No text was given.")


def _ids(database: Database) -> list[str]:
    with database.reading() as connection:
        return list(connection.scalars(sa.select(tables.predictions.c.request_id).order_by(tables.predictions.c.id)))


def test_rows_are_written_in_their_order_over_several_batches(database: Database) -> None:
    log = PredictionLog(database, _kept_nothing, batch=3)
    for number in range(8):
        log.put(_row(number))

    log.flush()

    assert _ids(database) == [f"request {number}" for number in range(8)]
    assert (log.waiting, log.dropped) == (0, 0)


def test_what_waits_is_written_when_the_log_stops(database: Database) -> None:
    log = PredictionLog(database, _kept_nothing, pause_seconds=3600)
    log.start()
    log.put(_row(1))

    log.stop()

    assert _ids(database) == ["request 1"]


def test_new_rows_are_dropped_and_counted_when_the_queue_is_full(database: Database) -> None:
    log = PredictionLog(database, _kept_nothing, capacity=2)
    for number in range(5):
        log.put(_row(number))

    log.flush()

    assert _ids(database) == ["request 0", "request 1"]
    assert log.dropped == 3


def test_rows_wait_in_their_order_while_the_database_is_away(database: Database) -> None:
    class Away:
        is_away = True

        @contextlib.contextmanager
        def transaction(self) -> Iterator[Connection]:
            if self.is_away:
                raise sa.exc.OperationalError("INSERT", {}, ConnectionError("no route to host"))
            with database.transaction() as connection:
                yield connection

    store = Away()
    log = PredictionLog(store, _kept_nothing, batch=2)  # type: ignore[arg-type]
    for number in range(5):
        log.put(_row(number))
    with pytest.raises(sa.exc.OperationalError):
        log.flush()
    assert log.waiting == 5

    store.is_away = False
    log.flush()

    assert _ids(database) == [f"request {number}" for number in range(5)]


def test_a_batch_that_can_never_be_written_does_not_hold_up_the_next(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_connection: Connection, _text: CapturedText) -> None:
        raise ValueError("this text cannot be kept")

    log = PredictionLog(database, refuse, batch=1)
    log.put(CapturedText("request 0", "John", "1.0.0", 0.1))
    log.put(_row(1))

    with caplog.at_level(logging.ERROR):
        log.flush()

    assert _ids(database) == ["request 1"]
    assert log.dropped == 1


def test_a_captured_text_is_kept_in_the_same_transaction_as_its_row(database: Database) -> None:
    kept: list[str] = []

    def keep(connection: Connection, text: CapturedText) -> None:
        assert connection.in_transaction()
        kept.append(text.text)

    log = PredictionLog(database, keep)
    log.put(_row(1))
    log.put(CapturedText("request 1", "John", "1.0.0", 0.1))
    log.flush()

    assert kept == ["John"]


class Unsteady:
    """A database that can be away, and that can lose the answer to a commit."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.is_away = False
        self.loses_answers = False

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        if self.is_away:
            raise sa.exc.OperationalError("INSERT", {}, ConnectionError("no route to host"))
        with self.database.transaction() as connection:
            yield connection
        if self.loses_answers:
            raise sa.exc.OperationalError("COMMIT", {}, ConnectionError("connection reset"))


def _spooling(store: object, folder: Path, *, most_bytes: int = 1 << 20, batch: int = 2) -> PredictionLog:
    return PredictionLog(store, lambda *_: None, spool=Spool(folder, [bytes(32)], most_bytes), batch=batch)  # type: ignore[arg-type]


def _fill(log: PredictionLog, numbers: range) -> None:
    for number in numbers:
        log.put(_row(number))
    with contextlib.suppress(sa.exc.OperationalError):
        log.flush()


def test_rows_wait_on_disk_while_the_database_is_away_and_outlive_the_process(
    database: Database, tmp_path: Path
) -> None:
    store = Unsteady(database)
    store.is_away = True
    first = _spooling(store, tmp_path)
    _fill(first, range(5))
    assert (first.waiting, first.spooled, first.dropped) == (0, 3, 0)

    store.is_away = False
    second = _spooling(store, tmp_path)
    _fill(second, range(5, 7))

    assert _ids(database) == [f"request {number}" for number in range(7)]
    assert (second.waiting, second.spooled) == (0, 0)


def test_a_row_is_written_once_when_the_answer_to_its_commit_was_lost(database: Database, tmp_path: Path) -> None:
    store = Unsteady(database)
    store.loses_answers = True
    log = _spooling(store, tmp_path, batch=10)
    _fill(log, range(3))
    assert log.spooled == 1

    store.loses_answers = False
    log.flush()

    assert _ids(database) == [f"request {number}" for number in range(3)]


def test_a_row_is_written_once_when_two_processes_pick_up_one_spool(database: Database, tmp_path: Path) -> None:
    store = Unsteady(database)
    store.is_away = True
    _fill(_spooling(store, tmp_path, batch=3), range(30))
    store.is_away = False
    logs = [_spooling(store, tmp_path) for _ in range(2)]

    threads = [threading.Thread(target=log.flush) for log in logs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(_ids(database)) == sorted(f"request {number}" for number in range(30))
    assert [log.dropped for log in logs] == [0, 0]


def test_rows_are_dropped_and_counted_when_the_spool_is_full(database: Database, tmp_path: Path) -> None:
    store = Unsteady(database)
    store.is_away = True
    log = _spooling(store, tmp_path, most_bytes=2_000, batch=1)
    _fill(log, range(50))

    assert 0 < log.spooled < 10
    assert log.dropped == 50 - log.spooled
    assert sum(path.stat().st_size for path in tmp_path.glob("*.batch")) <= 2_000


def test_no_text_can_be_read_in_the_spool(database: Database, tmp_path: Path) -> None:
    store = Unsteady(database)
    store.is_away = True
    kept: list[CapturedText] = []
    spool = Spool(tmp_path, [bytes(32)], 1 << 20)
    log = PredictionLog(store, lambda _, text: kept.append(text), spool=spool)  # type: ignore[arg-type]
    log.put(CapturedText("request 1", "John Smith of Berlin", "1.0.0", 0.1))
    _fill(log, range(2))

    assert all(
        b"John" not in path.read_bytes() and b"request" not in path.read_bytes() for path in tmp_path.glob("*.batch")
    )

    store.is_away = False
    log.flush()
    assert kept == [CapturedText("request 1", "John Smith of Berlin", "1.0.0", 0.1)]


def test_a_damaged_file_of_the_spool_does_not_hold_up_the_others(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Unsteady(database)
    store.is_away = True
    log = _spooling(store, tmp_path)
    _fill(log, range(4))
    first = min(tmp_path.glob("*.batch"))
    first.write_bytes(first.read_bytes()[:-1])

    store.is_away = False
    log.flush()

    assert _ids(database) == ["request 2", "request 3"]
    assert "is set aside" in caplog.text
    assert log.spooled == 0


@given(
    st.builds(
        LoggedPrediction,
        request_id=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
        at=st.datetimes(dt.datetime(2000, 1, 1), timezones=st.just(dt.UTC)),
        version=st.just("1.0.0"),
        variant=st.just("stable"),
        status=st.integers(200, 599),
        latency_ms=st.floats(0, 1e6),
        cached=st.booleans(),
        key_id=st.text("ab\t\\\"'", max_size=8),
        characters=st.integers(0, 10**6),
        tokens=st.integers(0, 10**6),
        unknown_tokens=st.integers(0, 10**6),
        entities=st.dictionaries(st.text("aé'\"\\", min_size=1), st.integers(0, 99), max_size=3),
        lowest_confidence=st.none() | st.floats(0, 1),
        confidences=st.lists(st.integers(0, 9), max_size=10),
        word_sample=st.lists(st.integers(-(2**31), 2**31 - 1), max_size=16),
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_row_comes_back_as_it_was_written(database: Database, row: LoggedPrediction) -> None:
    log = PredictionLog(database, _kept_nothing)
    log.put(row)
    log.flush()

    with database.reading() as connection:
        newest = sa.select(tables.predictions).order_by(tables.predictions.c.id.desc()).limit(1)
        stored = dict(connection.execute(newest).mappings().one())

    written = dataclasses.asdict(row)
    assert {name: stored[name] for name in written} == written
    assert log.dropped == 0
    assert unpack(batch_of([row]).pack()).rows == [row]
