"""What is not wanted any more: texts beyond their time, packages that nobody asks for, and what was left lying about.

The prediction log looks after itself (`registry.log_upkeep`). Nothing that a person typed is touched.
"""

import datetime as dt
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from annotation.capture import TRAFFIC
from ner import tables
from ner.database import Database, utc_now
from ner.errors import Conflict
from ner.settings import Settings
from registry import audit
from registry.packages import open_store
from registry.rollout import current_rollout
from registry.versions import list_versions
from training.upkeep.alone import alone
from training.upkeep.backups import LOCK

_LINGER_DAYS = 30
_DRAFT_DAYS = 1
_ROWS_AT_ONCE = 5_000
_SWITCH = "tidied"


@dataclass(frozen=True, slots=True)
class Tidied:
    """How much of one kind went, or would go; `freed_bytes` where it is known. `is_back`: it did not go, but was put
    back where it was lost.
    """

    what: str
    count: int
    freed_bytes: int = 0
    is_back: bool = False


def tidy(
    database: Database, settings: Settings, *, is_rehearsal: bool = False, now: dt.datetime | None = None
) -> list[Tidied]:
    """Remove what is not wanted any more; a rehearsal only counts it. Raises Conflict while a backup is being made."""
    moment = now or utc_now()
    with alone(database, settings, LOCK) as is_alone:
        if not is_alone:
            raise Conflict("A backup or tidying runs already; wait until it is done.")
        done = [
            *(_rows(database, rule, is_rehearsal) for rule in _rules(settings, moment)),
            _packages(database, settings, is_rehearsal),
            _files(settings, moment, is_rehearsal),
            *_lost_packages(database, settings, is_rehearsal),
        ]
    if not is_rehearsal:
        with database.transaction() as connection:
            _note(connection, done, moment)
    return done


def last_tidied(connection: Connection) -> dt.datetime | None:
    """When tidying was last done."""
    value = connection.scalar(sa.select(tables.switches.c.value).where(tables.switches.c.name == _SWITCH))
    return dt.datetime.fromisoformat(value["at"]) if value is not None else None


def tidy_daily(database: Database, settings: Settings) -> list[Tidied] | None:
    """Tidy if that was last done a day ago. Raises Conflict."""
    with database.reading() as connection:
        last = last_tidied(connection)
    if last is not None and utc_now() - last < dt.timedelta(days=1):
        return None
    return tidy(database, settings)


@dataclass(frozen=True, slots=True)
class _Rule:
    """Rows of a table that may go."""

    what: str
    key: sa.Column[Any]
    condition: sa.ColumnElement[bool]


def _rules(settings: Settings, now: dt.datetime) -> list[_Rule]:
    captured, documents, revisions = tables.captured_texts.c, tables.documents.c, tables.revisions.c
    texts_before = now - dt.timedelta(days=settings.captured_text_days)
    lingering = now - dt.timedelta(days=_LINGER_DAYS)
    untouched = sa.and_(
        documents.dataset_id.in_(sa.select(tables.datasets.c.id).where(tables.datasets.c.name == TRAFFIC)),
        documents.revision == 0,
        documents.created_at < texts_before,
        ~sa.exists().where(revisions.document_id == documents.id),
        *(~sa.exists().where(column == documents.id) for column in _references_to_documents()),
    )
    return [
        _Rule("captured texts beyond their time", captured.request_id, captured.at < texts_before),
        _Rule("texts of traffic that nobody corrected", documents.id, untouched),
        _Rule("leases that ended", tables.leases.c.document_id, tables.leases.c.expires_at < now),
        _Rule(
            "sign-in links that ended",
            tables.sign_in_links.c.token_hash,
            tables.sign_in_links.c.expires_at < lingering,
        ),
        _Rule(
            "refresh tokens that ended",
            tables.refresh_tokens.c.token_hash,
            tables.refresh_tokens.c.expires_at < lingering,
        ),
    ]


