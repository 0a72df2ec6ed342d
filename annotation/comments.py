"""What people write to each other about a document, or about some characters of it, until it is settled."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from annotation.datasets import get_document
from annotation.stored import load_dataset
from ner import tables
from ner.database import utc_now
from ner.desk_tables import comments
from ner.errors import InvalidInput, InvalidSpan, NotFound
from registry import audit

_documents = tables.documents
LONGEST = 4_000


@dataclass(frozen=True, slots=True)
class Comment:
    """`start` and `end` are characters of the document's text, which never changes; None for the whole of it."""

    id: str
    document_id: str
    start: int | None
    end: int | None
    surface: str | None
    author: str
    words: str
    created_at: dt.datetime
    settled_by: str | None
    settled_at: dt.datetime | None


def add_comment(
    connection: Connection, document_id: str, words: str, *, author: str, place: tuple[int, int] | None = None
) -> Comment:
    """Raises NotFound for the document, InvalidInput for no words or too many, InvalidSpan for a place outside."""
    text = get_document(connection, document_id).text
    said = words.strip()
    if not said or len(said) > LONGEST:
        raise InvalidInput(f"A comment has 1 to {LONGEST:,} characters.")
    if place is not None and not 0 <= place[0] < place[1] <= len(text):
        raise InvalidSpan(f"[{place[0]}, {place[1]}) is no place in a text of {len(text)} characters.")
    start, end = place or (None, None)
    identifier = uuid.uuid4().hex
    facts = {"id": identifier, "document_id": document_id, "start": start, "end": end}
    connection.execute(comments.insert().values(**facts, author=author, words=said, created_at=utc_now()))
    audit.append(connection, actor=author, action="comment.added", subject=document_id, details={"comment": identifier})
    return _loaded(connection, identifier)


def settle_comment(connection: Connection, comment_id: str, *, actor: str, is_settled: bool = True) -> Comment:
    """Settle it, or open it again. Raises NotFound."""
    _loaded(connection, comment_id)
    facts = {"settled_by": actor, "settled_at": utc_now()} if is_settled else {"settled_by": None, "settled_at": None}
    connection.execute(comments.update().where(comments.c.id == comment_id).values(**facts))
    found = _loaded(connection, comment_id)
    action = "comment.settled" if is_settled else "comment.opened"
    audit.append(connection, actor=actor, action=action, subject=found.document_id, details={"comment": comment_id})
    return found


def comments_of(connection: Connection, document_id: str) -> list[Comment]:
    """The comments on a document, oldest first. Raises NotFound."""
    get_document(connection, document_id)
    return _chosen(connection, comments.c.document_id == document_id)


def comments_in(connection: Connection, dataset: str, *, open_only: bool = True) -> list[Comment]:
    """The comments in a dataset, oldest first. Raises NotFound."""
    conditions = [_documents.c.dataset_id == load_dataset(connection, dataset).id]
    if open_only:
        conditions.append(comments.c.settled_at.is_(None))
    return _chosen(connection, *conditions)


def _chosen(connection: Connection, *conditions: sa.ColumnElement[bool]) -> list[Comment]:
    rows = connection.execute(
        sa.select(comments, _documents.c.text)
        .join(_documents, _documents.c.id == comments.c.document_id)
        .where(*conditions)
        .order_by(comments.c.created_at, comments.c.id)
    )
    return [_as_comment(row) for row in rows]


def _loaded(connection: Connection, comment_id: str) -> Comment:
    found = _chosen(connection, comments.c.id == comment_id)
    if not found:
        raise NotFound(f"There is no comment '{comment_id}'.")
    return found[0]


def _as_comment(row: Row[Any]) -> Comment:
    surface = row.text[row.start : row.end] if row.start is not None else None
    return Comment(
        *(row.id, row.document_id, row.start, row.end, surface, row.author, row.words),
        *(row.created_at, row.settled_by, row.settled_at),
    )
