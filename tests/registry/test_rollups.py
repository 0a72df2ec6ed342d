"""Roll-ups: every request counted once, however the counting was interrupted, folded or added up."""

import dataclasses
import datetime as dt
import random
from collections import Counter
from itertools import combinations_with_replacement
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from hypothesis import given, settings
from hypothesis import strategies as st

from ner import tables
from ner.database import Database, utc_now
from ner.migrations import alembic_config, migrate
from registry.log_batches import batch_of, unpack, write
from registry.log_upkeep import Upkeep, fold
from registry.logged import LoggedPrediction, RefusedRequests
from registry.policy import default_policy
from registry.rollup_table import fold_hours, fold_minutes, read_rollups, write_rollups
from registry.rollups import LATENCY_EDGES_MS, LENGTH_EDGES, LIMITS_MS, Rollup, added, count_up

NOON = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)


def _row(generator: random.Random, at: dt.datetime) -> LoggedPrediction:
    found = generator.randint(0, 4)
    confidences = [generator.random() for _ in range(found)]
    tenths = Counter(min(9, int(10 * confidence)) for confidence in confidences)
    tokens = generator.randint(1, 40)
    return LoggedPrediction(
        request_id=f"{generator.getrandbits(128):032x}",
        at=at,
        version=generator.choice(["1.0.0", "1.1.0"]),
        variant=generator.choice(["stable", "canary"]),
        status=generator.choice([200, 200, 200, 500]),
        latency_ms=generator.lognormvariate(3, 1.5),
        cached=generator.random() < 0.2,
        key_id="key",
        characters=generator.randint(1, 3_000),
        tokens=tokens,
        unknown_tokens=generator.randint(0, tokens),
        entities={"per": found} if found else {},
        lowest_confidence=min(confidences, default=None),
        confidences=[tenths[tenth] for tenth in range(10)],
        word_sample=[1, -2],
        expected_correct=sum(confidences),
        expected_entities=found + generator.random(),
    )


def _rows(seed: int, count: int, minutes: float) -> list[LoggedPrediction]:
    generator = random.Random(seed)
    return [_row(generator, NOON + dt.timedelta(minutes=minutes * generator.random())) for _ in range(count)]


def _total(rollups: list[Rollup]) -> dict[tuple[str, str], tuple[int, int, int, dict[str, dict[str, float]]]]:
    sums: dict[tuple[str, str], Rollup] = {}
    for rollup in rollups:
        sums.setdefault((rollup.version, rollup.variant), Rollup(NOON, 0, "", "")).add(rollup)
    return {
        arm: (one.requests, one.errors_5xx, one.cached, {name: _near(part) for name, part in one.counts.items()})
        for arm, one in sums.items()
    }


def _near(histogram: dict[str, float]) -> dict[str, float]:
    return {key: pytest.approx(count) for key, count in sorted(histogram.items())}


@given(seed=st.integers(0, 2**32), count=st.integers(0, 40))
@settings(deadline=None)
def test_what_is_counted_is_what_is_counted_row_by_row(seed: int, count: int) -> None:
    rows = _rows(seed, count, minutes=3)
    for row in rows[::5]:
        row.status, row.expected_correct = 429, None
    sums, tenths, lengths, latencies = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for row in rows:
        latencies[f"{min(edge for edge in LATENCY_EDGES_MS if edge >= row.latency_ms):g}"] += 1
        if row.status != 200:
            continue
        found, right = sum(row.confidences), row.expected_correct or 0.0
        there = max(row.expected_entities or 0.0, right)
        words = {"documents": 1, "tokens": row.tokens, "unknown": row.unknown_tokens}
        spans = {"estimated": 1, "right": right, "found": found, "there": there}
        doubt = max(0.0, right * (1 - right / found)) if found else 0.0
        sums.update(words | spans | {"doubt": doubt})  # type: ignore[arg-type]
        for some in (("tokens", "unknown"), ("right", "found", "there")):
            pairs = combinations_with_replacement(some, 2)
            sums.update({f"{one}_{other}": (words | spans)[one] * (words | spans)[other] for one, other in pairs})  # type: ignore[misc]
        tenths.update({str(tenth): count for tenth, count in enumerate(row.confidences)})
        lengths[f"{min(edge for edge in LENGTH_EDGES if edge >= row.characters):g}"] += 1
    total = Rollup(NOON, 0, "", "")
    for one in count_up(rows):
        total.add(one)
    assert (total.requests, total.errors_4xx) == (len(rows), len(rows[::5]))
    assert total.errors_5xx == sum(row.status == 500 for row in rows)
    expected = {"sums": sums, "tenths": tenths, "characters": lengths, "latency_ms": latencies}
    for name, counted in expected.items():
        assert total.histogram(name) == {key: pytest.approx(value) for key, value in counted.items() if value}


