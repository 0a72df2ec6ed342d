"""Changes of a dataset's labels and spans: previewed, made as revisions behind those there are, and taken back."""

import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from annotation.relabelling import Change, Rewrite, Spans, changed_labels, check_change, rewriting, undoing
from annotation.search import holds_label
from annotation.stored import CORRECTIONS, Dataset, load_dataset, pairs_of, spans_of
from ner import tables
from ner.database import lock_for_appending, utc_now
from ner.documents import EntitySpan
from ner.errors import Conflict, NotFound
from registry import audit

_documents, _revisions, _datasets = tables.documents, tables.revisions, tables.datasets
_audit = tables.audit
_MADE, _UNDONE = "dataset.change", "dataset.change.undone"
_ROWS = 500
_EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class ChangedDocument:
    """A document that a change is about, with its spans before and after."""

    document_id: str
    text: str
    before: Spans
    after: Spans


@dataclass(slots=True)
class ChangeResult:
    """What a change does, or did. `spans` counts those it touches by their label; `merged` those that became the same
    as another. `id` is None for a preview.
    """

    id: str | None
    labels: list[str]
    documents: int = 0
    spans: Counter[str] = field(default_factory=Counter)
    merged: int = 0
    examples: list[ChangedDocument] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Rewritten:
    """A document's newest spans before and after, and those of its gold where that is an older revision."""

    row: Row[Any]
    before: Spans
    after: Spans
    gold_before: Spans | None
    gold_after: Spans | None

    @property
    def is_touched(self) -> bool:
        return set(self.before) != set(self.after) or set(self.gold_before or ()) != set(self.gold_after or ())


@dataclass(frozen=True, slots=True)
class MadeChange:
    """A change that was made, and whether it was taken back."""

    id: str
    change: Change
    documents: int
    spans: int
    labels_before: list[str]
    made_at: str
    made_by: str
    is_undone: bool


def preview_change(connection: Connection, dataset: str, change: Change) -> ChangeResult:
    """What `make_change` would do, with the first documents as examples. Nothing is written.

    Raises NotFound for the dataset, InvalidInput for a change that does not fit it.
    """
    found = load_dataset(connection, dataset)
    check_change(change, found)
    result = ChangeResult(None, changed_labels(change, found.labels))
    rewrite = rewriting(change)
    for row in _rows(connection, _meant(connection, found, change)):
        _count(result, _rewritten(row, rewrite), merges=bool(change.target))
    return result


def make_change(connection: Connection, dataset: str, change: Change, *, actor: str) -> ChangeResult:
    """Make it, as a new revision of every document that it touches: what was there stays, below it. Run it in a
    writing transaction.

    Documents stay gold, and corrections stay corrections. Raises as `preview_change` does.
    """
    lock_for_appending(connection, f"dataset {dataset}")
    found = load_dataset(connection, dataset)
    check_change(change, found)
    result = ChangeResult(uuid.uuid4().hex, changed_labels(change, found.labels))
    rewrite = rewriting(change)
    for rows in _locked(connection, _meant(connection, found, change)):
        touched = [one for row in rows if (one := _rewritten(row, rewrite)).is_touched]
        for one in touched:
            _count(result, one, merges=bool(change.target))
        _append(connection, touched, f"change {result.id}", actor)
    _store_labels(connection, found, result.labels)
    details = {
        "id": result.id,
        "change": asdict(change),
        "documents": result.documents,
        "spans": result.spans.total(),
        "labels_before": list(found.labels),
    }
    audit.append(connection, actor=actor, action=_MADE, subject=dataset, details=details)
    return result


