"""Automatic rollouts: trials, their verdicts, and what the answering processes report"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "trials",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("canary", sa.Text(), nullable=False),
        sa.Column("stable", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("began_by", sa.Text(), nullable=False),
        sa.Column("began_at", moment, nullable=False),
        sa.Column("step_began_at", moment, nullable=False),
        sa.Column("ended_at", moment, nullable=True),
        sa.ForeignKeyConstraint(["canary"], ["versions.version"], name=op.f("fk_trials_canary")),
        sa.ForeignKeyConstraint(["stable"], ["versions.version"], name=op.f("fk_trials_stable")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trials")),
    )
    op.create_index(op.f("ix_trials_began_at"), "trials", ["began_at"])
    op.create_table(
        "verdicts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("trial_id", sa.String(length=32), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.id"], name=op.f("fk_verdicts_trial_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdicts")),
    )
    op.create_index(op.f("ix_verdicts_trial_id_id"), "verdicts", ["trial_id", "id"])
    op.create_table(
        "process_reports",
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("memory_share", sa.Float(), nullable=True),
        sa.Column("log_behind_seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("process", name=op.f("pk_process_reports")),
    )


def downgrade() -> None:
    op.drop_table("process_reports")
    op.drop_table("verdicts")
    op.drop_table("trials")