def _write(database: Database, rows: list[LoggedPrediction], *, batch: int) -> None:
    for first in range(0, len(rows), batch):
        with database.transaction() as connection:
            write(connection, batch_of(rows[first : first + batch]), lambda *_: None)


def _read(database: Database) -> list[Rollup]:
    with database.reading() as connection:
        return read_rollups(connection, since=NOON - dt.timedelta(days=30))


def test_sums_are_those_of_the_rows_when_they_came_in_many_batches_and_were_folded(database: Database) -> None:
    rows = _rows(1, 600, minutes=90)
    _write(database, rows, batch=50)
    wanted = _total(count_up(rows))
    assert _total(_read(database)) == wanted
    assert len(_read(database)) > 300

    fold(database)

    folded = _read(database)
    assert _total(folded) == wanted
    assert len(folded) <= 8
    assert {rollup.seconds for rollup in folded} == {3600}
    assert sum(rollup.requests for rollup in folded) == 600


def test_minutes_are_told_apart_while_they_are_young(database: Database) -> None:
    rows = _rows(2, 200, minutes=5)
    _write(database, rows, batch=20)
    with database.transaction() as connection:
        assert fold_minutes(connection, now=NOON + dt.timedelta(hours=1)) > 0
        assert fold_minutes(connection, now=NOON + dt.timedelta(hours=1)) == 0
        assert fold_hours(connection, now=NOON + dt.timedelta(hours=48)) == 0
    found = _read(database)
    assert {rollup.seconds for rollup in found} == {60}
    assert len(found) == len({(rollup.at, rollup.version, rollup.variant) for rollup in found})
    assert _total(found) == _total(count_up(rows))


def test_what_arrives_late_is_added_to_its_folded_hour(database: Database) -> None:
    early, late = _rows(3, 100, minutes=30), _rows(4, 100, minutes=30)
    _write(database, early, batch=100)
    fold(database)
    _write(database, late, batch=10)
    fold(database)
    found = _read(database)
    assert _total(found) == _total(count_up(early + late))
    assert len(found) <= 4


def test_a_batch_is_counted_once_when_it_is_written_twice(database: Database) -> None:
    batch = batch_of(_rows(5, 10, minutes=1), [RefusedRequests(NOON, 429, 0.4, 3)])
    for _ in range(2):
        with database.transaction() as connection:
            write(connection, unpack(batch.pack()), lambda *_: None)
    assert sum(rollup.requests for rollup in _read(database)) == 13


def test_nothing_is_counted_when_the_rows_could_not_be_written(database: Database) -> None:
    with pytest.raises(RuntimeError), database.transaction() as connection:
        write(connection, batch_of(_rows(6, 10, minutes=1)), lambda *_: None)
        raise RuntimeError
    assert _read(database) == []


def test_rows_of_before_the_roll_ups_are_counted_once_after_the_upgrade(tmp_path: Path) -> None:
    store = Database(f"sqlite:///{tmp_path / 'old.db'}")
    migrate(store)
    rows = _rows(7, 6_000, minutes=600)
    old = tables.predictions
    with store.transaction() as connection:
        connection.execute(old.insert(), [dataclasses.asdict(row) for row in rows])
        connection.execute(tables.rollup_backlog.insert().values(next_id=1, last_id=5_500))
    _write(store, [dataclasses.replace(row, request_id=f"new {n}") for n, row in enumerate(rows[:50])], batch=50)
    fold(store)
    fold(store)
    with store.reading() as connection:
        assert connection.execute(sa.select(tables.rollup_backlog)).all() == []
    assert _total(_read(store)) == _total(count_up(rows[:5_500] + rows[:50]))
    store.close()


