import threading

import pytest
import sqlalchemy as sa

from ner import tables
from ner.database import Database
from ner.errors import InvalidInput
from registry import audit


def _write(database: Database, entries: int) -> None:
    with database.transaction() as connection:
        for number in range(entries):
            audit.append(connection, actor="ada", action="test", subject=str(number), details={"n": number, "é": "ü"})


def test_an_untouched_chain_holds(database: Database) -> None:
    _write(database, 20)
    with database.reading() as connection:
        assert audit.verify(connection) == audit.AuditVerdict(True, 20)


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (tables.audit.update().where(tables.audit.c.entry == 7).values(actor="eve"), "Entry 7 was changed"),
        (tables.audit.update().where(tables.audit.c.entry == 7).values(details="{}"), "Entry 7 was changed"),
        (tables.audit.delete().where(tables.audit.c.entry == 7), "Entry 7 is missing"),
        (tables.audit.update().where(tables.audit.c.entry == 7).values(hash="0" * 64), "Entry 7 was changed"),
    ],
    ids=["edited actor", "edited details", "deleted", "edited hash"],
)
def test_the_chain_breaks_at_the_entry_when_it_was_tampered_with(
    database: Database, harm: sa.Executable, sentence: str
) -> None:
    _write(database, 12)
    with database.transaction() as connection:
        connection.execute(harm)
    with database.reading() as connection:
        verdict = audit.verify(connection)
    assert not verdict.ok
    assert sentence in (verdict.problem or "")


def test_the_chain_breaks_when_two_entries_change_places(database: Database) -> None:
    _write(database, 5)
    with database.transaction() as connection:
        for entry, place in ((2, 99), (3, 2), (99, 3)):
            connection.execute(tables.audit.update().where(tables.audit.c.entry == entry).values(entry=place))
    with database.reading() as connection:
        assert not audit.verify(connection).ok


@pytest.mark.parametrize(
    ("kept", "rewritten", "sentence"),
    [(5, 0, "its end was cut"), (5, 4, "the trail was rewritten"), (12, 0, "")],
    ids=["cut", "cut and continued", "whole"],
)
def test_a_cut_end_shows_against_what_was_noted(database: Database, kept: int, rewritten: int, sentence: str) -> None:
    _write(database, 9)
    with database.reading() as connection:
        noted = audit.verify(connection).end
    _write(database, 3)
    with database.transaction() as connection:
        connection.execute(tables.audit.delete().where(tables.audit.c.entry > kept))
    _write(database, rewritten)
    with database.reading() as connection:
        assert audit.verify(connection).ok
        assert sentence in (audit.verify(connection, noted).problem or "")
        assert audit.verify(connection, noted).ok is not bool(sentence)


def test_what_was_noted_is_refused_when_it_is_no_end(database: Database) -> None:
    with database.reading() as connection, pytest.raises(InvalidInput, match="workbench audit verify"):
        audit.verify(connection, "41")


def test_the_chain_holds_when_many_write_at_once(database: Database) -> None:
    writers = [threading.Thread(target=_write, args=(database, 10)) for _ in range(6)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with database.reading() as connection:
        assert audit.verify(connection) == audit.AuditVerdict(True, 60)


def test_nothing_is_written_when_the_transaction_fails(database: Database) -> None:
    with pytest.raises(RuntimeError), database.transaction() as connection:
        audit.append(connection, actor="ada", action="test", subject="x")
        raise RuntimeError
    with database.reading() as connection:
        assert audit.verify(connection).entries == 0
