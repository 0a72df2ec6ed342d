"""Room on the pages of documents for a second version of each row, so that a change of many writes no index anew

PostgreSQL writes a changed row again, and every index of its table with it unless the row fits on its own page. The
index of words is the dearest of all. Only pages that are filled from now on have the room; `VACUUM FULL documents`
gives it to the others.
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE documents SET (fillfactor = 50)")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE documents RESET (fillfactor)")