def _references_to_documents() -> list[sa.Column[Any]]:
    """Every column that names a document, but the history of one, which has its own condition."""
    document = tables.documents.c.id
    others = (table for table in tables.metadata.sorted_tables if table is not tables.revisions)
    return [key.parent for table in others for key in table.foreign_keys if key.column is document]


def _rows(database: Database, rule: _Rule, is_rehearsal: bool) -> Tidied:
    table = rule.key.table
    if is_rehearsal:
        with database.reading() as connection:
            counted = connection.scalar(sa.select(sa.func.count()).select_from(table).where(rule.condition))
        return Tidied(rule.what, counted or 0)
    gone = 0
    while True:
        with database.transaction() as connection:
            chosen = sa.select(rule.key).where(rule.condition).limit(_ROWS_AT_ONCE)
            ended = connection.execute(sa.delete(table).where(rule.key.in_(chosen), rule.condition)).rowcount
        gone += ended
        if not ended:
            return Tidied(rule.what, gone)


def _lost_packages(database: Database, settings: Settings, is_rehearsal: bool) -> list[Tidied]:
    """What the bucket has lost and this machine holds. Of snapshots a machine may hold a text that was erased since."""
    if not settings.bucket_url:
        return []
    store = open_store(settings)
    with database.reading() as connection:
        digests = {record.version: record.package_hash for record in list_versions(connection)}
    back = [one for one in store.lost(digests) if store.is_kept(one)] if is_rehearsal else store.put_back(digests)
    return [Tidied("packages that the bucket had lost", len(back), is_back=True)]


def _packages(database: Database, settings: Settings, is_rehearsal: bool) -> Tidied:
    """Pack what is neither serving nor among the newest; whoever wants such a version unpacks it by asking."""
    store = open_store(settings)
    with database.reading() as connection:
        rollout = current_rollout(connection)
        versions = list_versions(connection)
    serving = {rollout.stable, rollout.canary, rollout.previous}
    late = [
        record
        for record in versions[settings.kept_packages :]
        if record.version not in serving and store.is_unpacked(record.version)
    ]
    freed = 0
    for record in [] if is_rehearsal else late:
        freed += store.archive(record.version, record.package_hash)
        with database.transaction() as connection:
            audit.append(connection, actor="system", action="package.archived", subject=record.version)
    return Tidied("packages of old versions, archived", len(late), freed)


def _files(settings: Settings, now: dt.datetime, is_rehearsal: bool) -> Tidied:
    """Drafts that a killed process left, and log batches that cannot be read."""
    kinds: list[tuple[Path, str, int]] = [
        (settings.artifacts / "versions", ".*", _DRAFT_DAYS),
        (settings.home, ".import*", _DRAFT_DAYS),
        (settings.home, ".export*", _DRAFT_DAYS),
        (settings.home, ".restore.*", _DRAFT_DAYS),
        (settings.home / "spool", "*.broken", _LINGER_DAYS),
    ]
    found = [
        path
        for folder, pattern, days in kinds
        for path in folder.glob(pattern)
        if now.timestamp() - path.stat().st_mtime > days * 86_400
    ]
    freed = sum(_size(path) for path in found)
    for path in [] if is_rehearsal else found:
        _remove(path)
    return Tidied("files that were left lying about", len(found), freed)


def _size(path: Path) -> int:
    return sum(one.stat().st_size for one in (path, *path.rglob("*")) if one.is_file())


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _note(connection: Connection, done: list[Tidied], now: dt.datetime) -> None:
    connection.execute(tables.switches.delete().where(tables.switches.c.name == _SWITCH))
    connection.execute(
        tables.switches.insert().values(
            name=_SWITCH, value={"at": now.isoformat()}, changed_by="system", changed_at=utc_now()
        )
    )
    counts = {one.what: one.count for one in done if one.count}
    if counts:
        audit.append(connection, actor="system", action="tidied", subject="", details=counts)
