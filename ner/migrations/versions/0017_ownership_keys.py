"""Keys of ownership, which outlast the secret keys that they follow from"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ownership_keys",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["sealing_keys.id"], name=op.f("fk_ownership_keys_key_id_sealing_keys")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ownership_keys")),
    )
    op.create_index(op.f("ix_ownership_keys_key_id"), "ownership_keys", ["key_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_ownership_keys_key_id"), table_name="ownership_keys")
    op.drop_table("ownership_keys")
