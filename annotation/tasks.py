"""Which document a person should look at next, and the lease that keeps it theirs meanwhile."""

import datetime as dt
from collections.abc import Collection
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from annotation.capture import CapturedText, open_captured
from annotation.stored import Dataset, as_document, is_corrected, load_dataset, select_documents
from ner import tables
from ner.database import lock_for_appending, utc_now
from ner.documents import Document
from ner.errors import InvalidSetting
from registry.sealing import Seals

LEASE_SECONDS = 900
_ROWS_AT_A_TIME = 20
Order = Literal["uncorrected", "position"]
_documents, _captured, _revisions, _leases = tables.documents, tables.captured_texts, tables.revisions, tables.leases


def take_next(
    connection: Connection,
    dataset: str,
    author: str,
    *,
    exclude: Collection[str] = (),
    order: Order = "uncorrected",
    among: Collection[str] | None = None,
    now: dt.datetime | None = None,
) -> tuple[Document | None, str, int]:
    """`next_document`, leased to `author` for 15 minutes: nobody else is given it where its dataset asks for no more
    people. A correction that comes after the lease has ended is stored all the same. Run it in a writing transaction.

    `among`: choose from these ids only. Raises NotFound for the dataset.
    """
    now = now or utc_now()
    lock_for_appending(connection, f"tasks {dataset}")
    connection.execute(_leases.delete().where(_leases.c.expires_at <= now))
    found = next_document(connection, dataset, exclude=exclude, order=order, author=author, among=among, now=now)
    if found[0] is not None:
        release(connection, found[0].id, author)
        ends = now + dt.timedelta(seconds=LEASE_SECONDS)
        connection.execute(_leases.insert().values(document_id=found[0].id, holder=author, expires_at=ends))
    return found


def release(connection: Connection, document_id: str, author: str) -> None:
    """Give a leased document back."""
    mine = (_leases.c.document_id == document_id, _leases.c.holder == author)
    connection.execute(_leases.delete().where(*mine))


def next_document(
    connection: Connection,
    dataset: str,
    *,
    exclude: Collection[str],
    order: Order = "uncorrected",
    author: str | None = None,
    among: Collection[str] | None = None,
    now: dt.datetime | None = None,
) -> tuple[Document | None, str, int]:
    """(document or None, why it was chosen, how many are left with it).

    "uncorrected": documents without any label first, then those on which people do not agree yet, then those that
    came labelled and that nobody corrected; "position": every document. Both keep the file's order and leave out the
    ids in `exclude`, what `author` has corrected, and what as many people as the dataset asks for have corrected or
    hold a lease on. Raises NotFound for the dataset.
    """
    rules = load_dataset(connection, dataset)
    conditions = _open_to(rules, author, order, now or utc_now())
    if exclude:
        conditions.append(_documents.c.id.not_in(exclude))
    remaining = connection.scalar(sa.select(sa.func.count()).select_from(_documents).where(*conditions)) or 0
    if among is not None:
        conditions.append(_documents.c.id.in_(among))
    ranked = [_rank(), _documents.c.position] if order == "uncorrected" else [_documents.c.position]
    # The id first: sorting whole texts would be slow.
    first = sa.select(_documents.c.id).where(*conditions).order_by(*ranked).limit(1).scalar_subquery()
    row = connection.execute(select_documents().where(_documents.c.id == first)).first()
    if row is None:
        return None, "Nothing is left to correct here.", 0
    return as_document(row), _reason(row), remaining


def open_documents(connection: Connection, dataset: str, author: str, *, exclude: Collection[str]) -> list[str]:
    """The ids of every document that `author` may be given, in the file's order. Raises NotFound."""
    conditions = _open_to(load_dataset(connection, dataset), author, "uncorrected", utc_now())
    if exclude:
        conditions.append(_documents.c.id.not_in(exclude))
    return list(connection.scalars(sa.select(_documents.c.id).where(*conditions).order_by(_documents.c.position)))


def _open_to(rules: Dataset, author: str | None, order: Order, now: dt.datetime) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = [_documents.c.dataset_id == rules.id]
    if author is not None:
        conditions.append(~is_corrected(by=author))
    if order == "uncorrected":
        conditions.append(_documents.c.id.not_in(_taken(rules.annotators_required, author, now)))
    return conditions


def _taken(required: int, author: str | None, now: dt.datetime) -> sa.Select[Any]:
    """The documents that `required` people have corrected, or hold a lease on; one's own lease does not count."""
    others = (_leases.c.expires_at > now, *([_leases.c.holder != author] if author is not None else []))
    people = sa.union(
        sa.select(_revisions.c.document_id, _revisions.c.author).where(_revisions.c.kind == "correction"),
        sa.select(_leases.c.document_id, _leases.c.holder).where(*others),
    ).subquery()
    document = people.c.document_id
    return sa.select(document).group_by(document).having(sa.func.count() >= required)


def next_captured(
    connection: Connection, seals: Seals, *, exclude: Collection[str] = (), author: str | None = None
) -> tuple[CapturedText | None, str, int]:
    """(kept text of traffic or None, why it was chosen, how many are left with it): lowest confidence first, then
    those that were kept at random.

    Texts whose document was corrected are left out, and so are those whose request id or document id is in `exclude`.
    Texts sealed with another key are passed over.
    """
    conditions: list[sa.ColumnElement[bool]] = [sa.or_(_documents.c.id.is_(None), ~is_corrected())]
    if author is not None:
        conditions.append(sa.or_(_documents.c.id.is_(None), ~is_corrected(by=author)))
    if exclude:
        conditions.append(_captured.c.request_id.not_in(exclude))
        conditions.append(sa.or_(_captured.c.document_id.is_(None), _captured.c.document_id.not_in(exclude)))
    joined = _captured.outerjoin(_documents, _documents.c.id == _captured.c.document_id)
    remaining = connection.scalar(sa.select(sa.func.count()).select_from(joined).where(*conditions)) or 0
    rows = connection.execute(
        sa.select(_captured)
        .select_from(joined)
        .where(*conditions)
        .order_by(
            _captured.c.reason, _captured.c.lowest_confidence.nulls_last(), _captured.c.at, _captured.c.request_id
        )
        .execution_options(yield_per=_ROWS_AT_A_TIME)
    )
    for row in rows:
        try:
            captured = open_captured(connection, seals, row)
        except InvalidSetting:
            continue
        rows.close()
        return captured, _reason_of_captured(row), remaining
    return None, "No text of traffic waits for correction.", 0


def _captured_order() -> list[sa.ColumnElement[Any]]:
    return [_captured.c.reason, _captured.c.lowest_confidence.nulls_last(), _captured.c.at, _captured.c.request_id]


def _reason_of_captured(row: sa.Row[Any]) -> str:
    if row.reason == "sample":
        return f"Chosen at random from what version {row.version} answered."
    return f"Version {row.version} was least sure here: its lowest confidence is {row.lowest_confidence:.2f}."


def _rank() -> sa.ColumnElement[int]:
    return sa.case((_documents.c.revision == 0, 0), (_documents.c.gold_revision.is_(None), 1), else_=2)


def _reason(row: sa.Row[Any]) -> str:
    if row.revision == 0:
        return "Nobody has labelled it yet."
    if row.gold_revision is None:
        return "Not enough people agree on it yet."
    return "It came labelled, and nobody has corrected it yet."
