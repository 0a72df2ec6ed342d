"""What a label means in a dataset: words and examples, in versions, and which settled spans came before the newest."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from annotation.search_index import holds_label
from annotation.stored import load_dataset, spans_of
from ner import tables
from ner.database import lock_for_appending, utc_now
from ner.desk_tables import guidelines
from ner.documents import EntitySpan
from ner.errors import Conflict, InvalidInput, UnknownLabel
from registry import audit

_documents, _revisions = tables.documents, tables.revisions
LONGEST, MOST_EXAMPLES = 8_000, 20


@dataclass(frozen=True, slots=True)
class Guideline:
    """One version of what a label means. Examples are `{"text", "start", "end", "is_right"}`."""

    label: str
    version: int
    words: str
    examples: list[dict[str, Any]]
    author: str
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Affected:
    """A settled document whose spans of a label were settled before the label's newest guideline."""

    document_id: str
    text: str
    spans: tuple[EntitySpan, ...]
    settled_at: dt.datetime
    guideline_version: int


def write_guideline(
    connection: Connection,
    dataset: str,
    label: str,
    words: str,
    examples: Sequence[Mapping[str, Any]],
    *,
    base_version: int,
    author: str,
) -> Guideline:
    """The next version of a label's guideline. The same words and examples again change nothing.

    Raises NotFound, UnknownLabel, InvalidInput, and Conflict when somebody wrote a newer one than `base_version`.
    """
    lock_for_appending(connection, f"dataset {dataset}")
    rules = load_dataset(connection, dataset)
    if label not in rules.labels:
        raise UnknownLabel(f"'{label}' is not in the label set: {', '.join(rules.labels)}.")
    if len(words) > LONGEST or len(examples) > MOST_EXAMPLES:
        raise InvalidInput(f"A guideline has at most {LONGEST:,} characters and {MOST_EXAMPLES} examples.")
    kept = [_example(one) for one in examples]
    newest = next((one for one in guidelines_of(connection, dataset) if one.label == label), None)
    if newest is not None and (newest.words, newest.examples) == (words.strip(), kept):
        return newest
    version = newest.version if newest else 0
    if version != base_version:
        raise Conflict(
            f"The guideline of '{label}' is at version {version} now, not {base_version}; read it again first."
        )
    facts = {"dataset_id": rules.id, "label": label, "version": version + 1, "words": words.strip(), "examples": kept}
    connection.execute(guidelines.insert().values(**facts, author=author, created_at=utc_now()))
    details = {"dataset": dataset, "version": version + 1}
    audit.append(connection, actor=author, action="guideline.written", subject=label, details=details)
    return next(one for one in guidelines_of(connection, dataset) if one.label == label)


def guidelines_of(connection: Connection, dataset: str, *, label: str | None = None) -> list[Guideline]:
    """The newest guideline of each label; with a `label` all of its versions, newest first. Raises NotFound."""
    rules = load_dataset(connection, dataset)
    chosen = sa.select(guidelines).where(guidelines.c.dataset_id == rules.id)
    if label is not None:
        chosen = chosen.where(guidelines.c.label == label)
    found = [_as_guideline(row) for row in connection.execute(chosen.order_by(guidelines.c.version.desc()))]
    if label is not None:
        return found
    newest = {one.label: one for one in reversed(found)}
    return [newest[name] for name in rules.labels if name in newest]


def affected_by(connection: Connection, dataset: str, label: str, *, limit: int = 200) -> tuple[list[Affected], int]:
    """(the first settled documents whose spans of the label are older than its newest guideline, how many in all).

    Which version held when a document was settled follows from the two moments. Raises NotFound.
    """
    rules = load_dataset(connection, dataset)
    versions = guidelines_of(connection, dataset, label=label)
    if not versions:
        return [], 0
    settled = _revisions.alias("settled")
    is_settled_by = sa.and_(settled.c.document_id == _documents.c.id, settled.c.revision == _documents.c.gold_revision)
    conditions = (
        _documents.c.dataset_id == rules.id,
        holds_label(rules.id, label),
        settled.c.created_at < versions[0].created_at,
    )
    chosen = sa.select(_documents, settled.c.created_at.label("settled_at")).join(settled, is_settled_by)
    total = connection.scalar(sa.select(sa.func.count()).select_from(chosen.where(*conditions).subquery())) or 0
    rows = connection.execute(chosen.where(*conditions).order_by(_documents.c.position).limit(limit))
    return [_affected(row, label, versions) for row in rows], total


def _affected(row: Row[Any], label: str, versions: Sequence[Guideline]) -> Affected:
    spans = tuple(span for span in spans_of(row.gold) if span.label == label)
    version = next((one.version for one in versions if one.created_at <= row.settled_at), 0)
    return Affected(row.id, row.text, spans, row.settled_at, version)


def _example(example: Mapping[str, Any]) -> dict[str, Any]:
    text, start, end = example.get("text"), example.get("start"), example.get("end")
    if not isinstance(text, str) or not isinstance(start, int) or not isinstance(end, int):
        raise InvalidInput("An example needs a text, and where its entity starts and ends.")
    if not 0 <= start < end <= len(text) <= 1_000:
        raise InvalidInput("An example has at most 1,000 characters, and its entity lies inside of them.")
    return {"text": text, "start": start, "end": end, "is_right": example.get("is_right") is not False}


def _as_guideline(row: Row[Any]) -> Guideline:
    return Guideline(row.label, row.version, row.words, list(row.examples), row.author, row.created_at)
