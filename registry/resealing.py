"""A change of the key that seals, while everything runs: what older keys sealed is sealed anew, a batch at a time.

Stopped at any moment it goes on where it was: each batch is one transaction, and a row says itself which key it has.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner import tables
from ner.database import Database
from ner.desk_tables import suggestion_sources
from ner.errors import InvalidSetting
from registry.keys import derived_key
from registry.ownership_keys import remember_keys
from registry.sealing import Seals, decrypted, encrypted, key_of, retire, sealing_key
from registry.versions import list_versions

_ROWS_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """Where sealed values are. The row's `name` is the context of its value."""

    name: sa.Column[Any]
    sealed: sa.Column[Any]
    key_id: sa.Column[Any]


SEALED_COLUMNS = (
    SealedColumn(tables.captured_texts.c.request_id, tables.captured_texts.c.sealed, tables.captured_texts.c.key_id),
    SealedColumn(tables.ownership_keys.c.id, tables.ownership_keys.c.sealed, tables.ownership_keys.c.key_id),
)


@dataclass(frozen=True, slots=True)
class Resealed:
    """Values sealed anew, values that no key opens, and the keys that were destroyed."""

    values: int
    lost: int
    destroyed: list[str]


def change_key(
    database: Database, seals: Seals, *, actor: str, progress: Callable[[int], object], carry_over: bool = True
) -> Resealed:
    """Make a new key and seal everything with it; the older keys are destroyed once nothing needs them.

    Not to `carry_over` leaves what a secret key seals directly to the one before, which is all that the processes know
    until they are started again.
    """
    with database.transaction() as connection:
        seals.wrapped_anew(connection)
        # Before the secret key that they follow from may be thrown away.
        if any(record.hyperparameters.get("watermark") for record in list_versions(connection)):
            remember_keys(connection, seals)
        if carry_over:
            _carry_over(connection, seals.secrets)
        seals.rotate(connection, actor=actor)
    return reseal(database, seals, actor=actor, progress=progress)


def reseal(
    database: Database,
    seals: Seals,
    *,
    actor: str,
    progress: Callable[[int], object],
    rows_at_once: int = _ROWS_AT_ONCE,
) -> Resealed:
    """Seal with the newest key what an older one seals, then destroy the keys that nothing needs any more.

    A value that cannot be opened is left as it is, and its key with it.
    """
    done = lost = 0
    for column in SEALED_COLUMNS:
        after = ""
        while True:
            with database.transaction() as connection:
                rows = _late_rows(connection, column, seals.newest(connection), after, rows_at_once)
                for row in rows:
                    is_done = _reseal_row(connection, seals, column, row)
                    done, lost = done + is_done, lost + (not is_done)
            if not rows:
                break
            after = rows[-1].name
            progress(len(rows))
    return Resealed(done, lost, _destroyed(database, seals, actor))


def waiting(connection: Connection, seals: Seals) -> int:
    """Values that are not sealed with the newest key, or need an earlier secret key."""
    newest = seals.newest(connection)
    counts = (
        connection.scalar(sa.select(sa.func.count()).where(column.key_id.is_distinct_from(newest)))
        for column in SEALED_COLUMNS
    )
    return sum(count or 0 for count in counts) + sum(1 for _ in _sealed_by_others(connection, seals.secrets))


def _late_rows(
    connection: Connection, column: SealedColumn, newest: str | None, after: str, most: int
) -> list[sa.Row[Any]]:
    # Locked where there are other writers: a row may be deleted or opened for correction meanwhile.
    late = (
        sa.select(column.name.label("name"), column.sealed.label("sealed"))
        .where(column.key_id.is_distinct_from(newest), column.name > after)
        .order_by(column.name)
        .limit(most)
        .with_for_update()
    )
    return list(connection.execute(late))


def _reseal_row(connection: Connection, seals: Seals, column: SealedColumn, row: sa.Row[Any]) -> bool:
    try:
        text = seals.open(connection, bytes(row.sealed), context=row.name)
    except InvalidSetting:
        return False
    sealed = seals.seal(connection, text, context=row.name)
    values = {column.sealed: sealed, column.key_id: key_of(sealed)}
    connection.execute(sa.update(column.name.table).where(column.name == row.name).values(values))
    return True


def _carry_over(connection: Connection, secrets: Sequence[bytes]) -> None:
    """Seal with the secret key in force what an older one seals directly."""
    for column, row_id, sealed in list(_sealed_by_others(connection, secrets)):
        connection.execute(sa.update(column.table).where(column.table.c.id == row_id).values({column: sealed}))


def _sealed_by_others(connection: Connection, secrets: Sequence[bytes]) -> Iterator[tuple[sa.Column[Any], str, bytes]]:
    """What a secret key that is not in force seals directly, keys of endpoints and secrets of webhooks: where it is,
    and the value sealed anew.
    """
    hooks, sources, datasets = tables.webhooks, suggestion_sources, tables.datasets
    for row in connection.execute(sa.select(hooks.c.id, hooks.c.sealed_secret)).all():
        keys = [derived_key(secret, "webhook secrets") for secret in secrets]
        sealed = _sealed_by_first(keys, bytes(row.sealed_secret), row.id)
        if sealed is not None:
            yield hooks.c.sealed_secret, row.id, sealed
    named = sa.select(sources.c.id, sources.c.name, sources.c.sealed, datasets.c.name.label("dataset"))
    named = named.join_from(sources, datasets).where(sources.c.sealed.is_not(None))
    for source in connection.execute(named).all():
        keys = [sealing_key(secret) for secret in secrets]
        sealed = _sealed_by_first(keys, bytes(source.sealed), f"suggestion source {source.dataset} {source.name}")
        if sealed is not None:
            yield sources.c.sealed, source.id, sealed


def _sealed_by_first(keys: Sequence[bytes], sealed: bytes, context: str) -> bytes | None:
    """The value under the first key, where a later one opens it; None where there is nothing to do."""
    for number, key in enumerate(keys):
        with suppress(InvalidSetting):
            plain = decrypted(key, sealed, context)
            return encrypted(keys[0], plain, context) if number else None
    return None


def _destroyed(database: Database, seals: Seals, actor: str) -> list[str]:
    try:
        with database.transaction() as connection:
            in_use = [
                key_id
                for column in SEALED_COLUMNS
                for key_id in connection.scalars(sa.select(column.key_id).distinct())
            ]
            return retire(connection, [seals.newest(connection), *in_use], actor=actor)
    except sa.exc.IntegrityError:
        # Somebody sealed with the old key in a transaction that was still open; the next run finds that value.
        return []
