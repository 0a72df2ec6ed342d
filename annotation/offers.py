"""What became of what was offered: taken, changed or refused, by whom, from which source and version of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from annotation.stored import load_dataset
from annotation.suggesting import Suggestion
from ner import tables
from ner.database import utc_now
from ner.desk_tables import offers
from ner.documents import EntitySpan
from ner.errors import Conflict, InvalidSpan
from ner.shares import wilson_interval

State = Literal["accepted", "edited", "rejected"]
Verdict = Literal["accepted", "rejected"]
_documents = tables.documents
_DOCUMENTS_AT_A_TIME = 5_000


@dataclass(frozen=True, slots=True)
class SourceOutcome:
    """How often people took what a source offered in one of its versions. `accepted_interval`: 95 %, Wilson."""

    source: str
    version: str
    accepted: int
    edited: int
    rejected: int
    accepted_share: float
    accepted_interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class PartialLabels:
    """A document of which only single spans were judged: the rest is unknown, not empty."""

    document_id: str
    text: str
    accepted: list[EntitySpan]
    rejected: list[EntitySpan]


def state_of(offer: EntitySpan, answer: Sequence[EntitySpan]) -> State:
    """What an answer made of an offer: the same span; one that touches it with another border or label; none."""
    if offer in answer:
        return "accepted"
    return "edited" if any(span.start < offer.end and offer.start < span.end for span in answer) else "rejected"


def settle_offers(
    connection: Connection,
    document_id: str,
    offered: Sequence[Suggestion],
    answer: Sequence[EntitySpan],
    *,
    operation_id: str,
    author: str,
) -> Counter[State]:
    """Keep what an answer made of everything that was offered with it. Run it once an answer."""
    states: Counter[State] = Counter()
    rows = []
    for one in dict.fromkeys(offered):
        state = state_of(one.span, answer)
        states[state] += 1
        rows.append(_row(document_id, one, state, "answer", operation_id, author))
    if rows:
        connection.execute(offers.insert(), rows)
    return states


def judge_offer(
    connection: Connection,
    document_id: str,
    text: str,
    offer: Suggestion,
    verdict: Verdict,
    *,
    operation_id: str,
    author: str,
) -> bool:
    """Keep one decision on one span, without an answer for the whole document. True where it was new.

    Raises InvalidSpan for a span outside of the text, Conflict for an operation id of another decision.
    """
    if offer.end > len(text):
        raise InvalidSpan(
            f"The span [{offer.start}, {offer.end}) ends after the text, which has {len(text)} characters."
        )
    known = connection.execute(sa.select(offers).where(offers.c.operation_id == operation_id)).first()
    row = _row(document_id, offer, verdict, "single", operation_id, author)
    if known is not None:
        if any(
            getattr(known, name) != row[name] for name in ("document_id", "author", "start", "end", "label", "state")
        ):
            raise Conflict("This operation id was used for another decision; send a new one.")
        return False
    connection.execute(offers.insert().values(**row))
    return True


def judged(connection: Connection, document_ids: Sequence[str]) -> dict[str, dict[EntitySpan, Verdict]]:
    """The newest decision on each span that was judged alone, by document."""
    found: dict[str, dict[EntitySpan, Verdict]] = {}
    # SQLite takes some thousands of parameters in one statement, not more.
    for first in range(0, len(document_ids), _DOCUMENTS_AT_A_TIME):
        some = document_ids[first : first + _DOCUMENTS_AT_A_TIME]
        single = sa.select(offers).where(offers.c.document_id.in_(some), offers.c.way == "single")
        for row in connection.execute(single.order_by(offers.c.id)):
            found.setdefault(row.document_id, {})[EntitySpan(row.start, row.end, row.label)] = row.state
    return found


def partial_labels(connection: Connection, dataset: str) -> list[PartialLabels]:
    """The documents that are not gold and of which single spans were judged, in order. Raises NotFound."""
    own = _documents.c.dataset_id == load_dataset(connection, dataset).id
    single = sa.select(offers.c.document_id).where(offers.c.way == "single")
    rows = connection.execute(
        sa.select(_documents.c.id, _documents.c.text)
        .where(own, _documents.c.gold_revision.is_(None), _documents.c.id.in_(single))
        .order_by(_documents.c.position)
    ).all()
    verdicts = judged(connection, [row.id for row in rows])
    return [
        PartialLabels(
            row.id,
            row.text,
            sorted(span for span, verdict in verdicts[row.id].items() if verdict == "accepted"),
            sorted(span for span, verdict in verdicts[row.id].items() if verdict == "rejected"),
        )
        for row in rows
    ]


def outcomes(connection: Connection, dataset: str) -> list[SourceOutcome]:
    """How each source of the dataset fared, each version by itself, by name. Raises NotFound."""
    rows = connection.execute(
        sa.select(offers.c.source, offers.c.source_version, offers.c.state, sa.func.count())
        .join(_documents, _documents.c.id == offers.c.document_id)
        .where(_documents.c.dataset_id == load_dataset(connection, dataset).id)
        .group_by(offers.c.source, offers.c.source_version, offers.c.state)
    )
    counts: dict[tuple[str, str], Counter[str]] = {}
    for source, version, state, count in rows:
        counts.setdefault((source, version), Counter())[state] = count
    return [_outcome(source, version, states) for (source, version), states in sorted(counts.items())]


def _outcome(source: str, version: str, states: Counter[str]) -> SourceOutcome:
    total = states.total()
    low, high = wilson_interval(states["accepted"], total)
    return SourceOutcome(
        source,
        version,
        states["accepted"],
        states["edited"],
        states["rejected"],
        states["accepted"] / total,
        (low, high),
    )


def _row(document_id: str, one: Suggestion, state: State, way: str, operation_id: str, author: str) -> dict[str, Any]:
    return {
        "document_id": document_id,
        "operation_id": operation_id,
        "author": author,
        "start": one.start,
        "end": one.end,
        "label": one.label,
        "source": one.source,
        "source_version": one.version,
        "confidence": one.confidence,
        "state": state,
        "way": way,
        "created_at": utc_now(),
    }
