"""What people say about a document: append-only revisions, and when they settle it."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from annotation.datasets import add_labels
from annotation.search_index import note_labels_again, noted_labels
from annotation.stored import CORRECTIONS, Dataset, as_dataset, labels_of, load_dataset, pairs_of, spans_of
from annotation.tasks import release
from ner import tables
from ner.database import utc_now
from ner.documents import Document, EntitySpan, check_spans
from ner.errors import Conflict, InvalidInput, NotFound, StaleCorrection

_documents, _revisions, _datasets = tables.documents, tables.revisions, tables.datasets


@dataclass(frozen=True, slots=True)
class SavedRevision:
    """A stored revision; `is_gold` says whether it settled the document."""

    document_id: str
    revision: int
    is_gold: bool


@dataclass(frozen=True, slots=True)
class _Said:
    """A person's answer on its way into a revision."""

    kind: str
    base_revision: int
    operation_id: str
    author: str
    spans: Sequence[EntitySpan]
    model_version: str | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision as it was stored. `kind` is "import", "correction" or "decision"."""

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

    The document is gold when as many people as its dataset asks for agree exactly. Where that is more than one, they
    work without seeing each other, and another person's correction makes nobody's stale. Sent again with the same
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
    _check_base(connection, row, base_revision, spans, author if dataset.annotators_required > 1 else None)
    checked = check_spans(row.text, spans, labels={*dataset.labels, *new_labels}, nesting=dataset.nesting)
    used = sorted({span.label for span in checked} - set(dataset.labels))
    if used:
        add_labels(connection, dataset.name, used, actor=author)
    said = _Said("correction", base_revision, operation_id, author, checked, model_version)
    _append(connection, row.id, row.revision + 1, said)
    release(connection, row.id, author)
    is_gold = _is_settled(connection, row.id, checked, dataset.annotators_required)
    _move_on(connection, row, checked, is_gold=is_gold)
    return SavedRevision(row.id, row.revision + 1, is_gold)


def save_decision(
    connection: Connection,
    document_id: str,
    *,
    base_revision: int,
    spans: Sequence[EntitySpan],
    operation_id: str,
    author: str,
) -> SavedRevision:
    """Append a reviewer's decision: it is gold, whoever agrees. Run it in a writing transaction.

    Raises what `save_correction` raises; any newer revision makes a decision stale.
    """
    row = _locked_document(connection, document_id)
    replayed = _replayed(connection, row, operation_id, author, spans)
    if replayed:
        return replayed
    dataset = _dataset_of(connection, row)
    _check_base(connection, row, base_revision, spans, None)
    checked = check_spans(row.text, spans, labels=dataset.labels, nesting=dataset.nesting)
    _append(connection, row.id, row.revision + 1, _Said("decision", base_revision, operation_id, author, checked))
    _move_on(connection, row, checked, is_gold=True)
    return SavedRevision(row.id, row.revision + 1, True)


def as_seen_by(connection: Connection, document: Document, author: str) -> Document:
    """The document as a person may see it: where its dataset asks for several people, without what the others said."""
    dataset = load_dataset(connection, document.dataset)
    if dataset.annotators_required <= 1 or document.revision == 0:
        return document
    row = connection.execute(
        sa.select(_revisions)
        .where(_revisions.c.document_id == document.id)
        .where(sa.or_(_revisions.c.kind.not_in(CORRECTIONS), _revisions.c.author == author))
        .order_by(_revisions.c.revision.desc())
        .limit(1)
    ).first()
    if row is None:
        return replace(document, revision=0, spans=(), is_gold=False)
    return replace(document, revision=row.revision, spans=spans_of(row.spans))


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
    if stored.kind == "decision":
        return SavedRevision(document.id, stored.revision, True)
    others = _agreeing(connection, document.id, stored.spans, until=stored.revision)
    required = _dataset_of(connection, document).annotators_required
    return SavedRevision(document.id, stored.revision, len(others) >= required)


def _check_base(
    connection: Connection, document: Row[Any], base_revision: int, spans: Sequence[EntitySpan], blind: str | None
) -> None:
    """`blind`: the author, where what other people said meanwhile does not concern them."""
    if base_revision == document.revision:
        return
    if base_revision > document.revision:
        raise InvalidInput(f"The document is at revision {document.revision}; it has no revision {base_revision} yet.")
    newer = sa.select(_revisions).where(_revisions.c.document_id == document.id, _revisions.c.revision > base_revision)
    if blind is not None:
        newer = newer.where(sa.or_(_revisions.c.kind.not_in(CORRECTIONS), _revisions.c.author == blind))
    newest = connection.execute(newer.order_by(_revisions.c.revision.desc()).limit(1)).first()
    if newest is None:
        return
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


def _append(connection: Connection, document_id: str, revision: int, said: _Said) -> None:
    try:
        with connection.begin_nested():
            connection.execute(
                _revisions.insert().values(
                    document_id=document_id,
                    revision=revision,
                    base_revision=said.base_revision,
                    operation_id=said.operation_id,
                    author=said.author,
                    kind=said.kind,
                    spans=pairs_of(said.spans),
                    model_version=said.model_version,
                    created_at=utc_now(),
                )
            )
    except sa.exc.IntegrityError:
        # The document is locked, so only another document's correction can have taken the operation id meanwhile.
        raise Conflict("This operation id was used for another correction; send a new one.") from None


def _move_on(connection: Connection, document: Row[Any], spans: Sequence[EntitySpan], *, is_gold: bool) -> None:
    """To the next revision, which holds these spans."""
    revision = document.revision + 1
    settled = {"gold": pairs_of(spans), "gold_revision": revision} if is_gold else {}
    connection.execute(_documents.update().where(_documents.c.id == document.id).values(revision=revision, **settled))
    note_labels_again(connection, [document], [noted_labels(connection, document.id)], [labels_of(spans)])


def _is_settled(connection: Connection, document_id: str, spans: Sequence[EntitySpan], required: int) -> bool:
    return required <= 1 or len(_agreeing(connection, document_id, pairs_of(spans))) >= required


def _agreeing(connection: Connection, document_id: str, spans: Sequence[Any], *, until: int | None = None) -> set[str]:
    """The people whose newest correction (up to revision `until`) holds exactly these spans."""
    rows = connection.execute(
        sa.select(_revisions.c.author, _revisions.c.spans)
        .where(
            _revisions.c.document_id == document_id,
            _revisions.c.kind.in_(CORRECTIONS),
            *([_revisions.c.revision <= until] if until is not None else []),
        )
        .order_by(_revisions.c.revision)
    )
    newest = {row.author: row.spans for row in rows}
    return {author for author, said in newest.items() if said == list(spans)}


def _as_revision(row: Row[Any]) -> Revision:
    return Revision(row.revision, row.author, row.kind, spans_of(row.spans), row.model_version, row.created_at)
