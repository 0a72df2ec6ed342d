"""A guard against rubber-stamping: now and then a suggestion that is wrong on purpose, and what people do with it.

It never reaches an answer: whoever takes it is told, and it is left out of what is stored.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from annotation.stored import Dataset, load_dataset
from annotation.suggesting import Suggestion
from ner import tables
from ner.database import utc_now
from ner.desk_tables import checks
from ner.documents import Document, EntitySpan
from ner.errors import InvalidInput
from ner.tokens import tokenize
from registry import audit

Outcome = Literal["caught", "taken"]
_SHORTEST = 3
_datasets = tables.datasets


def set_checks(connection: Connection, dataset: str, percent: int, *, actor: str) -> None:
    """From now on that share of documents comes with a suggestion that is wrong on purpose. Raises NotFound,
    InvalidInput.
    """
    if not 0 <= percent <= 50:
        raise InvalidInput("The share of documents with a check lies between 0 and 50 percent.")
    rules = load_dataset(connection, dataset)
    connection.execute(_datasets.update().where(_datasets.c.id == rules.id).values(checks_percent=percent))
    audit.append(connection, actor=actor, action="dataset.checks", subject=dataset, details={"percent": percent})


def checks_percent(connection: Connection, dataset: str) -> int:
    """The share in force. Raises NotFound."""
    rules = load_dataset(connection, dataset)
    return int(connection.scalar(sa.select(_datasets.c.checks_percent).where(_datasets.c.id == rules.id)) or 0)


def is_due(document: Document, author: str, percent: int) -> bool:
    """Whether this document is one of the share for this person: decided by both their names, once and for all."""
    return bool(document.text) and _draw(document.id, author, "due") % 100 < percent


def plant(
    connection: Connection, dataset: Dataset, document: Document, author: str, offered: Sequence[Suggestion], model: str
) -> Suggestion | None:
    """The wrong suggestion for this person on this document, looking like the model's; None where it was answered
    already, or where no word of the text will do. Run it in a writing transaction.
    """
    row = _row(connection, document.id, author)
    if row is None:
        found = _wrong(dataset, document, author, offered)
        if found is None:
            return None
        facts = {"start": found.start, "end": found.end, "label": found.label, "planted_at": utc_now()}
        connection.execute(checks.insert().values(document_id=document.id, author=author, **facts))
    elif row.outcome is not None:
        return None
    else:
        found = EntitySpan(row.start, row.end, row.label)
    confidence = 0.6 + _draw(document.id, author, "confidence") % 38 / 100
    return Suggestion(found.start, found.end, found.label, "model", model, confidence=confidence)


def settle_check(
    connection: Connection, document_id: str, author: str, answer: Sequence[EntitySpan], *, is_repeated: bool
) -> tuple[list[EntitySpan], tuple[EntitySpan, Outcome] | None]:
    """(the answer without what was wrong on purpose, that span and what the person did with it, or None where nothing
    was planted). Run it in a writing transaction.
    """
    row = _row(connection, document_id, author)
    if row is None or (row.outcome is not None and not is_repeated):
        return list(answer), None
    wrong = EntitySpan(row.start, row.end, row.label)
    outcome: Outcome = row.outcome or ("taken" if wrong in answer else "caught")
    here = (checks.c.document_id == document_id, checks.c.author == author)
    connection.execute(checks.update().where(*here).values(outcome=outcome, settled_at=utc_now()))
    return ([span for span in answer if span != wrong] if outcome == "taken" else list(answer)), (wrong, outcome)


def _wrong(dataset: Dataset, document: Document, author: str, offered: Sequence[Suggestion]) -> EntitySpan | None:
    """A plain word in small letters under some label, away from every span that stands or is offered."""
    held = {place for span in document.spans for place in range(span.start, span.end)}
    held |= {place for one in offered for place in range(one.start, one.end)}
    fitting = [
        (start, end)
        for start, end in tokenize(document.text)
        if end - start >= _SHORTEST
        and document.text[start:end].isalpha()
        and document.text[start:end].islower()
        and held.isdisjoint(range(start, end))
    ]
    if not fitting or not dataset.labels:
        return None
    start, end = fitting[_draw(document.id, author, "word") % len(fitting)]
    return EntitySpan(start, end, dataset.labels[_draw(document.id, author, "label") % len(dataset.labels)])


def _row(connection: Connection, document_id: str, author: str) -> Row[Any] | None:
    here = (checks.c.document_id == document_id, checks.c.author == author)
    return connection.execute(sa.select(checks).where(*here)).first()


def _draw(document_id: str, author: str, purpose: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{document_id} {author} {purpose}".encode()).digest()[:8])
