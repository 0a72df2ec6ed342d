"""Sealed values: what opens them, and how their key is changed while others read and write."""

import datetime as dt
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from annotation.datasets import create_dataset
from ner import tables
from ner.database import Database, utc_now
from ner.desk_tables import suggestion_sources
from ner.errors import InvalidSetting
from registry import audit
from registry.resealing import change_key, reseal, waiting
from registry.sealing import Seals, key_of, seal, unseal
from registry.webhooks import create_webhook, signing_secret
from tests.running import ROOT, wait_until

SECRET, OLD_SECRET = b"the secret key", b"the one before it"
SEALS = Seals(SECRET)


def _no_progress(_: int) -> None:
    return


def _keep(connection: sa.Connection, seals: Seals, number: int) -> None:
    """A captured text, as the API writes it."""
    name = f"request {number:05d}"
    sealed = seals.seal(connection, f"text {number}", context=name)
    row = {"request_id": name, "at": utc_now(), "version": "1.0.0", "sealed": sealed, "key_id": key_of(sealed)}
    connection.execute(tables.captured_texts.insert().values(**row))


def _fill(database: Database, count: int, seals: Seals = SEALS) -> None:
    with database.transaction() as connection:
        for number in range(count):
            _keep(connection, seals, number)


def _opened(database: Database, seals: Seals = SEALS) -> list[str]:
    with database.reading() as connection:
        rows = connection.execute(sa.select(tables.captured_texts).order_by(tables.captured_texts.c.request_id))
        return [seals.open(connection, row.sealed, context=row.request_id) for row in rows.all()]


def _keys(database: Database) -> set[str]:
    with database.reading() as connection:
        return set(connection.scalars(sa.select(tables.sealing_keys.c.id)))


def test_a_value_says_its_key_and_opens_only_in_its_place(database: Database) -> None:
    with database.transaction() as connection:
        sealed = SEALS.seal(connection, "John 👩‍🚀", context="r1")
        assert key_of(sealed) in {row.id for row in connection.execute(sa.select(tables.sealing_keys))}
        assert SEALS.open(connection, sealed, context="r1") == "John 👩‍🚀"
        assert sealed != SEALS.seal(connection, "John 👩‍🚀", context="r1")
        flipped = sealed[:-1] + bytes([sealed[-1] ^ 1])
        for seals, value, context in ((SEALS, sealed, "r2"), (SEALS, flipped, "r1"), (Seals(b"x"), sealed, "r1")):
            with pytest.raises(InvalidSetting):
                seals.open(connection, value, context=context)


def test_what_the_secret_key_itself_sealed_still_opens(database: Database) -> None:
    with database.reading() as connection:
        assert SEALS.open(connection, seal(SECRET, "older", context="r1"), context="r1") == "older"
        assert Seals(b"new", SECRET).open(connection, seal(SECRET, "older", context="r1"), context="r1") == "older"


def test_everything_is_sealed_anew_and_the_old_keys_are_destroyed(database: Database) -> None:
    _fill(database, 25)
    with database.transaction() as connection:
        connection.execute(
            tables.captured_texts.update()
            .where(tables.captured_texts.c.request_id == "request 00007")
            .values(sealed=seal(SECRET, "text 7", context="request 00007"), key_id=None)
        )
    before = _keys(database)
    outcome = change_key(database, SEALS, actor="ada", progress=_no_progress)
    assert (outcome.values, outcome.lost, set(outcome.destroyed)) == (25, 0, before)
    assert len(_keys(database)) == 1
    assert _opened(database, Seals(SECRET)) == [f"text {number}" for number in range(25)]
    with database.reading() as connection:
        assert waiting(connection, SEALS) == 0
        assert [entry.action for entry in audit.list_entries(connection)[0]] == [
            "sealing_key.destroyed",
            "sealing_key.rotated",
        ]


def test_a_value_that_no_key_opens_is_left_with_its_key(database: Database) -> None:
    _fill(database, 1, Seals(b"a key that was lost"))
    with database.transaction() as connection:
        _keep(connection, SEALS, 5)
    outcome = change_key(database, SEALS, actor="ada", progress=_no_progress)
    assert (outcome.values, outcome.lost) == (1, 1)
    assert len(_keys(database)) == 2


