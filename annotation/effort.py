"""How people work: time and keys for each answer, and whether what is offered is still being read."""

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from annotation.stored import load_dataset
from ner import tables
from ner.database import utc_now
from ner.desk_tables import checks, efforts, offers
from ner.documents import EntitySpan
from ner.shares import wilson_interval

_documents = tables.documents
_FASTEST_READING = 100.0  # characters a second, four times the pace of a fast reader
_FEWEST_ANSWERS, _FEWEST_CHECKS = 20, 3
_TOO_MANY_TAKEN = 0.3


@dataclass(frozen=True, slots=True)
class Effort:
    """One answer: milliseconds in use, keys pressed, characters of the text, spans that are not as they were shown."""

    active_ms: int
    key_presses: int
    characters: int
    changes: int


@dataclass(frozen=True, slots=True)
class Habits:
    """How a person works in a dataset. `taken_interval`: 95 % for the share of checks that they took (Wilson).

    `warnings` say why their answers deserve a second look; none means that nothing is the matter.
    """

    person: str
    answers: int
    active_hours: float
    seconds_per_answer: float
    keys_per_answer: float
    unchanged_share: float
    checks: int
    checks_taken: int
    taken_interval: tuple[float, float]
    warnings: list[str] = field(default_factory=list)


def note_effort(
    connection: Connection,
    operation_id: str,
    document_id: str,
    author: str,
    *,
    active_ms: int,
    key_presses: int,
    characters: int,
    shown: Sequence[EntitySpan],
    answer: Sequence[EntitySpan],
) -> None:
    """Keep what an answer took. `shown`: what stood and what was offered when the document was opened."""
    changes = len(set(shown) ^ set(answer))
    facts = {"active_ms": active_ms, "key_presses": key_presses, "characters": characters, "changes": changes}
    whose = {"operation_id": operation_id, "document_id": document_id, "author": author, "created_at": utc_now()}
    connection.execute(efforts.insert().values(**whose, **facts))


def habits(connection: Connection, dataset: str) -> list[Habits]:
    """How each person works in the dataset, by name. Raises NotFound."""
    own = _documents.c.dataset_id == load_dataset(connection, dataset).id
    with_offers = sa.exists().where(offers.c.operation_id == efforts.c.operation_id)
    rows = connection.execute(
        sa.select(efforts, with_offers.label("had_offers"))
        .join(_documents, _documents.c.id == efforts.c.document_id)
        .where(own)
        .order_by(efforts.c.created_at)
    )
    work: dict[str, list[tuple[Effort, bool]]] = defaultdict(list)
    for row in rows:
        one = Effort(row.active_ms, row.key_presses, row.characters, row.changes)
        work[row.author].append((one, bool(row.had_offers)))
    outcomes: dict[str, list[str]] = defaultdict(list)
    settled = sa.select(checks.c.author, checks.c.outcome).join(_documents, _documents.c.id == checks.c.document_id)
    for person, outcome in connection.execute(settled.where(own, checks.c.outcome.is_not(None))):
        outcomes[person].append(outcome)
    return [describe(person, done, outcomes[person]) for person, done in sorted(work.items())]


def describe(person: str, done: Sequence[tuple[Effort, bool]], outcomes: Sequence[str]) -> Habits:
    """The habits behind some answers, each with whether anything was offered for it, and outcomes of checks."""
    efforts_alone = [one for one, _ in done]
    taken = sum(outcome == "taken" for outcome in outcomes)
    interval = wilson_interval(taken, len(outcomes))
    return Habits(
        person=person,
        answers=len(done),
        active_hours=sum(one.active_ms for one in efforts_alone) / 3_600_000,
        seconds_per_answer=statistics.median(one.active_ms for one in efforts_alone) / 1000,
        keys_per_answer=statistics.fmean(one.key_presses for one in efforts_alone),
        unchanged_share=sum(not one.changes for one in efforts_alone) / len(done),
        checks=len(outcomes),
        checks_taken=taken,
        taken_interval=interval,
        warnings=[*_stamping(taken, len(outcomes), interval[0]), *_too_fast(done)],
    )


def _stamping(taken: int, total: int, low: float) -> list[str]:
    if total < _FEWEST_CHECKS or low <= _TOO_MANY_TAKEN:
        return []
    return [f"Took {taken} of {total} suggestions that were wrong on purpose."]


def _too_fast(done: Sequence[tuple[Effort, bool]]) -> list[str]:
    """Answers that left everything as it was offered, faster than anybody reads."""
    unread = [
        one.characters / max(one.active_ms, 1) * 1000 for one, had_offers in done if had_offers and not one.changes
    ]
    if len(unread) < _FEWEST_ANSWERS or statistics.median(unread) <= _FASTEST_READING:
        return []
    pace = statistics.median(unread)
    return [f"Leaves what is offered unchanged at {pace:.0f} characters a second; nobody reads faster than 50."]
