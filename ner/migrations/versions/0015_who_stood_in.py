"""Which variant an answer stood in for, and which one covered a failure"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_TABLES = ("predictions", "rollups")
_COLUMNS = ("stood_in_for", "covered_by")


def upgrade() -> None:
    for table in _TABLES:
        for name in _COLUMNS:
            # A default of the table makes this a change of its description only, however many rows it has.
            op.add_column(table, sa.Column(name, sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    for table in _TABLES:
        for name in reversed(_COLUMNS):
            op.drop_column(table, name)
