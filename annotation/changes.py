"""Changes of a dataset's labels and spans: previewed, made as revisions behind those there are, and taken back."""

import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from annotation.relabelling import Change, Spans, changed_labels, check_change, rewriting, undoing
from annotation.restating import Answer, Restated, Rewrite, restate, store
from annotation.restating_at_once import (
    Told,
    backwards,
    can_be_said_at_once,
    forwards,
    restate_at_once,
    said_since,
)
from annotation.search_index import holds_label
from annotation.stored import CORRECTIONS, Dataset, load_dataset, spans_of
from ner import tables
from ner.database import lock_for_appending
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
    rewrite = _forwards(change)
    for touched in restate(connection, _meant(connection, found, change), lambda _: rewrite):
        _count(result, touched, merges=bool(change.target))
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
    meant, operation, merges = _meant(connection, found, change), f"change {result.id}", bool(change.target)
    if change.pattern is None and can_be_said_at_once(connection):
        for told in restate_at_once(connection, meant, forwards(change), operation, examples=_EXAMPLES):
            _add(result, told, merges=merges)
    else:
        rewrite = _forwards(change)
        for touched in restate(connection, meant, lambda _: rewrite, lock=True):
            _count(result, touched, merges=merges)
            store(connection, touched, operation)
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
    result, operation = ChangeResult(change_id, []), f"undo {change_id}"
    one_by_one = changed = _changed_documents(connection, change_id)
    if can_be_said_at_once(connection):
        since = said_since(connection, changed, change_id)
        one_by_one = [name for name in changed if name in since]
        at_once = [name for name in changed if name not in since]
        for told in restate_at_once(connection, at_once, backwards(change_id), operation, examples=_EXAMPLES):
            _add(result, told)
    rewrites = _backwards(connection, change_id, one_by_one)
    for touched in restate(connection, one_by_one, rewrites.__getitem__, lock=True):
        _count(result, touched)
        store(connection, touched, operation)
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
    """The documents that may be touched, in order."""
    return list(connection.scalars(meant_documents(dataset, change)))


def meant_documents(dataset: Dataset, change: Change) -> sa.Select[Any]:
    """The documents that a change may touch, in order: those whose newest spans hold one of its labels, and those in
    which an older answer may.
    """
    said = sa.select(_documents.c.id).where(_documents.c.dataset_id == dataset.id, _documents.c.revision > 0)
    if not change.labels:
        return said.order_by(_documents.c.position)
    corrected = sa.select(_revisions.c.document_id).where(_revisions.c.kind.in_(CORRECTIONS))
    is_ahead = sa.and_(_documents.c.gold_revision.is_not(None), _documents.c.gold_revision != _documents.c.revision)
    # One query after the other: joined by "or", PostgreSQL would look through all of one for each row of another.
    ways = (holds_label(dataset.id, *change.labels), is_ahead, _documents.c.id.in_(corrected))
    meant = sa.union(*(said.where(way) for way in ways)).subquery()
    chosen = sa.select(_documents.c.id).join(meant, meant.c.id == _documents.c.id)
    return chosen.order_by(_documents.c.position)


def _forwards(change: Change) -> Rewrite:
    rewrite = rewriting(change)
    return lambda text, answer: rewrite(text, answer.spans)


def _changed_documents(connection: Connection, change_id: str) -> list[str]:
    """The documents that the change touched, in order."""
    made = sa.select(_revisions.c.document_id).where(_is_of_change(change_id))
    return list(
        connection.scalars(sa.select(_documents.c.id).where(_documents.c.id.in_(made)).order_by(_documents.c.position))
    )


def _is_of_change(change_id: str) -> sa.ColumnElement[bool]:
    return _revisions.c.operation_id.startswith(f"change {change_id} ")


def _backwards(connection: Connection, change_id: str, documents: Sequence[str]) -> dict[str, Rewrite]:
    """For each of these documents, which the change touched, what takes it back there."""
    before = _revisions.alias("before")
    is_base = sa.and_(before.c.document_id == _revisions.c.document_id, before.c.revision == _revisions.c.base_revision)
    columns: list[sa.ColumnElement[Any]] = [
        *(_revisions.c.document_id, _revisions.c.revision),
        *(before.c.spans.label("found"), _revisions.c.spans.label("left")),
    ]
    chosen = sa.select(*columns).join(before, is_base).where(_is_of_change(change_id))
    made: dict[str, dict[int, tuple[Spans, Spans]]] = defaultdict(dict)
    wanted = set(documents)
    for row in connection.execute(chosen) if wanted else ():
        if row.document_id in wanted:
            made[row.document_id][row.revision] = spans_of(row.found), spans_of(row.left)
    return {identifier: _taking_back(pairs) for identifier, pairs in made.items()}


def _taking_back(made: dict[int, tuple[Spans, Spans]]) -> Rewrite:
    """An answer that the change restated is what it was before. One that came since is rid of what the change did;
    one that the change left alone stays.
    """
    rewrite = undoing(list(made.values()))

    def take_back(text: str, answer: Answer) -> Spans:
        if answer.revision in made:
            return made[answer.revision][0]
        return rewrite(text, answer.spans) if answer.revision > max(made) else answer.spans

    return take_back


def _count(result: ChangeResult, touched: Iterable[Restated], *, merges: bool = False) -> None:
    """Note what happens to some documents."""
    for one in touched:
        before, after = one.before, one.after
        found, left = set(before), set(after)
        goes, comes = found - left, left - found
        result.documents += 1
        result.spans.update(span.label for span in goes or comes)
        result.merged += len(goes) - len(comes) if merges else 0
        if len(result.examples) < _EXAMPLES and (goes or comes):
            result.examples.append(ChangedDocument(one.document.id, one.document.text, before, after))


def _add(result: ChangeResult, told: Told, *, merges: bool = False) -> None:
    """Note what happened to many documents at once."""
    result.documents += told.documents
    result.spans.update(told.spans)
    result.merged += told.fewer if merges else 0
    for name, text, before, after in told.examples[: _EXAMPLES - len(result.examples)]:
        result.examples.append(ChangedDocument(name, text, spans_of(before), spans_of(after)))


def _labels_again(connection: Connection, dataset: Dataset, made: MadeChange) -> list[str]:
    """The label set of before, then labels that came since; the change's own target only if spans still have it."""
    since = [label for label in dataset.labels if label not in made.labels_before]
    target = made.change.target
    in_use = sa.select(_documents.c.id).where(_documents.c.dataset_id == dataset.id)
    kept = [
        label
        for label in since
        if label != target or connection.execute(in_use.where(holds_label(dataset.id, label)).limit(1)).first()
    ]
    return [*made.labels_before, *kept]


def _store_labels(connection: Connection, dataset: Dataset, labels: Sequence[str]) -> None:
    connection.execute(_datasets.update().where(_datasets.c.id == dataset.id).values(labels=list(labels)))
