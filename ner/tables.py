"""The whole database; the tables of the desk have a page of their own. Moments are UTC.

Identifiers are 32 hexadecimal digits unless said otherwise.
"""

import sqlalchemy as sa
from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from ner import shadow_tables as shadow_tables
from ner.columns import BigId, Id, UtcDateTime
from ner.columns import Json as Json
from ner.columns import metadata as metadata
from ner.desk_tables import document_labels as document_labels
from ner.desk_tables import leases as leases
from ner.operation_tables import deliveries as deliveries
from ner.operation_tables import heartbeats as heartbeats
from ner.operation_tables import version_figures as version_figures
from ner.operation_tables import webhooks as webhooks
from ner.rollout_tables import alerts as alerts
from ner.rollout_tables import process_reports as process_reports
from ner.rollout_tables import trials as trials
from ner.rollout_tables import verdicts as verdicts
from ner.traffic_tables import corrected_scores as corrected_scores
from ner.traffic_tables import log_batches as log_batches
from ner.traffic_tables import predictions as predictions
from ner.traffic_tables import process_samples as process_samples
from ner.traffic_tables import rollup_backlog as rollup_backlog
from ner.traffic_tables import rollups as rollups

# Who may call.
users = Table(
    "users",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
)
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False, unique=True),
    Column("secret_hash", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("rate_limit_per_hour", Integer),  # null: no limit
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("scopes", Json),  # null: everything that the role may do
)
passwords = Table(
    "passwords",
    metadata,
    Column("user_id", Id, ForeignKey("users.id"), primary_key=True),
    Column("hash", Text, nullable=False),  # Argon2id with its parameters
    Column("changed_at", UtcDateTime, nullable=False),
)
refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("family", Id, nullable=False, index=True),  # all that came from one sign-in
    Column("kind", Text, nullable=False),  # user, key
    Column("subject", Text, nullable=False),  # a person's name, a key's prefix
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
)
sign_in_links = Table(
    "sign_in_links",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("user_name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
)
demos = Table(
    "demos",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("version", Text, nullable=False),
    Column("compared_with", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Column("visits", Integer, nullable=False, server_default="0"),
    Column("questions", Integer, nullable=False, server_default="0"),
    Column("passphrase_hash", Text),  # Argon2id with its parameters; null: the link alone opens it
    Column("frame_origins", Json),  # whose pages may embed it; null: nobody's
)

# What people say about text.
datasets = Table(
    "datasets",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("labels", Json, nullable=False),
    Column("nesting", Text, nullable=False),
    Column("annotators_required", Integer, nullable=False),
    Column("checks_percent", Integer, nullable=False, server_default="0"),  # documents with a planted wrong suggestion
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", Text, nullable=False),
)
documents = Table(
    "documents",
    metadata,
    Column("id", Id, primary_key=True),
    Column("dataset_id", Id, ForeignKey("datasets.id"), nullable=False),
    Column("position", BigId, nullable=False),
    Column("text", Text, nullable=False),
    Column("text_hash", Text, nullable=False),
    Column("import_key", Text, nullable=False),
    Column("meta", Json, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("gold", Json),  # spans as [[start, end, label], ...]; null until settled
    Column("gold_revision", Integer),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("dataset_id", "import_key"),
    Index(None, "dataset_id", "position"),
)
revisions = Table(
    "revisions",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("document_id", Id, ForeignKey("documents.id"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("base_revision", Integer, nullable=False),
    Column("operation_id", Text, nullable=False, unique=True),
    Column("author", Text, nullable=False),
    Column("kind", Text, nullable=False),  # import, correction
    Column("spans", Json, nullable=False),
    Column("model_version", Text),  # whose suggestions the person saw
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("document_id", "revision"),
)
snapshots = Table(
    "snapshots",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("dataset", Text, nullable=False),
    Column("documents", Integer, nullable=False),
    Column("entities", Json, nullable=False),
    Column("labels", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", Text, nullable=False),
)

# What is learned.
runs = Table(
    "runs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("dataset", Text, nullable=False),
    Column("recipe", Text, nullable=False),
    Column("parameters", Json, nullable=False),
    Column("status", Text, nullable=False),  # queued, running, finished, failed, cancelled
    Column("requested_by", Text, nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("claimed_by", Text),
    Column("heartbeat_at", UtcDateTime),
    Column("attempts", Integer, nullable=False),
    Column("cancel_requested", Boolean, nullable=False),
    Column("progress", Json, nullable=False),
    Column("result", Json),
    Column("error", Text),
    Column("snapshot_hash", Text),
    Column("version", Text),
    Column("mlflow_run_id", Text),
    Column("findings", Json),  # what the checks of its data found: [{kind, severity, count, examples, advice}]
    Index(None, "status", "requested_at"),
)
# The seven facts of the audit trail are columns that cannot be empty; where a version was deployed is in `rollouts`.
versions = Table(
    "versions",
    metadata,
    Column("version", Text, primary_key=True),
    Column("recipe", Text, nullable=False),
    Column("trained_by", Text, nullable=False),
    Column("training_started_at", UtcDateTime, nullable=False),
    Column("training_completed_at", UtcDateTime, nullable=False),
    Column("data_version", Text, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("git_commit", Text, nullable=False),
    Column("hyperparameters", Json, nullable=False),
    Column("performance", Json, nullable=False),
    Column("labels", Json, nullable=False),
    Column("package_hash", Text, nullable=False),
    Column("run_id", Id, unique=True),
    Column("mlflow_run_id", Text),
    Column("mlflow_version", Text),
    Column("created_at", UtcDateTime, nullable=False),
)

# Who answers.
rollouts = Table(
    "rollouts",
    metadata,
    Column("epoch", Integer, primary_key=True, autoincrement=False),  # the highest one is in force
    Column("stable", Text, ForeignKey("versions.version")),
    Column("canary", Text, ForeignKey("versions.version")),
    Column("previous", Text, ForeignKey("versions.version")),
    Column("canary_percent", Float, nullable=False),
    Column("salt", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("changed_by", Text, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)
audit = Table(
    "audit",
    metadata,
    Column("entry", Integer, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),  # ISO 8601 as it was hashed
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("details", Text, nullable=False),  # canonical JSON as it was hashed
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
)

# What was answered: see also `ner.traffic_tables`.
sealing_keys = Table(
    "sealing_keys",
    metadata,
    Column("id", Id, primary_key=True),
    Column("wrapped", sa.LargeBinary, nullable=False),  # 32 bytes, sealed with the secret key of the installation
    Column("secret_id", Text, nullable=False),  # which secret key that was
    Column("created_at", UtcDateTime, nullable=False),  # the newest one seals
)
captured_texts = Table(
    "captured_texts",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("version", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default="low confidence"),  # low confidence, sample
    Column("lowest_confidence", Float, index=True),  # null: nothing was found
    Column("sealed", sa.LargeBinary, nullable=False),  # AES-256-GCM: 12 bytes of nonce, then the sealed text
    Column("key_id", Id, ForeignKey("sealing_keys.id"), index=True),  # null: sealed with the secret key itself
    Column("document_id", Id, ForeignKey("documents.id")),  # once it was opened for correction
)
ownership_keys = Table(
    "ownership_keys",
    metadata,
    Column("id", Id, primary_key=True),  # which secret key it follows from
    Column("sealed", sa.LargeBinary, nullable=False),  # as captured texts are; 64 hexadecimal digits
    Column("key_id", Id, ForeignKey("sealing_keys.id"), index=True),
    Column("created_at", UtcDateTime, nullable=False),
)
switches = Table(
    "switches",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Json, nullable=False),
    Column("changed_by", Text, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)
