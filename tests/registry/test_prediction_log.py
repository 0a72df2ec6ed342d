"""The log of predictions: never in the way, never half-written."""

import contextlib
import logging
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner import tables
from ner.database import Database, utc_now
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
