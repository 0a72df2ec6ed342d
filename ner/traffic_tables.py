"""What was answered: the log of predictions, and its counts."""

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, Table, Text

from ner.columns import BigId, Id, Json, UtcDateTime, metadata

predictions = Table(
    "predictions",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("request_id", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("version", Text, nullable=False),
    Column("variant", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("latency_ms", Float, nullable=False),
    Column("cached", Boolean, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("characters", Integer, nullable=False),
    Column("tokens", Integer, nullable=False),
    Column("unknown_tokens", Integer, nullable=False),
    Column("entities", Json, nullable=False),  # {label: count}
    Column("lowest_confidence", Float),
    Column("confidences", Json, nullable=False),  # ten counts, one for each tenth
    Column("word_sample", Json, nullable=False),
    Column("weight", Float, nullable=False, server_default="1"),  # how many answers this row stands for
    Column("expected_correct", Float),  # the sum of the confidences; null in rows of before it was logged
    Column("expected_entities", Float),  # null where the tagger gives no such number
    Column("stood_in_for", Text, nullable=False, server_default=""),  # the variant whose turn it was
    Column("covered_by", Text, nullable=False, server_default=""),  # the variant that answered after this failure
    Index(None, "at", "version"),
)
log_batches = Table(
    "log_batches",
    metadata,
    Column("id", Id, primary_key=True),  # written with the rows of a batch, so that it is written once
    Column("at", UtcDateTime, nullable=False),
)
# The same, counted. Rows of one minute add up to it, however many there are, and so do minutes to their hour.
rollups = Table(
    "rollups",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),  # the first moment of the minute or hour
    Column("seconds", Integer, nullable=False),  # 60, 3600
    Column("version", Text, nullable=False),  # empty: refused before a version was chosen
    Column("variant", Text, nullable=False),
    Column("requests", Integer, nullable=False),
    Column("errors_4xx", Integer, nullable=False),
    Column("errors_5xx", Integer, nullable=False),
    Column("cached", Integer, nullable=False),
    Column("counts", Json, nullable=False),  # sums and histograms: {name: {key: number}}
    Column("stood_in_for", Text, nullable=False, server_default=""),
    Column("covered_by", Text, nullable=False, server_default=""),
    Index(None, "at", "version"),
)
# What the processes need of their machines, a row a minute for each.
process_samples = Table(
    "process_samples",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("process", Text, nullable=False),
    Column("kind", Text, nullable=False),  # api, worker
    Column("cpu_cores", Float, nullable=False),
    Column("memory_bytes", BigId),
    Column("machine_bytes", BigId),
    Column("disk_share", Float),
    Column("load_seconds", Json, nullable=False),  # {version: seconds}
)
# Rows of `predictions` that were written before there were roll-ups, and are still to be counted.
rollup_backlog = Table(
    "rollup_backlog",
    metadata,
    Column("next_id", BigId, primary_key=True, autoincrement=False),
    Column("last_id", BigId, nullable=False),
)
# What a version says about a document that people settled after it was trained, against what they said.
corrected_scores = Table(
    "corrected_scores",
    metadata,
    Column("version", Text, ForeignKey("versions.version"), primary_key=True),
    Column("document_id", Id, ForeignKey("documents.id"), primary_key=True),
    Column("revision", Integer, nullable=False),  # of the gold that was scored against
    Column("settled_at", UtcDateTime, nullable=False),
    Column("correct", Integer, nullable=False),
    Column("predicted", Integer, nullable=False),
    Column("gold", Integer, nullable=False),
    Column("expected_correct", Float, nullable=False),
    Column("expected_entities", Float),
    Index(None, "version", "settled_at"),
)