def test_an_upgrade_leaves_the_rows_that_are_there_to_be_counted(tmp_path: Path) -> None:
    store = Database(f"sqlite:///{tmp_path / 'old.db'}")
    migrate(store)
    with store.transaction() as connection:
        connection.execute(tables.predictions.insert(), [dataclasses.asdict(row) for row in _rows(8, 3, minutes=1)])
    command.downgrade(alembic_config(store), "0009")
    migrate(store)
    fold(store)
    assert sum(rollup.requests for rollup in _read(store)) == 3
    store.close()


def test_rows_go_and_counts_stay_when_the_rows_are_old(database: Database) -> None:
    _write(database, _rows(9, 40, minutes=10), batch=40)
    recent = [dataclasses.replace(row, at=utc_now()) for row in _rows(10, 5, minutes=1)]
    _write(database, recent, batch=5)
    days = (utc_now() - NOON).days
    Upkeep(row_days=days - 1, rollup_days=days + 10).forget(database)
    with database.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(tables.predictions)) == 5
    assert sum(rollup.requests for rollup in _read(database)) == 45
    Upkeep(row_days=days - 1, rollup_days=days - 1).forget(database)
    assert sum(rollup.requests for rollup in _read(database)) == 5


def test_rows_that_are_not_counted_yet_are_not_forgotten(database: Database) -> None:
    with database.transaction() as connection:
        rows = [dataclasses.asdict(row) for row in _rows(11, 20, minutes=1)]
        connection.execute(tables.predictions.insert(), rows)
        first = connection.scalar(sa.select(sa.func.min(tables.predictions.c.id)))
        connection.execute(tables.rollup_backlog.insert().values(next_id=first + 5, last_id=first + 19))
    Upkeep(row_days=1).forget(database)
    with database.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(tables.predictions)) == 15


@given(st.lists(st.floats(0, 200_000), max_size=60), st.sampled_from(LIMITS_MS))
def test_slower_requests_are_counted_exactly_at_every_limit(latencies: list[float], limit: float) -> None:
    row = _rows(12, 1, minutes=1)[0]
    latencies = [*latencies, limit]
    rollups = added(count_up(dataclasses.replace(row, latency_ms=latency) for latency in latencies), 3600)
    assert rollups[0].slower_than(limit) == sum(latency > limit for latency in latencies)


@given(st.floats(0.1, 100_000), st.floats(0.1, 100_000))
def test_slower_requests_are_never_counted_too_few_at_another_limit(latency: float, limit: float) -> None:
    row = dataclasses.replace(_rows(13, 1, minutes=1)[0], latency_ms=latency)
    assert count_up([row])[0].slower_than(limit) >= (latency > limit)


def test_every_limit_of_the_policy_is_an_edge() -> None:
    limits = [criterion.slower_than_ms for criterion in default_policy().criteria]
    assert {limit for limit in limits if limit is not None} | {50, 100, 150, 200, 300, 500} <= set(LATENCY_EDGES_MS)
    assert list(LATENCY_EDGES_MS) == sorted(set(LATENCY_EDGES_MS))
    assert [float(f"{edge:g}") for edge in LATENCY_EDGES_MS] == list(LATENCY_EDGES_MS)


def test_moments_are_written_and_read_as_they_are(database: Database) -> None:
    rollup = Rollup(NOON, 60, "1.0.0", "stable", 2, 1, 0, 1, {"latency_ms": {"50": 2}})
    with database.transaction() as connection:
        write_rollups(connection, [rollup])
    assert _read(database) == [rollup]


@pytest.mark.parametrize("name", ["latency_ms", "sums", "entities", "nothing of the kind"])
def test_one_histogram_alone_is_the_same_as_among_all(database: Database, name: str) -> None:
    _write(database, _rows(7, 60, minutes=3), batch=20)
    with database.reading() as connection:
        found = read_rollups(connection, since=NOON - dt.timedelta(days=30), only=name)
    whole = _read(database)
    assert [one.counts for one in found] == [{name: one.histogram(name)} for one in whole]
    assert [(one.arm, one.requests, one.cached) for one in found] == [
        (one.arm, one.requests, one.cached) for one in whole
    ]
