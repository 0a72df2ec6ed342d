"""The tables that running it for years needs: what is known of versions and processes lately, and who is told."""

import sqlalchemy as sa
from sqlalchemy import Column, Float, ForeignKey, Index, Integer, Table, Text

from ner.columns import Id, Json, UtcDateTime, metadata

# What is known of a version and of the processes, as of lately: read often, so there is one row for each figure.
version_figures = Table(
    "version_figures",
    metadata,
    Column("version", Text, primary_key=True),
    Column("name", Text, primary_key=True),  # such as f1_gold, f1_estimate, vocabulary_overlap
    Column("value", Float, nullable=False),
    Column("low", Float),  # the 95 % interval, where there is one
    Column("high", Float),
    Column("documents", Integer, nullable=False),
    Column("measured_at", UtcDateTime, nullable=False),
)
heartbeats = Table(
    "heartbeats",
    metadata,
    Column("process", Text, primary_key=True),
    Column("seen_at", UtcDateTime, nullable=False),
)

# Who is told.
webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("sealed_secret", sa.LargeBinary, nullable=False),  # AES-256-GCM: 12 bytes of nonce, then the sealed secret
    Column("severities", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("removed_at", UtcDateTime),
)
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True),  # the receiver sees the same one at every attempt
    Column("webhook_id", Id, ForeignKey("webhooks.id"), nullable=False),
    Column("event", Text, nullable=False),  # alert.opened, alert.closed, test
    Column("body", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", UtcDateTime, index=True),  # null: delivered, or given up
    Column("delivered_at", UtcDateTime),
    Column("status", Integer),  # what the receiver last answered
    Column("problem", Text),
    Index(None, "webhook_id", "created_at"),
)
