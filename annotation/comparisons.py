"""Two snapshots, compared document by document and span by span."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from annotation.snapshots import SnapshotDocument, read_judgements, read_snapshot
from ner.documents import EntitySpan
from registry.bucket import Bucket

Kind = Literal["added", "removed", "label", "border"]


@dataclass(frozen=True, slots=True)
class SpanChange:
    """One span that differs. `before` is None where it was added, `after` where it was removed.

    "label": same characters, another label. "border": same label, other characters that touch.
    """

    kind: Kind
    document_id: str
    text: str
    before: EntitySpan | None
    after: EntitySpan | None


@dataclass(slots=True)
class SnapshotDiff:
    """What changed from one snapshot to another. `changes` holds the first of them; `spans` counts all by kind.
    `judgements_added` and `judgements_removed`: spans accepted or rejected one by one that only one of them holds."""

    documents_added: int = 0
    documents_removed: int = 0
    documents_changed: int = 0
    documents_same: int = 0
    judgements_added: int = 0
    judgements_removed: int = 0
    spans: Counter[str] = field(default_factory=Counter)
    labels: dict[str, Counter[str]] = field(default_factory=dict)
    changes: list[SpanChange] = field(default_factory=list)


def compare_snapshots(
    folder: Path, before: str, after: str, *, limit: int = 200, bucket: Bucket | None = None
) -> SnapshotDiff:
    """What changed. Spans of documents that only one of them has count as added or removed.

    Raises as `read_snapshot` does, for either of them.
    """
    old = {document.document_id: document for document in read_snapshot(folder, before, bucket)}
    new = {document.document_id: document for document in read_snapshot(folder, after, bucket)}
    diff = SnapshotDiff(documents_added=len(new.keys() - old.keys()), documents_removed=len(old.keys() - new.keys()))
    judged, judged_since = (_judgements(folder, snapshot, bucket) for snapshot in (before, after))
    diff.judgements_added, diff.judgements_removed = len(judged_since - judged), len(judged - judged_since)
    for identifier in [*old, *(identifier for identifier in new if identifier not in old)]:
        changes = list(_changes(old.get(identifier), new.get(identifier)))
        if identifier in old and identifier in new:
            diff.documents_changed += bool(changes)
            diff.documents_same += not changes
        for change in changes:
            _count(diff, change)
        diff.changes.extend(changes[: max(0, limit - len(diff.changes))])
    return diff


def _judgements(folder: Path, snapshot: str, bucket: Bucket | None) -> set[tuple[str, EntitySpan, bool]]:
    """(document, span, whether it was accepted) for each span that was judged alone."""
    return {
        (one.document_id, span, is_accepted)
        for one in read_judgements(folder, snapshot, bucket)
        for is_accepted, spans in ((True, one.accepted), (False, one.rejected))
        for span in spans
    }


def _changes(old: SnapshotDocument | None, new: SnapshotDocument | None) -> Iterator[SpanChange]:
    known = old or new
    if known is None:
        return
    for kind, before, after in span_changes(old.spans if old else (), new.spans if new else ()):
        yield SpanChange(kind, known.document_id, known.text, before, after)


def span_changes(
    old: Sequence[EntitySpan], new: Sequence[EntitySpan]
) -> Iterator[tuple[Kind, EntitySpan | None, EntitySpan | None]]:
    """(kind, before, after) for each span that differs, in the order of the text. Each span is in one of them."""
    gone, come = sorted(set(old) - set(new)), sorted(set(new) - set(old))
    found: list[tuple[Kind, EntitySpan | None, EntitySpan | None]] = []
    for before in list(gone):
        match = next((after for after in come if _place(after) == _place(before)), None)
        kind: Kind = "label"
        if match is None:
            match = next((after for after in come if after.label == before.label and _touch(before, after)), None)
            kind = "border"
        if match is not None:
            gone.remove(before)
            come.remove(match)
            found.append((kind, before, match))
    found.extend(("removed", before, None) for before in gone)
    found.extend(("added", None, after) for after in come)
    yield from sorted(found, key=lambda change: change[1] or change[2] or EntitySpan(0, 1, "-"))


def _count(diff: SnapshotDiff, change: SpanChange) -> None:
    diff.spans[change.kind] += 1
    for span in {span.label: span for span in (change.before, change.after) if span}.values():
        diff.labels.setdefault(span.label, Counter())[change.kind] += 1


def _place(span: EntitySpan) -> tuple[int, int]:
    return span.start, span.end


def _touch(left: EntitySpan, right: EntitySpan) -> bool:
    return left.start < right.end and right.start < left.end