def test_an_older_secret_key_opens_until_its_keys_are_wrapped_anew(database: Database) -> None:
    _fill(database, 3, Seals(OLD_SECRET))
    changed = Seals(SECRET, OLD_SECRET)
    assert _opened(database, changed) == ["text 0", "text 1", "text 2"]
    change_key(database, changed, actor="ada", progress=_no_progress)
    assert _opened(database, Seals(SECRET)) == ["text 0", "text 1", "text 2"]


def test_who_writes_meanwhile_loses_nothing(database: Database) -> None:
    _fill(database, 40)
    stopping = threading.Event()
    written = iter(range(1000, 100_000))
    last = 1000

    def write() -> None:
        nonlocal last
        mine = Seals(SECRET)
        while not stopping.is_set():
            last = next(written)
            with database.transaction() as connection:
                _keep(connection, mine, last)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            with database.transaction() as connection:
                SEALS.rotate(connection, actor="ada")
            reseal(database, SEALS, actor="ada", progress=_no_progress, rows_at_once=7)
    finally:
        stopping.set()
        writer.join()
    reseal(database, SEALS, actor="ada", progress=_no_progress)
    expected = [f"text {number}" for number in (*range(40), *range(1000, last + 1))]
    assert _opened(database, Seals(SECRET)) == expected
    assert len(_keys(database)) == 1


_RESEAL = """
import sys
from ner.database import Database
from registry.resealing import change_key
from registry.sealing import Seals
def progress(rows):
    print(rows, flush=True)
    sys.stdin.readline()
change_key(Database(sys.argv[1]), Seals(sys.argv[2].encode()), actor="ada", progress=progress)
"""


def test_a_change_that_was_killed_half_way_is_finished_by_the_next(database: Database, tmp_path: Path) -> None:
    _fill(database, 250)
    script = tmp_path / "change.py"
    script.write_text(_RESEAL)
    command = [sys.executable, str(script), database.engine.url.render_as_string(False), SECRET.decode()]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"200\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    wait_until(lambda: process.poll() is not None, what="the end of the process")
    with database.reading() as connection:
        assert waiting(connection, SEALS) == 50
    assert _opened(database, Seals(SECRET)) == [f"text {number}" for number in range(250)]
    assert len(_keys(database)) == 2
    outcome = reseal(database, SEALS, actor="ada", progress=_no_progress)
    assert (outcome.values, outcome.lost, len(outcome.destroyed)) == (50, 0, 1)


def test_the_newest_key_is_the_newest_whatever_the_clock_says(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.transaction() as connection:
        SEALS.rotate(connection, actor="ada")
        monkeypatch.setattr("registry.sealing.utc_now", lambda: utc_now() - dt.timedelta(days=3))
        later = SEALS.rotate(connection, actor="ada")
        assert SEALS.newest(connection) == later


def test_secrets_of_endpoints_and_webhooks_move_to_the_new_secret_key(database: Database) -> None:
    with database.transaction() as connection:
        create_dataset(connection, "news", ["per"], "ada")
        dataset = connection.scalar(sa.select(tables.datasets.c.id))
        context = "suggestion source news llm"
        row = {"id": "s1", "dataset_id": dataset, "name": "llm", "kind": "endpoint", "content": {}, "version": 1}
        row |= {"enabled": True, "changed_by": "ada", "changed_at": utc_now()}
        row["sealed"] = seal(OLD_SECRET, "key", context=context)
        connection.execute(suggestion_sources.insert().values(**row))
        where = "https://hooks.example.org/x"
        hook, signing = create_webhook(
            connection, OLD_SECRET, name="ops", url=where, severities=["critical"], actor="ada"
        )
    change_key(database, Seals(SECRET, OLD_SECRET), actor="ada", progress=_no_progress)
    with database.reading() as connection:
        sealed = connection.scalar(sa.select(suggestion_sources.c.sealed))
        assert unseal(SECRET, sealed, context=context) == "key"
        assert signing_secret(connection, [SECRET], hook.id) == signing.encode()
