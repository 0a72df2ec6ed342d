"""Recognising callers: many who come at once ask the database once together."""

import asyncio

import sqlalchemy as sa

from api.callers import Callers
from ner.database import Database
from registry.keys import create_key

SECRET = b"a secret for tests"


async def test_those_who_come_at_once_with_a_key_ask_the_database_once(database: Database) -> None:
    with database.transaction() as connection:
        _, key = create_key(connection, SECRET, "app", "viewer", rate_limit_per_hour=None, created_by="ada")
    callers = Callers(database, [SECRET], hours=1)
    begun = []
    sa.event.listen(database.engine, "begin", lambda _: begun.append(1))
    try:
        found = await asyncio.gather(*(callers.by_key(key) for _ in range(100)))
    finally:
        callers.close()
    assert {one.name for one in found} == {"app"}
    assert len(begun) == 1