def undo_change(connection: Connection, dataset: str, change_id: str, *, actor: str) -> ChangeResult:
    """Take a change back, as revisions again. What people corrected since stays as they left it.

    Raises NotFound for a change that was never made, Conflict for one that was undone already.
    """
    lock_for_appending(connection, f"dataset {dataset}")
    found = load_dataset(connection, dataset)
    made = next((one for one in list_changes(connection, dataset) if one.id == change_id), None)
    if made is None:
        raise NotFound(f"There is no change '{change_id}' of the dataset '{dataset}'.")
    if made.is_undone:
        raise Conflict("This change was undone already.")
    rewrites = _undoings(connection, change_id)
    result = ChangeResult(change_id, [])
    for rows in _locked(connection, list(rewrites)):
        touched = [one for row in rows if (one := _rewritten(row, rewrites[row.id])).is_touched]
        for one in touched:
            _count(result, one)
        _append(connection, touched, f"undo {change_id}", actor)
    result.labels = _labels_again(connection, found, made)
    _store_labels(connection, found, result.labels)
    details = {"id": change_id, "documents": result.documents, "spans": result.spans.total()}
    audit.append(connection, actor=actor, action=_UNDONE, subject=dataset, details=details)
    return result


def list_changes(connection: Connection, dataset: str) -> list[MadeChange]:
    """The changes of a dataset, newest first, as the audit trail has them. Raises NotFound for the dataset."""
    load_dataset(connection, dataset)
    about = sa.and_(_audit.c.subject == dataset, _audit.c.action.in_((_MADE, _UNDONE)))
    rows = connection.execute(sa.select(_audit).where(about).order_by(_audit.c.entry.desc())).all()
    told = [(row, json.loads(row.details)) for row in rows]
    undone = {details["id"] for row, details in told if row.action == _UNDONE}
    return [
        MadeChange(
            id=details["id"],
            change=Change(**details["change"] | {"labels": tuple(details["change"]["labels"])}),
            documents=details["documents"],
            spans=details["spans"],
            labels_before=details["labels_before"],
            made_at=row.at,
            made_by=row.actor,
            is_undone=details["id"] in undone,
        )
        for row, details in told
        if row.action == _MADE
    ]


def _meant(connection: Connection, dataset: Dataset, change: Change) -> list[str]:
    """The documents that may be touched, in order: those that hold one of the labels, now or as gold."""
    conditions = [_documents.c.dataset_id == dataset.id, _documents.c.revision > 0]
    if change.labels:
        held = [holds_label(connection, label) for label in change.labels]
        is_ahead = sa.and_(_documents.c.gold_revision.is_not(None), _documents.c.gold_revision != _documents.c.revision)
        conditions.append(sa.or_(*held, is_ahead))
    return list(connection.scalars(sa.select(_documents.c.id).where(*conditions).order_by(_documents.c.position)))


def _rows(connection: Connection, identifiers: Sequence[str], *, lock: bool = False) -> Iterator[Row[Any]]:
    """Documents with their newest spans, and the kinds of the newest and of the gold revision."""
    newest, gold = _revisions.alias("newest"), _revisions.alias("settled")
    columns: list[sa.ColumnElement[Any]] = [
        *(_documents.c[name] for name in ("id", "text", "revision", "gold_revision")),
        sa.case((_documents.c.gold_revision == _documents.c.revision, sa.null()), else_=_documents.c.gold).label(
            "gold"
        ),
        *(newest.c.spans, newest.c.kind, gold.c.kind.label("gold_kind")),
    ]
    chosen = (
        sa.select(*columns)
        .join(newest, sa.and_(newest.c.document_id == _documents.c.id, newest.c.revision == _documents.c.revision))
        .outerjoin(gold, sa.and_(gold.c.document_id == _documents.c.id, gold.c.revision == _documents.c.gold_revision))
        .order_by(_documents.c.position)
    )
    for chunk in _chunks(identifiers):
        if lock:
            connection.execute(sa.select(_documents.c.id).where(_documents.c.id.in_(chunk)).with_for_update())
        yield from connection.execute(chosen.where(_documents.c.id.in_(chunk)))


def _chunks(identifiers: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(identifiers), _ROWS):
        yield identifiers[first : first + _ROWS]


def _locked(connection: Connection, identifiers: Sequence[str]) -> Iterator[list[Row[Any]]]:
    for chunk in _chunks(identifiers):
        yield list(_rows(connection, chunk, lock=True))


