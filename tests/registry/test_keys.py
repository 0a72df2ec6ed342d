"""Keys, people and links, without HTTP."""

import threading

import pytest
import sqlalchemy as sa

from ner import tables
from ner.database import Database, utc_now
from ner.errors import Conflict, InvalidInput, NotFound, NotSignedIn
from registry import audit, keys

SECRET = b"a key for tests"


def _create(database: Database, **changes: object) -> tuple[str, str]:
    facts: dict[str, object] = {"rate_limit_per_hour": 1000, "created_by": "ada"}
    with database.transaction() as connection:
        return keys.create_key(connection, SECRET, "app", "viewer", **(facts | changes))  # type: ignore[arg-type]


def test_a_key_is_found_by_itself_alone(database: Database) -> None:
    key_id, key = _create(database)

    with database.reading() as connection:
        found = keys.find_key(connection, SECRET, key)
        assert found is not None
        assert (found.id, found.name, found.role, found.rate_limit_per_hour) == (key_id, "app", "viewer", 1000)
        for wrong in (key[:-1], key + "x", key.upper(), found.prefix, found.secret_hash, "", "ner__"):
            assert keys.find_key(connection, SECRET, wrong) is None
        assert keys.find_key(connection, b"another secret", key) is None


def test_nothing_in_the_database_gives_a_key_away(database: Database) -> None:
    _, key = _create(database)
    hidden = key.split("_", 2)[2]

    with database.reading() as connection:
        rows = [str(row) for table in (tables.api_keys, tables.audit) for row in connection.execute(sa.select(table))]

    assert not any(hidden in row for row in rows)


@pytest.mark.parametrize("days", [0, -1])
def test_a_key_is_not_found_when_it_has_expired(days: int, database: Database) -> None:
    _, key = _create(database, days=days)

    with database.reading() as connection:
        assert keys.find_key(connection, SECRET, key) is None


def test_a_key_is_not_found_once_it_was_revoked(database: Database) -> None:
    key_id, key = _create(database)
    with database.transaction() as connection:
        for _ in range(2):
            keys.revoke_key(connection, key_id, actor="grace")

        assert keys.find_key(connection, SECRET, key) is None
        entries, _ = audit.list_entries(connection)
    assert [(entry.actor, entry.action) for entry in entries] == [("grace", "key.revoked"), ("ada", "key.created")]


def test_revoking_fails_when_there_is_no_such_key(database: Database) -> None:
    with database.transaction() as connection, pytest.raises(NotFound):
        keys.revoke_key(connection, "none", actor="ada")


def test_keys_for_two_purposes_differ() -> None:
    assert keys.derived_key(SECRET, "session") != keys.derived_key(SECRET, "answer cache")
    assert keys.fingerprint(SECRET, "demo link", "x") != keys.fingerprint(SECRET, "sign-in link", "x")


def test_a_person_has_one_role_and_one_name(database: Database) -> None:
    with database.transaction() as connection:
        keys.create_user(connection, "ada", "engineer", actor="grace")
        with pytest.raises(Conflict):
            keys.create_user(connection, "ada", "viewer", actor="grace")
        with pytest.raises(InvalidInput):
            keys.create_user(connection, "  ", "viewer", actor="grace")

        assert [(user.name, user.role) for user in keys.list_users(connection)] == [("ada", "engineer")]


def test_a_link_adds_its_person_when_they_are_not_there_yet(database: Database) -> None:
    with database.transaction() as connection:
        token = keys.create_sign_in_link(connection, SECRET, "ada", "admin", 15)
        user = keys.use_sign_in_link(connection, SECRET, token)

        assert (user.name, user.role) == ("ada", "admin")
        assert keys.get_user(connection, "ada") == user


def test_a_link_cannot_raise_a_person_to_another_role(database: Database) -> None:
    with database.transaction() as connection:
        keys.create_user(connection, "ada", "viewer", actor="grace")
        with pytest.raises(Conflict, match="is a 'viewer' already"):
            keys.create_sign_in_link(connection, SECRET, "ada", "admin", 15)


def test_a_link_does_not_sign_in_a_person_who_is_disabled(database: Database) -> None:
    with database.transaction() as connection:
        token = keys.create_sign_in_link(connection, SECRET, "ada", "viewer", 15)
        keys.create_user(connection, "ada", "viewer", actor="grace")
        connection.execute(tables.users.update().values(disabled_at=utc_now()))

        with pytest.raises(NotSignedIn, match="may not sign in"):
            keys.use_sign_in_link(connection, SECRET, token)


def test_a_link_works_once_when_many_use_it_at_the_same_time(database: Database) -> None:
    with database.transaction() as connection:
        token = keys.create_sign_in_link(connection, SECRET, "ada", "viewer", 15)
    outcomes: list[str] = []
    ready = threading.Barrier(6)

    def use() -> None:
        ready.wait()
        try:
            with database.transaction() as connection:
                outcomes.append(keys.use_sign_in_link(connection, SECRET, token).name)
        except NotSignedIn:
            outcomes.append("refused")

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["ada", *["refused"] * 5]
