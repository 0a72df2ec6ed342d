"""Keys that seal texts, why a text is kept, and how many answers a row of the log stands for"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sealing_keys",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("secret_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sealing_keys")),
    )
    with op.batch_alter_table("captured_texts") as batch:
        batch.add_column(sa.Column("reason", sa.Text(), nullable=False, server_default="low confidence"))
        batch.add_column(sa.Column("key_id", sa.String(length=32), nullable=True))
        batch.alter_column("lowest_confidence", existing_type=sa.Float(), nullable=True)
        batch.create_foreign_key(op.f("fk_captured_texts_key_id"), "sealing_keys", ["key_id"], ["id"])
        batch.create_index(op.f("ix_captured_texts_key_id"), ["key_id"])
        batch.create_index(op.f("ix_captured_texts_at"), ["at"])
    op.add_column("predictions", sa.Column("weight", sa.Float(), nullable=False, server_default="1"))


def downgrade() -> None:
    # Texts that the keys seal cannot be opened without them, and a sample has no place in the older table.
    op.execute("DELETE FROM captured_texts WHERE key_id IS NOT NULL OR lowest_confidence IS NULL")
    with op.batch_alter_table("captured_texts") as batch:
        batch.drop_index(op.f("ix_captured_texts_at"))
        batch.drop_index(op.f("ix_captured_texts_key_id"))
        batch.drop_constraint(op.f("fk_captured_texts_key_id"), type_="foreignkey")
        batch.alter_column("lowest_confidence", existing_type=sa.Float(), nullable=False)
        batch.drop_column("key_id")
        batch.drop_column("reason")
    op.drop_table("sealing_keys")
    with op.batch_alter_table("predictions") as batch:
        batch.drop_column("weight")
