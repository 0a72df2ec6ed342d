"""What a canary says in the shadow, and what labels say about it"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_KINDS = ("match", "label", "border", "both", "missing", "spurious")


def upgrade() -> None:
    json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
    op.create_table(
        "shadow_answers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stable", sa.Text(), nullable=False),
        sa.Column("canary", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        *(sa.Column(kind, sa.Integer(), nullable=False) for kind in _KINDS),
        sa.Column("stable_lowest", sa.Float(), nullable=True),
        sa.Column("canary_lowest", sa.Float(), nullable=True),
        sa.Column("expected", json, nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("is_sampled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shadow_answers")),
    )
    op.create_index(op.f("ix_shadow_answers_request_id"), "shadow_answers", ["request_id"])
    op.create_index(
        op.f("ix_shadow_answers_stable_canary_outcome_is_sampled_place"),
        "shadow_answers",
        ["stable", "canary", "outcome", "is_sampled", "place"],
    )
    op.create_table(
        "shadow_hours",
        sa.Column("stable", sa.Text(), nullable=False),
        sa.Column("canary", sa.Text(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("agree", "disagree", "failed", *_KINDS)),
        sa.PrimaryKeyConstraint("stable", "canary", "hour", name=op.f("pk_shadow_hours")),
    )
    op.create_table(
        "paired_labels",
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("stable", sa.Text(), nullable=False),
        sa.Column("canary", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("stratum", sa.Text(), nullable=False),
        sa.Column("counts", json, nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("document_id", "stable", "canary", name=op.f("pk_paired_labels")),
    )
    op.create_index(op.f("ix_paired_labels_stable_canary"), "paired_labels", ["stable", "canary"])


def downgrade() -> None:
    op.drop_table("paired_labels")
    op.drop_table("shadow_hours")
    op.drop_table("shadow_answers")
