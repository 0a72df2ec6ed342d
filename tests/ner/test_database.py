import json
import threading

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from ner import tables
from ner.database import Database, utc_now
from ner.migrations import alembic_config, is_index_of_words, migrate


def _switch(value: int) -> dict[str, object]:
    return {"name": "counter", "value": value, "changed_by": "ada", "changed_at": utc_now()}


def test_the_migrations_make_exactly_the_tables_of_the_code(database: Database) -> None:
    with database.reading() as connection:
        opts = {"compare_type": True, "include_name": lambda name, *_: not is_index_of_words(name)}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, tables.metadata) == []


def test_migrations_go_down_and_up_again(database: Database) -> None:
    command.downgrade(alembic_config(database), "base")
    migrate(database)
    migrate(database)
    assert sa.inspect(database.engine).has_table("versions")


def test_nothing_is_kept_when_a_transaction_fails(database: Database) -> None:
    with pytest.raises(RuntimeError), database.transaction() as connection:
        connection.execute(tables.switches.insert().values(**_switch(1)))
        raise RuntimeError
    with database.reading() as connection:
        assert connection.execute(sa.select(tables.switches)).all() == []


def test_moments_keep_their_time_zone(database: Database) -> None:
    row = _switch(1)
    with database.transaction() as connection:
        connection.execute(tables.switches.insert().values(**row))
    with database.reading() as connection:
        assert connection.execute(sa.select(tables.switches.c.changed_at)).scalar_one() == row["changed_at"]


def test_no_update_is_lost_when_many_write_at_once(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(tables.switches.insert().values(**_switch(0)))

    def add_ten() -> None:
        for _ in range(10):
            with database.transaction() as connection:
                value = connection.execute(sa.select(tables.switches.c.value).with_for_update()).scalar_one()
                connection.execute(tables.switches.update().values(value=value + 1))

    writers = [threading.Thread(target=add_ten) for _ in range(5)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with database.reading() as connection:
        assert connection.execute(sa.select(tables.switches.c.value)).scalar_one() == 50


def test_an_error_of_the_database_does_not_quote_what_it_was_given(database: Database) -> None:
    row = _switch(1) | {"changed_by": "a private text"}
    with pytest.raises(sa.exc.IntegrityError) as raised, database.transaction() as connection:
        for _ in range(2):
            connection.execute(tables.switches.insert().values(**row))
    assert "a private text" not in str(raised.value)


@pytest.mark.parametrize("stored", ['{"f1": NaN}', '{"text": "\\ud800"}'])
def test_json_is_read_as_the_standard_library_reads_it(stored: str) -> None:
    database = Database("sqlite://")
    asked = sa.select(sa.literal_column(f"'{stored}'", type_=sa.JSON()))
    with database.reading() as connection:
        assert repr(connection.scalar(asked)) == repr(json.loads(stored))
