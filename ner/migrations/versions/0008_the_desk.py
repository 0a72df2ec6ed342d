"""The desk: sources of suggestions and what became of them, effort, checks, comments, guidelines, preferences"""

import sqlalchemy as sa
from alembic import op

from ner.columns import Json

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "preferences",
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", Json, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("person", "name", name=op.f("pk_preferences")),
    )
    op.create_table(
        "guidelines",
        sa.Column("dataset_id", sa.String(length=32), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("examples", Json, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_guidelines_dataset_id")),
        sa.PrimaryKeyConstraint("dataset_id", "label", "version", name=op.f("pk_guidelines")),
    )
    op.create_table(
        "suggestion_sources",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("dataset_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("content", Json, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_suggestion_sources_dataset_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suggestion_sources")),
        sa.UniqueConstraint("dataset_id", "name", name=op.f("uq_suggestion_sources_dataset_id_name")),
    )
    op.create_table(
        "checks",
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("end", sa.Integer(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("planted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name=op.f("fk_checks_document_id")),
        sa.PrimaryKeyConstraint("document_id", "author", name=op.f("pk_checks")),
    )
    op.create_table(
        "comments",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("start", sa.Integer(), nullable=True),
        sa.Column("end", sa.Integer(), nullable=True),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_by", sa.Text(), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name=op.f("fk_comments_document_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comments")),
    )
    op.create_index(op.f("ix_comments_document_id"), "comments", ["document_id"])

    op.create_table(
        "efforts",
        sa.Column("operation_id", sa.Text(), nullable=False),
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("active_ms", sa.Integer(), nullable=False),
        sa.Column("key_presses", sa.Integer(), nullable=False),
        sa.Column("characters", sa.Integer(), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name=op.f("fk_efforts_document_id")),
        sa.PrimaryKeyConstraint("operation_id", name=op.f("pk_efforts")),
    )
    op.create_index(op.f("ix_efforts_author_created_at"), "efforts", ["author", "created_at"])
    op.create_index(op.f("ix_efforts_document_id"), "efforts", ["document_id"])

    op.create_table(
        "offers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("operation_id", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("end", sa.Integer(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_version", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name=op.f("fk_offers_document_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offers")),
        sa.UniqueConstraint(
            "operation_id",
            "start",
            "end",
            "label",
            "source",
            name=op.f("uq_offers_operation_id_start_end_label_source"),
        ),
    )
    op.create_index(op.f("ix_offers_document_id"), "offers", ["document_id"])

    op.add_column("datasets", sa.Column("checks_percent", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("datasets", "checks_percent")

    op.drop_index(op.f("ix_offers_document_id"), table_name="offers")

    op.drop_table("offers")
    op.drop_index(op.f("ix_efforts_document_id"), table_name="efforts")
    op.drop_index(op.f("ix_efforts_author_created_at"), table_name="efforts")

    op.drop_table("efforts")
    op.drop_index(op.f("ix_comments_document_id"), table_name="comments")

    op.drop_table("comments")
    op.drop_table("checks")
    op.drop_table("suggestion_sources")
    op.drop_table("guidelines")
    op.drop_table("preferences")
