"""What one person left in the tables: given to whoever has a right to it, and taken away.

Answers stay, under a pseudonym that nothing leads back from: they are what a dataset is made of.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner import desk_tables, tables
from ner.database import utc_now
from ner.errors import Conflict, InvalidInput, NotFound
from registry import audit

_LONGEST_REASON = 500
_NAMED = frozenset({"author", "holder", "person", "user_name"})
# What is about the person and about nothing else: how they work, what they prefer, what they wrote, how they sign in.
_GOES = (
    desk_tables.efforts.c.author,
    desk_tables.comments.c.author,
    desk_tables.preferences.c.person,
    desk_tables.leases.c.holder,
    tables.sign_in_links.c.user_name,
    tables.refresh_tokens.c.subject,
)
_SECRETS = ("secret", "token", "passphrase", "sealed")


@dataclass(slots=True)
class ErasurePreview:
    """What `erase_person` would do now: rows by table that go, that get a pseudonym, and entries of the audit trail,
    which keep the name.
    """

    deleted: dict[str, int] = field(default_factory=dict)
    renamed: dict[str, int] = field(default_factory=dict)
    audit_entries: int = 0


@dataclass(slots=True)
class ErasedPerson:
    """What became of a person's rows. `deleted` and `renamed` count them by table."""

    pseudonym: str
    deleted: dict[str, int] = field(default_factory=dict)
    renamed: dict[str, int] = field(default_factory=dict)


def data_of(connection: Connection, name: str) -> dict[str, list[dict[str, Any]]]:
    """Every row that names the person as who did it, by table, without secrets. Raises NotFound where none does."""
    accounts = (tables.users.c.name, tables.api_keys.c.name, tables.refresh_tokens.c.subject)
    about = [*_signed(), *accounts, tables.audit.c.actor]
    found: dict[str, list[dict[str, Any]]] = {}
    for column in about:
        for row in connection.execute(sa.select(column.table).where(_is(column, name))).mappings():
            told = {key: value for key, value in row.items() if not key.startswith(_SECRETS)}
            rows = found.setdefault(column.table.name, [])
            if told not in rows[-1:]:
                rows.append(told)
    if not found:
        raise NotFound(f"Nothing here is by '{name}'.")
    return found


def preview_erasure(connection: Connection, name: str) -> ErasurePreview:
    """What an erasure of the person would do; nothing is written. Raises NotFound where nothing is by them."""
    preview = ErasurePreview()

    def rows(column: sa.Column[Any], *conditions: sa.ColumnElement[bool]) -> int:
        counted = sa.select(sa.func.count()).select_from(_table(column)).where(_is(column, name), *conditions)
        return connection.scalar(counted) or 0

    for column in _GOES:
        _count(preview.deleted, column, rows(column))
    for column in _signed():
        stays = [sa.not_(_is(gone, name)) for gone in _GOES if gone.table is column.table]
        _count(preview.renamed, column, rows(column, *stays))
    theirs = sa.select(tables.users.c.id).where(tables.users.c.name == name)
    held = sa.select(sa.func.count()).where(tables.passwords.c.user_id.in_(theirs))
    _count(preview.deleted, tables.passwords.c.user_id, connection.scalar(held) or 0)
    _count(preview.deleted, tables.users.c.name, rows(tables.users.c.name))
    _count(preview.renamed, tables.api_keys.c.name, rows(tables.api_keys.c.name))
    preview.audit_entries = rows(tables.audit.c.actor)
    if not preview.deleted and not preview.renamed:
        raise NotFound(f"Nothing here is by '{name}'.")
    return preview


def erase_person(connection: Connection, name: str, *, actor: str, reason: str) -> ErasedPerson:
    """Delete the person's account, preferences, comments and times of work, and put a pseudonym under all the rest.
    Run it in a writing transaction.

    The audit trail cannot be changed and keeps the name where they acted; the erasure is an entry of it, under the
    pseudonym. Raises NotFound, Conflict for the own account, and InvalidInput without a reason.
    """
    said = reason.strip()
    if not said or len(said) > _LONGEST_REASON:
        raise InvalidInput(f"Say in 1 to {_LONGEST_REASON} characters why the person has to go; do not name them.")
    if name == actor:
        raise Conflict("Nobody erases their own account; another administrator can.")
    erased = ErasedPerson(f"person {uuid.uuid4().hex[:12]}")
    for column in _GOES:
        _count(erased.deleted, column, connection.execute(_table(column).delete().where(_is(column, name))).rowcount)
    for column in _signed():
        update = _table(column).update().where(_is(column, name)).values({column.name: erased.pseudonym})
        _count(erased.renamed, column, connection.execute(update).rowcount)
    _delete_account(connection, name, erased)
    if not erased.deleted and not erased.renamed:
        raise NotFound(f"Nothing here is by '{name}'.")
    details = {"reason": said, "deleted": erased.deleted, "renamed": erased.renamed}
    audit.append(connection, actor=actor, action="person.erased", subject=erased.pseudonym, details=details)
    return erased


def _signed() -> Iterator[sa.Column[Any]]:
    """The columns that say who did something, whichever tables there are. The audit trail says it in `actor`."""
    for table in tables.metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, sa.Text) and (column.name in _NAMED or column.name.endswith("_by")):
                yield column


def _is(column: sa.Column[Any], name: str) -> sa.ColumnElement[bool]:
    if column.table is tables.refresh_tokens:
        return sa.and_(column == name, tables.refresh_tokens.c.kind == "user")
    return column == name


def _delete_account(connection: Connection, name: str, erased: ErasedPerson) -> None:
    users, passwords, api_keys = tables.users, tables.passwords, tables.api_keys
    theirs = sa.select(users.c.id).where(users.c.name == name).scalar_subquery()
    gone = connection.execute(passwords.delete().where(passwords.c.user_id == theirs)).rowcount
    _count(erased.deleted, passwords.c.user_id, gone)
    _count(erased.deleted, users.c.name, connection.execute(users.delete().where(users.c.name == name)).rowcount)
    # A key of this name works under it, and is void from now on.
    void = {"name": erased.pseudonym, "revoked_at": sa.func.coalesce(api_keys.c.revoked_at, utc_now())}
    renamed = connection.execute(api_keys.update().where(api_keys.c.name == name).values(void)).rowcount
    _count(erased.renamed, api_keys.c.name, renamed)


def _table(column: sa.Column[Any]) -> sa.Table:
    assert isinstance(column.table, sa.Table)
    return column.table


def _count(rows: dict[str, int], column: sa.Column[Any], count: int) -> None:
    if count:
        table = _table(column).name
        rows[table] = rows.get(table, 0) + count
