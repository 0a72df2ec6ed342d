"""The tables of the desk: what is offered to people and what became of it, how they work, and what they agree upon."""

import sqlalchemy as sa
from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from ner.columns import BigId, Id, Json, UtcDateTime, metadata

leases = Table(
    "leases",
    metadata,
    Column("document_id", Id, ForeignKey("documents.id"), primary_key=True),
    Column("holder", Text, primary_key=True),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)
suggestion_sources = Table(
    "suggestion_sources",
    metadata,
    Column("id", Id, primary_key=True),
    Column("dataset_id", Id, ForeignKey("datasets.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),  # gazetteer, pattern, endpoint
    Column("content", Json, nullable=False),
    Column("sealed", sa.LargeBinary),  # the key of an endpoint, AES-256-GCM
    Column("version", Integer, nullable=False),  # one more with each change of the content
    Column("enabled", Boolean, nullable=False),
    Column("changed_by", Text, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    UniqueConstraint("dataset_id", "name"),
)
offers = Table(
    "offers",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("document_id", Id, ForeignKey("documents.id"), nullable=False, index=True),
    Column("operation_id", Text, nullable=False),  # the answer that settled it, or the one decision on it
    Column("author", Text, nullable=False),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("label", Text, nullable=False),
    Column("source", Text, nullable=False),  # model, or the name of a source
    Column("source_version", Text, nullable=False),
    Column("confidence", Float),
    Column("state", Text, nullable=False),  # accepted, edited, rejected
    Column("way", Text, nullable=False),  # answer: the whole document was read; single: this span alone was
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("operation_id", "start", "end", "label", "source"),
)
efforts = Table(
    "efforts",
    metadata,
    Column("operation_id", Text, primary_key=True),
    Column("document_id", Id, ForeignKey("documents.id"), nullable=False, index=True),
    Column("author", Text, nullable=False),
    Column("active_ms", Integer, nullable=False),  # with the document in view and keys or pointer in use
    Column("key_presses", Integer, nullable=False),
    Column("characters", Integer, nullable=False),
    Column("changes", Integer, nullable=False),  # spans that are not as they stood or were offered
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "author", "created_at"),
)
checks = Table(
    "checks",
    metadata,
    Column("document_id", Id, ForeignKey("documents.id"), primary_key=True),
    Column("author", Text, primary_key=True),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("label", Text, nullable=False),
    Column("outcome", Text),  # null until answered; caught, taken
    Column("planted_at", UtcDateTime, nullable=False),
    Column("settled_at", UtcDateTime),
)
comments = Table(
    "comments",
    metadata,
    Column("id", Id, primary_key=True),
    Column("document_id", Id, ForeignKey("documents.id"), nullable=False, index=True),
    Column("start", Integer),  # null: about the whole document
    Column("end", Integer),
    Column("author", Text, nullable=False),
    Column("words", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("settled_by", Text),
    Column("settled_at", UtcDateTime),
)
guidelines = Table(
    "guidelines",
    metadata,
    Column("dataset_id", Id, ForeignKey("datasets.id"), primary_key=True),
    Column("label", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("words", Text, nullable=False),
    Column("examples", Json, nullable=False),  # [{"text", "start", "end", "is_right"}, ...]
    Column("author", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)
preferences = Table(
    "preferences",
    metadata,
    Column("person", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Json, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)
document_labels = Table(
    "document_labels",
    metadata,
    Column("document_id", Id, ForeignKey("documents.id"), primary_key=True),
    Column("label", Text, primary_key=True),  # of a span of the newest revision
    Column("dataset_id", Id, nullable=False),
    Column("position", BigId, nullable=False),  # the document's, so that one index answers
    Index(None, "dataset_id", "label", "position"),
    sqlite_with_rowid=False,
)