def _rewritten(row: Row[Any], rewrite: Rewrite) -> _Rewritten:
    before = spans_of(row.spans)
    gold = None if row.gold is None else spans_of(row.gold)
    return _Rewritten(row, before, rewrite(row.text, before), gold, gold and rewrite(row.text, gold))


def _count(result: ChangeResult, one: _Rewritten, *, merges: bool = False) -> None:
    """Note what happens to one document, if anything does."""
    goes, comes = set(one.before) - set(one.after), set(one.after) - set(one.before)
    if not one.is_touched:
        return
    result.documents += 1
    result.spans.update(span.label for span in goes or comes)
    result.merged += len(goes) - len(comes) if merges else 0
    if len(result.examples) < _EXAMPLES and (goes or comes):
        result.examples.append(ChangedDocument(one.row.id, one.row.text, one.before, one.after))


def _append(connection: Connection, touched: Iterable[_Rewritten], operation: str, actor: str) -> None:
    now = utc_now()
    revisions: list[dict[str, Any]] = []
    updates: list[dict[str, Any]] = []
    for one in touched:
        row = one.row
        common = {"document_id": row.id, "author": actor, "model_version": None, "created_at": now}
        revision, gold, gold_revision = row.revision + 1, one.gold_after, row.gold_revision
        if row.gold_revision == row.revision:
            gold, gold_revision = one.after, revision
        elif one.gold_before is not None and set(one.gold_before) != set(gold or ()):
            # Gold lies below the newest revision: it is written again, and the newest above it.
            made = _revision(common, revision, row.gold_revision, f"{operation} gold", row.gold_kind, gold or ())
            revisions.append(made)
            gold_revision, revision = revision, revision + 1
        newest = _revision(common, revision, row.revision, operation, row.kind, one.after)
        revisions.append(newest)
        stored = newest["spans"] if gold is one.after else None if gold is None else pairs_of(gold)
        updates.append({"the_id": row.id, "revision": revision, "gold": stored, "gold_revision": gold_revision})
    if revisions:
        connection.execute(_revisions.insert(), revisions)
        connection.execute(_documents.update().where(_documents.c.id == sa.bindparam("the_id")), updates)


def _revision(
    common: dict[str, Any], revision: int, base: int, operation: str, kind: str, spans: Spans
) -> dict[str, Any]:
    return common | {
        "revision": revision,
        "base_revision": base,
        "operation_id": f"{operation} {common['document_id']}",
        "kind": CORRECTIONS[1] if kind in CORRECTIONS else "relabelled import",
        "spans": pairs_of(spans),
    }


def _undoings(connection: Connection, change_id: str) -> dict[str, Rewrite]:
    """For each document that the change touched, what takes it back there."""
    before = _revisions.alias("before")
    is_base = sa.and_(before.c.document_id == _revisions.c.document_id, before.c.revision == _revisions.c.base_revision)
    rows = connection.execute(
        sa.select(_revisions.c.document_id, before.c.spans.label("found"), _revisions.c.spans.label("left"))
        .join(before, is_base)
        .where(_revisions.c.operation_id.startswith(f"change {change_id} "))
    )
    pairs: dict[str, list[tuple[tuple[EntitySpan, ...], tuple[EntitySpan, ...]]]] = defaultdict(list)
    for row in rows:
        pairs[row.document_id].append((spans_of(row.found), spans_of(row.left)))
    return {identifier: undoing(found) for identifier, found in pairs.items()}


def _labels_again(connection: Connection, dataset: Dataset, made: MadeChange) -> list[str]:
    """The label set of before, then labels that came since; the change's own target only if spans still have it."""
    since = [label for label in dataset.labels if label not in made.labels_before]
    target = made.change.target
    in_use = sa.select(_documents.c.id).where(_documents.c.dataset_id == dataset.id)
    kept = [
        label
        for label in since
        if label != target or connection.execute(in_use.where(holds_label(connection, label)).limit(1)).first()
    ]
    return [*made.labels_before, *kept]


def _store_labels(connection: Connection, dataset: Dataset, labels: Sequence[str]) -> None:
    connection.execute(_datasets.update().where(_datasets.c.id == dataset.id).values(labels=list(labels)))
