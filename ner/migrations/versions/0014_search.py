"""Indexes for searching: the labels of the newest spans, and the words of the texts

The words are found by what the database has: FTS5 with trigrams on SQLite, pg_trgm on PostgreSQL. Neither is part of
the tables of the code, and where it cannot be had searches read every text. Whoever lets Alembic copy `documents` or
`datasets` on SQLite has to make the triggers again.
"""

import logging
from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_LOG = logging.getLogger(__name__)
_TRIGGERS = {
    "search_datasets_added": """AFTER INSERT ON datasets BEGIN
        INSERT INTO search_datasets (dataset_id) VALUES (NEW.id);
    END""",
    "search_text_added": """AFTER INSERT ON documents BEGIN
        INSERT INTO search_text (rowid, text)
        SELECT number * 4294967296 + NEW.position, NEW.text FROM search_datasets WHERE dataset_id = NEW.dataset_id;
    END""",
    "search_text_deleted": """AFTER DELETE ON documents BEGIN
        INSERT INTO search_text (search_text, rowid, text)
        SELECT 'delete', number * 4294967296 + OLD.position, OLD.text FROM search_datasets
        WHERE dataset_id = OLD.dataset_id;
    END""",
}


def upgrade() -> None:
    op.create_table(
        "document_labels",
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("dataset_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name=op.f("fk_document_labels_document_id")),
        sa.PrimaryKeyConstraint("document_id", "label", name=op.f("pk_document_labels")),
        sqlite_with_rowid=False,
    )
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    each, label = ("json_each", "json_extract(s.value, '$[2]')") if is_sqlite else ("jsonb_array_elements", "s->>2")
    op.execute(
        "INSERT INTO document_labels (document_id, label, dataset_id, position) "
        f"SELECT DISTINCT d.id, {label}, d.dataset_id, d.position FROM documents AS d "
        f"JOIN revisions AS r ON r.document_id = d.id AND r.revision = d.revision, {each}(r.spans) AS s"
    )
    op.create_index(
        op.f("ix_document_labels_dataset_id_label_position"), "document_labels", ["dataset_id", "label", "position"]
    )
    _where_it_can_be(_index_words_on_sqlite if is_sqlite else _index_words_on_postgresql)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name in _TRIGGERS:
            op.execute(f"DROP TRIGGER IF EXISTS {name}")
        op.execute("DROP TABLE IF EXISTS search_text")
        op.execute("DROP TABLE IF EXISTS search_datasets")
    else:
        # The extension stays: another schema may use it.
        op.execute("DROP INDEX IF EXISTS ix_documents_text_trigrams")
    op.drop_table("document_labels")


def _where_it_can_be(make: Callable[[], None]) -> None:
    try:
        with op.get_bind().begin_nested():
            make()
    except sa.exc.DBAPIError as error:
        # Searches read every text then; `workbench doctor` says so, and how to mend it.
        _LOG.warning("The index of words cannot be made (%s).", type(error).__name__)


def _index_words_on_sqlite() -> None:
    op.execute("CREATE VIRTUAL TABLE search_text USING fts5 (text, content='', columnsize=0, tokenize='trigram')")
    # The row of a text is made of its dataset's number and its position: row ids of other tables change in a VACUUM.
    op.execute("CREATE TABLE search_datasets (number INTEGER PRIMARY KEY, dataset_id TEXT NOT NULL UNIQUE)")
    op.execute("INSERT INTO search_datasets (dataset_id) SELECT id FROM datasets")
    op.execute(
        "INSERT INTO search_text (rowid, text) SELECT s.number * 4294967296 + d.position, d.text "
        "FROM documents AS d JOIN search_datasets AS s ON s.dataset_id = d.dataset_id"
    )
    for name, body in _TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} {body}")


def _index_words_on_postgresql() -> None:
    bind = op.get_bind()
    # Two installations that migrate at once would both make the extension.
    bind.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('pg_trgm'))"))
    home = bind.scalar(sa.text("SELECT coalesce(to_regnamespace('public')::text, quote_ident(current_schema()))"))
    op.execute(f"CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA {home}")
    home = bind.scalar(sa.text("SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'pg_trgm'"))
    op.execute(f"CREATE INDEX ix_documents_text_trigrams ON documents USING gin (text {home}.gin_trgm_ops)")
