"""What people say about a document: append-only revisions, and when they settle it."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from annotation.datasets import add_labels
from annotation.stored import Dataset, as_dataset, pairs_of, spans_of
from ner import tables
from ner.database import utc_now
from ner.documents import EntitySpan, check_spans
from ner.errors import Conflict, InvalidInput, NotFound, StaleCorrection

_documents, _revisions, _datasets = tables.documents, tables.revisions, tables.datasets


@dataclass(frozen=True, slots=True)
class SavedRevision:
    """A stored revision; `is_gold` says whether it settled the document."""

    document_id: str
    revision: int
    is_gold: bool


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision as it was stored. `kind` is "import" or "correction"."""

    revision: int
    author: str
    kind: str
    spans: tuple[EntitySpan, ...]
    model_version: str | None
    created_at: dt.datetime


def save_correction(
    connection: Connection,
    document_id: str,
    *,
    base_revision: int,
    spans: Sequence[EntitySpan],
    operation_id: str,
    author: str,
    model_version: str | None = None,
    new_labels: Collection[str] = (),
) -> SavedRevision:
    """Append a person's answer as the next revision of the document.

    The document is gold when as many people as its dataset asks for agree exactly. Sent again with the same
    `operation_id`, the correction is stored once and answered as the first time. `new_labels` may be used although
    the dataset does not have them yet; those that are used join its label set. Run it in a writing transaction.

    Raises StaleCorrection when the document has moved past `base_revision` (details: `theirs` and `yours`),
    InvalidSpan, UnknownLabel or OverlappingSpans for spans that do not fit the document or its dataset, Conflict
    for an operation id that was used for another correction, NotFound, and InvalidInput for a future revision.
    """
    row = _locked_document(connection, document_id)
    dataset = _dataset_of(connection, row)
    replayed = _replayed(connection, row, operation_id, author, spans)
    if replayed:
        return replayed
    _check_base(connection, row, base_revision, spans)
    checked = check_spans(row.text, spans, labels={*dataset.labels, *new_labels}, nesting=dataset.nesting)
    used = sorted({span.label for span in checked} - set(dataset.labels))
    if used:
        add_labels(connection, dataset.name, used, actor=author)
    revision = row.revision + 1
    _append(connection, row.id, revision, base_revision, operation_id, author, checked, model_version)
    is_gold = _is_settled(connection, row.id, checked, dataset.annotators_required)
    settled = {"gold": pairs_of(checked), "gold_revision": revision} if is_gold else {}
    connection.execute(_documents.update().where(_documents.c.id == row.id).values(revision=revision, **settled))
    return SavedRevision(row.id, revision, is_gold)


def list_revisions(connection: Connection, document_id: str) -> list[Revision]:
    """Every revision of a document, oldest first. Raises NotFound."""
    if connection.execute(sa.select(_documents.c.id).where(_documents.c.id == document_id)).first() is None:
        raise NotFound(f"There is no document '{document_id}'.")
    rows = connection.execute(
        sa.select(_revisions).where(_revisions.c.document_id == document_id).order_by(_revisions.c.revision)
    )
    return [_as_revision(row) for row in rows]


def _locked_document(connection: Connection, document_id: str) -> Row[Any]:
    """The document's row, which no other transaction changes until this one ends."""
    row = connection.execute(sa.select(_documents).where(_documents.c.id == document_id).with_for_update()).first()
    if row is None:
        raise NotFound(f"There is no document '{document_id}'.")
    return row


def _dataset_of(connection: Connection, document: Row[Any]) -> Dataset:
    return as_dataset(connection.execute(sa.select(_datasets).where(_datasets.c.id == document.dataset_id)).one())


def _replayed(
    connection: Connection, document: Row[Any], operation_id: str, author: str, spans: Sequence[EntitySpan]
) -> SavedRevision | None:
    stored = connection.execute(sa.select(_revisions).where(_revisions.c.operation_id == operation_id)).first()
    if stored is None:
        return None
    is_same = (stored.document_id, stored.author) == (document.id, author) and set(spans_of(stored.spans)) == set(spans)
    if not is_same:
        raise Conflict("This operation id was used for another correction; send a new one.")
    others = _agreeing(connection, document.id, stored.spans, until=stored.revision)
    required = _dataset_of(connection, document).annotators_required
    return SavedRevision(document.id, stored.revision, len(others) >= required)


def _check_base(connection: Connection, document: Row[Any], base_revision: int, spans: Sequence[EntitySpan]) -> None:
    if base_revision == document.revision:
        return
    if base_revision > document.revision:
        raise InvalidInput(f"The document is at revision {document.revision}; it has no revision {base_revision} yet.")
    newest = connection.execute(
        sa.select(_revisions).where(_revisions.c.document_id == document.id, _revisions.c.revision == document.revision)
    ).one()
    raise StaleCorrection(
        f"{newest.author} saved revision {newest.revision} after you opened revision {base_revision}; "
        "look at both and save again.",
        theirs={
            "revision": newest.revision,
            "author": newest.author,
            "spans": _shown(document.text, spans_of(newest.spans)),
            "created_at": newest.created_at.isoformat(),
        },
        yours={"base_revision": base_revision, "spans": _shown(document.text, spans)},
    )


def _shown(text: str, spans: Sequence[EntitySpan]) -> list[dict[str, Any]]:
    return [
        {"start": span.start, "end": span.end, "label": span.label, "text": span.surface(text)}
        for span in sorted(spans)
    ]


def _append(
    connection: Connection,
    document_id: str,
    revision: int,
    base_revision: int,
    operation_id: str,
    author: str,
    spans: Sequence[EntitySpan],
    model_version: str | None,
) -> None:
    try:
        with connection.begin_nested():
            connection.execute(
                _revisions.insert().values(
                    document_id=document_id,
                    revision=revision,
                    base_revision=base_revision,
                    operation_id=operation_id,
                    author=author,
                    kind="correction",
                    spans=pairs_of(spans),
                    model_version=model_version,
                    created_at=utc_now(),
                )
            )
    except sa.exc.IntegrityError:
        # The document is locked, so only another document's correction can have taken the operation id meanwhile.
        raise Conflict("This operation id was used for another correction; send a new one.") from None


def _is_settled(connection: Connection, document_id: str, spans: Sequence[EntitySpan], required: int) -> bool:
    return required <= 1 or len(_agreeing(connection, document_id, pairs_of(spans))) >= required


def _agreeing(connection: Connection, document_id: str, spans: Sequence[Any], *, until: int | None = None) -> set[str]:
    """The people whose newest correction (up to revision `until`) holds exactly these spans."""
    rows = connection.execute(
        sa.select(_revisions.c.author, _revisions.c.spans)
        .where(
            _revisions.c.document_id == document_id,
            _revisions.c.kind == "correction",
            *([_revisions.c.revision <= until] if until is not None else []),
        )
        .order_by(_revisions.c.revision)
    )
    newest = {row.author: row.spans for row in rows}
    return {author for author, said in newest.items() if said == list(spans)}


def _as_revision(row: Row[Any]) -> Revision:
    return Revision(row.revision, row.author, row.kind, spans_of(row.spans), row.model_version, row.created_at)
