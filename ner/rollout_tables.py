"""The tables of automatic rollouts: trials, the verdicts on them, what the answering processes report, and alerts."""

import sqlalchemy as sa
from sqlalchemy import Column, Float, ForeignKey, Index, Integer, Table, Text

from ner.columns import BigId, Id, UtcDateTime, metadata

trials = Table(
    "trials",
    metadata,
    Column("id", Id, primary_key=True),
    Column("canary", Text, ForeignKey("versions.version"), nullable=False),
    Column("stable", Text, ForeignKey("versions.version"), nullable=False),
    Column("policy", Text, nullable=False),  # YAML as it was given
    Column("status", Text, nullable=False),  # running, held; promoted, rolled_back, stood_back
    Column("step", Integer, nullable=False),  # place in the policy's steps
    Column("epoch", Integer, nullable=False),  # of the rollout; another one in force: somebody else decided
    Column("sentence", Text, nullable=False),
    Column("began_by", Text, nullable=False),
    Column("began_at", UtcDateTime, nullable=False, index=True),
    Column("step_began_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
)
verdicts = Table(
    "verdicts",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("trial_id", Id, ForeignKey("trials.id"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", Text, nullable=False),  # decision, sample
    Column("action", Text, nullable=False),
    Column("body", Text, nullable=False),  # canonical JSON: the evidence, the policy, what was computed from them
    Column("hash", Text, nullable=False),  # SHA-256 of the body; a decision's stands in the audit trail too
    Index(None, "trial_id", "id"),
)
process_reports = Table(
    "process_reports",
    metadata,
    Column("process", Text, primary_key=True),  # host:number of a process that answers
    Column("at", UtcDateTime, nullable=False),
    Column("epoch", Integer, nullable=False),  # of the rollout that it follows
    Column("memory_share", Float),  # of what it may use, 0 to 1
    Column("log_behind_seconds", Float, nullable=False),  # how long log rows have waited to be written
)
alerts = Table(
    "alerts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", Text, nullable=False),  # such as shared_outage; a kind and a subject have one open alert at most
    Column("severity", Text, nullable=False),  # info, warning, critical
    Column("subject", Text, nullable=False),  # a version, a process, or empty
    Column("sentence", Text, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False, index=True),
    Column("closed_at", UtcDateTime),
    Column("acknowledged_by", Text),
    Column("acknowledged_at", UtcDateTime),
    Index(
        "uq_alerts_open",
        "kind",
        "subject",
        unique=True,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    ),
)
