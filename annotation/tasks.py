"""Which document a person should look at next."""

from collections.abc import Collection
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from annotation.capture import CapturedText, open_captured
from annotation.stored import as_document, is_corrected, load_dataset, select_documents
from ner import tables
from ner.documents import Document
from ner.errors import InvalidSetting

_ROWS_AT_A_TIME = 20
Order = Literal["uncorrected", "position"]
_documents, _captured = tables.documents, tables.captured_texts


def next_document(
    connection: Connection,
    dataset: str,
    *,
    exclude: Collection[str],
    order: Order = "uncorrected",
    author: str | None = None,
) -> tuple[Document | None, str, int]:
    """(document or None, why it was chosen, how many are left with it).

    "uncorrected": documents without any label first, then those on which people do not agree yet, then those that
    came labelled and that nobody corrected; "position": every document. Both keep the file's order and leave out the
    ids in `exclude` and what `author` has corrected. Raises NotFound for the dataset.
    """
    conditions = [_documents.c.dataset_id == load_dataset(connection, dataset).id]
    if exclude:
        conditions.append(_documents.c.id.not_in(exclude))
    if author is not None:
        conditions.append(~is_corrected(by=author))
    if order == "uncorrected":
        conditions.append(sa.or_(_documents.c.gold_revision.is_(None), ~is_corrected()))
    remaining = connection.scalar(sa.select(sa.func.count()).select_from(_documents).where(*conditions)) or 0
    ranked = [_rank(), _documents.c.position] if order == "uncorrected" else [_documents.c.position]
    # The id first: sorting whole texts would be slow.
    first = sa.select(_documents.c.id).where(*conditions).order_by(*ranked).limit(1).scalar_subquery()
    row = connection.execute(select_documents().where(_documents.c.id == first)).first()
    if row is None:
        return None, "Nothing is left to correct here.", 0
    return as_document(row), _reason(row), remaining


def next_captured(
    connection: Connection, key: bytes, *, exclude: Collection[str] = (), author: str | None = None
) -> tuple[CapturedText | None, str, int]:
    """(kept text of traffic or None, why it was chosen, how many are left with it): lowest confidence first.

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
        .order_by(_captured.c.lowest_confidence, _captured.c.at, _captured.c.request_id)
        .execution_options(yield_per=_ROWS_AT_A_TIME)
    )
    for row in rows:
        try:
            captured = open_captured(key, row)
        except InvalidSetting:
            continue
        rows.close()
        reason = f"Version {row.version} was least sure here: its lowest confidence is {row.lowest_confidence:.2f}."
        return captured, reason, remaining
    return None, "No text of traffic waits for correction.", 0


def _rank() -> sa.ColumnElement[int]:
    return sa.case((_documents.c.revision == 0, 0), (_documents.c.gold_revision.is_(None), 1), else_=2)


def _reason(row: sa.Row[Any]) -> str:
    if row.revision == 0:
        return "Nobody has labelled it yet."
    if row.gold_revision is None:
        return "Not enough people agree on it yet."
    return "It came labelled, and nobody has corrected it yet."
