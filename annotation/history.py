"""A document's past: an old answer made the newest again, and answers that every version has to give."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from annotation.corrections import SavedRevision, list_revisions, save_decision
from annotation.datasets import get_document
from annotation.stored import spans_of
from ner import tables
from ner.documents import Document, LabelledText, outermost
from ner.errors import Conflict, NotFound
from registry import audit

MUST_PASS = "must_pass"
_documents, _datasets = tables.documents, tables.datasets


def restore_revision(
    connection: Connection, document_id: str, revision: int, *, base_revision: int, operation_id: str, author: str
) -> SavedRevision:
    """Say again what revision `revision` said, as a decision: a new revision, and gold. Run it in a writing
    transaction.

    Raises NotFound for the document or the revision, and what `save_decision` raises: StaleCorrection, or UnknownLabel
    where a label of then is none any more.
    """
    found = next((one for one in list_revisions(connection, document_id) if one.revision == revision), None)
    if found is None:
        raise NotFound(f"The document has no revision {revision}.")
    before = get_document(connection, document_id)
    saved = save_decision(
        connection,
        document_id,
        base_revision=base_revision,
        spans=found.spans,
        operation_id=operation_id,
        author=author,
    )
    if saved.revision > before.revision:
        details = {"dataset": before.dataset, "restored": revision, "revision": saved.revision}
        audit.append(connection, actor=author, action="annotation.restored", subject=document_id, details=details)
    return saved


def require_answer(connection: Connection, document_id: str, *, is_required: bool, actor: str) -> Document:
    """From now on every version has to answer this document as it is settled, and none learns from it; or no more.

    Raises NotFound, and Conflict where the document is not settled.
    """
    row = connection.execute(sa.select(_documents).where(_documents.c.id == document_id).with_for_update()).first()
    document = get_document(connection, document_id)
    if is_required and (row is None or row.gold_revision is None):
        raise Conflict("Only a settled answer can be one that every version has to give; save it first.")
    if (document.meta.get(MUST_PASS) is True) == is_required:
        return document
    meta = {name: value for name, value in document.meta.items() if name != MUST_PASS}
    if is_required:
        meta[MUST_PASS] = True
    connection.execute(_documents.update().where(_documents.c.id == document_id).values(meta=meta))
    details = {"dataset": document.dataset, "required": is_required}
    audit.append(connection, actor=actor, action="document.must_pass", subject=document_id, details=details)
    return get_document(connection, document_id)


def required_answers(connection: Connection, dataset: str) -> list[LabelledText]:
    """The settled documents of a dataset that every version has to answer exactly, with their outermost spans."""
    of_dataset = sa.select(_datasets.c.id).where(_datasets.c.name == dataset).scalar_subquery()
    rows = connection.execute(
        sa.select(_documents.c.text, _documents.c.gold)
        .where(_documents.c.dataset_id == of_dataset, _documents.c.gold_revision.is_not(None))
        .where(_documents.c.meta[MUST_PASS].as_boolean())
        .order_by(_documents.c.position)
    )
    return [LabelledText(row.text, outermost(spans_of(row.gold))) for row in rows]
