"""Roll-ups of the prediction log, scores on corrections, and what a label-free estimate needs"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "rollups",
        sa.Column("id", big, autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("variant", sa.Text(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("errors_4xx", sa.Integer(), nullable=False),
        sa.Column("errors_5xx", sa.Integer(), nullable=False),
        sa.Column("cached", sa.Integer(), nullable=False),
        sa.Column("counts", json, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollups")),
    )
    op.create_index(op.f("ix_rollups_at_version"), "rollups", ["at", "version"])
    op.create_table(
        "rollup_backlog",
        sa.Column("next_id", big, autoincrement=False, nullable=False),
        sa.Column("last_id", big, nullable=False),
        sa.PrimaryKeyConstraint("next_id", name=op.f("pk_rollup_backlog")),
    )
    op.execute(
        "INSERT INTO rollup_backlog (next_id, last_id) "
        "SELECT min(id), max(id) FROM predictions HAVING max(id) IS NOT NULL"
    )
    op.create_table(
        "corrected_scores",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("correct", sa.Integer(), nullable=False),
        sa.Column("predicted", sa.Integer(), nullable=False),
        sa.Column("gold", sa.Integer(), nullable=False),
        sa.Column("expected_correct", sa.Float(), nullable=False),
        sa.Column("expected_entities", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["version"], ["versions.version"], name=op.f("fk_corrected_scores_version")),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name=op.f("fk_corrected_scores_document_id")),
        sa.PrimaryKeyConstraint("version", "document_id", name=op.f("pk_corrected_scores")),
    )
    op.create_index(op.f("ix_corrected_scores_version_settled_at"), "corrected_scores", ["version", "settled_at"])
    op.add_column("predictions", sa.Column("expected_correct", sa.Float(), nullable=True))
    op.add_column("predictions", sa.Column("expected_entities", sa.Float(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("predictions") as batch:
        batch.drop_column("expected_entities")
        batch.drop_column("expected_correct")
    op.drop_table("corrected_scores")
    op.drop_table("rollup_backlog")
    op.drop_table("rollups")
