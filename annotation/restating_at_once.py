"""Answers said again by PostgreSQL itself, in one statement for many documents: what `restating` does one by one.

A change of 100,000 spans spends its time on reading answers into Python and sending them back. Where the new spans can
be told in SQL, they never leave the server. Both ways store the same revisions, gold and labels; a test holds them
against each other.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Connection

from annotation.relabelling import Change
from annotation.restating import AGAIN, lock_documents
from annotation.stored import CORRECTIONS, documents, is_newest, revisions
from ner.columns import UtcDateTime
from ner.database import utc_now
from ner.row_sets import is_among

_DOCUMENTS = 10_000

# The answers that count, with their spans as they shall be: the same choice as `restating` makes. The steps are grouped
# and counted, and never joined with each other: PostgreSQL knows nothing about their sizes and would loop in loops.
_RESTATED = """
WITH said AS (
    SELECT d.id, d.dataset_id, d.position, d.revision AS newest, d.gold_revision, r.revision AS said_in,
        r.base_revision, r.operation_id, r.author, r.kind, r.spans
    FROM documents AS d JOIN revisions AS r ON r.document_id = d.id
    WHERE d.id = ANY(:documents) AND (r.revision = d.revision OR r.revision = d.gold_revision
        OR (r.kind = ANY(:corrections) AND NOT EXISTS (
            SELECT FROM revisions AS later WHERE later.document_id = r.document_id AND later.author = r.author
                AND later.kind = ANY(:corrections) AND later.revision > r.revision)))
),
written AS MATERIALIZED (SELECT said.*, {written} AS again FROM said),
numbered AS (
    SELECT *, bool_or(again <> spans) OVER (PARTITION BY position) AS is_touched,
        newest + count(*) FILTER (WHERE again <> spans OR said_in = newest)
            OVER (PARTITION BY position ORDER BY said_in) AS revision
    FROM written
),
restated AS MATERIALIZED (
    SELECT *, max(revision) FILTER (WHERE said_in = gold_revision) OVER (PARTITION BY position) AS settled_in,
        jsonb_agg(again) FILTER (WHERE said_in = gold_revision) OVER (PARTITION BY position) AS settled
    FROM numbered WHERE is_touched AND (again <> spans OR said_in = newest)
),
turned AS MATERIALIZED (SELECT * FROM restated WHERE said_in = newest AND again <> spans),
sides AS MATERIALIZED (
    SELECT id, dataset_id, position, e, -1 AS side FROM turned, jsonb_array_elements(spans) AS e
    UNION ALL SELECT id, dataset_id, position, e, 1 FROM turned, jsonb_array_elements(again) AS e
),
moved_spans AS (
    SELECT e ->> 2 AS label, side, min(side) OVER (PARTITION BY position) AS first
    FROM (SELECT position, e, min(side) AS side FROM sides GROUP BY position, e HAVING min(side) = max(side)) AS moved
),
moved_labels AS MATERIALIZED (
    SELECT min(id) AS id, min(dataset_id) AS dataset_id, position, max(label) FILTER (WHERE side = -1) AS lost,
        max(label) FILTER (WHERE side = 1) AS won
    FROM (
        SELECT *, row_number() OVER (PARTITION BY position, side ORDER BY label) AS place FROM (
            SELECT min(id) AS id, min(dataset_id) AS dataset_id, position, e ->> 2 AS label, min(side) AS side
            FROM sides GROUP BY position, e ->> 2 HAVING min(side) = max(side)) AS changed) AS placed
    GROUP BY position, place
),
"""
# A label in place of another is an update, which needs no look at whether the document exists.
_STORED = """
appended AS (
    INSERT INTO revisions
        (document_id, revision, base_revision, operation_id, author, kind, spans, created_at)
    SELECT id, revision, said_in,
        concat(:operation, ' ', lpad(CAST(position AS text), greatest(12, length(CAST(position AS text))), '0'), ' ',
            revision),
        author, CASE WHEN starts_with(kind, :again) THEN kind ELSE concat(:again, kind) END, again, :now
    FROM restated ORDER BY position, id, revision
),
moved AS (
    UPDATE documents AS d SET revision = r.revision, gold = coalesce(r.settled -> 0, d.gold),
        gold_revision = coalesce(r.settled_in, d.gold_revision)
    FROM restated AS r WHERE r.said_in = r.newest AND d.id = r.id
),
renamed AS (
    UPDATE document_labels AS l SET label = m.won FROM moved_labels AS m
    WHERE l.document_id = m.id AND l.label = m.lost AND m.won IS NOT NULL
),
removed AS (
    DELETE FROM document_labels AS l USING moved_labels AS m
    WHERE l.document_id = m.id AND l.label = m.lost AND m.won IS NULL
),
added AS (
    INSERT INTO document_labels (document_id, label, dataset_id, position)
    SELECT id, won, dataset_id, position FROM moved_labels WHERE lost IS NULL
),
counted AS (
    SELECT label, count(*) FILTER (WHERE side = first) AS spans, sum(side) AS more FROM moved_spans GROUP BY label
)
"""
_TOLD = """
SELECT (SELECT count(*) FROM restated WHERE said_in = newest) AS documents,
    (SELECT jsonb_object_agg(label, spans) FILTER (WHERE spans > 0) FROM counted) AS spans,
    (SELECT coalesce(-sum(more), 0) FROM counted) AS fewer,
    (SELECT jsonb_agg(jsonb_build_array(x.id, d.text, x.spans, x.again) ORDER BY x.position, x.id)
        FROM (SELECT * FROM turned ORDER BY position, id LIMIT :examples) AS x JOIN documents AS d ON d.id = x.id
    ) AS examples
