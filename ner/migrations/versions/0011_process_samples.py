"""What the processes need of their machines, a row a minute"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "process_samples",
        sa.Column("id", big, autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("cpu_cores", sa.Float(), nullable=False),
        sa.Column("memory_bytes", big, nullable=True),
        sa.Column("machine_bytes", big, nullable=True),
        sa.Column("disk_share", sa.Float(), nullable=True),
        sa.Column("load_seconds", json, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_process_samples")),
    )
    op.create_index(op.f("ix_process_samples_at"), "process_samples", ["at"])


def downgrade() -> None:
    op.drop_table("process_samples")