"""
# Spans without the chosen labels, or with the target in their place; two that became the same are one.
_FORWARDS = """
CASE WHEN spans @> ANY(CAST(:holding AS jsonb[])) THEN (
    SELECT coalesce(jsonb_agg(e ORDER BY CAST(e -> 0 AS integer), CAST(e -> 1 AS integer) DESC,
        (e ->> 2) COLLATE "C"), '[]')
    FROM (SELECT DISTINCT CASE WHEN e ->> 2 = ANY(:chosen) THEN jsonb_build_array(e -> 0, e -> 1, {target}) ELSE e END
        FROM jsonb_array_elements(spans) AS e WHERE {kept}) AS rewritten (e)
) ELSE spans END
"""
# An answer that the change restated is what it was before; one that the change left alone stays.
_BACKWARDS = """
CASE WHEN starts_with(operation_id, :made) THEN (
    SELECT b.spans FROM revisions AS b WHERE b.document_id = said.id AND b.revision = said.base_revision
) ELSE spans END
"""


@dataclass(frozen=True, slots=True)
class Rewriting:
    """An answer's new spans as an expression in SQL, with its parameters."""

    expression: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What became of many documents: how many, their changed spans by label, by how many spans there are fewer, and
    the first as (document, text, before, after).
    """

    documents: int
    spans: dict[str, int]
    fewer: int
    examples: list[list[Any]]


def can_be_said_at_once(connection: Connection) -> bool:
    """Whether this database can: PostgreSQL alone has statements that write to several tables."""
    return connection.dialect.name == "postgresql"


def forwards(change: Change) -> Rewriting:
    """A change without a pattern."""
    parameters: dict[str, Any] = {
        "chosen": list(change.labels),
        "holding": [json.dumps([[label]]) for label in change.labels],
    }
    if change.target is None:
        return Rewriting(_FORWARDS.format(target="NULL", kept="NOT e ->> 2 = ANY(:chosen)"), parameters)
    return Rewriting(
        _FORWARDS.format(target="CAST(:target AS text)", kept="true"), parameters | {"target": change.target}
    )


def backwards(change_id: str) -> Rewriting:
    """A change taken back, in documents about which nobody said anything since."""
    return Rewriting(_BACKWARDS, {"made": f"change {change_id} "})


def restate_at_once(
    connection: Connection, identifiers: Sequence[str], rewriting: Rewriting, operation: str, *, examples: int
) -> Iterator[Told]:
    """Lock the documents and store what `restating.restate` and `restating.store` would, many at a time; of each many,
    `examples` are told."""
    for first in range(0, len(identifiers), _DOCUMENTS):
        some = identifiers[first : first + _DOCUMENTS]
        lock_documents(connection, some)
        yield _store(connection, some, rewriting, operation, examples)


def said_since(connection: Connection, identifiers: Sequence[str], change_id: str) -> set[str]:
    """Lock the documents; those about which something was said after the change."""
    since: set[str] = set()
    for first in range(0, len(identifiers), _DOCUMENTS):
        some = identifiers[first : first + _DOCUMENTS]
        lock_documents(connection, some)
        is_later = sa.not_(revisions.c.operation_id.startswith(f"change {change_id} "))
        newest = sa.select(documents.c.id).join(revisions, is_newest())
        since.update(connection.scalars(newest.where(is_among(connection, documents.c.id, some), is_later)))
    return since


def _store(connection: Connection, some: Sequence[str], rewriting: Rewriting, operation: str, examples: int) -> Told:
    # To compile a statement of this length takes the server longer than to run it; its groups stay off the disk.
    connection.execute(sa.text("SET LOCAL jit = off"))
    connection.execute(sa.text("SET LOCAL work_mem = '32MB'"))
    types: dict[str, Any] = {"documents": ARRAY(sa.Text()), "corrections": ARRAY(sa.Text()), "chosen": ARRAY(sa.Text())}
    types |= {"holding": ARRAY(sa.Text()), "now": UtcDateTime()}
    values = rewriting.parameters | {
        **{"documents": list(some), "corrections": list(CORRECTIONS), "operation": operation, "again": AGAIN},
        **{"now": utc_now(), "examples": examples},
    }
    statement = sa.text(_RESTATED.replace("{written}", rewriting.expression) + _STORED.strip() + _TOLD)
    bound = [sa.bindparam(name, value, types.get(name)) for name, value in values.items()]
    row = connection.execute(statement.bindparams(*bound)).one()
    return Told(row.documents, row.spans or {}, int(row.fewer), row.examples or [])
