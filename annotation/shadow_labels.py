"""Shadowed traffic that people label: which text is next, and which answers say something about a pair of versions.

Texts come in strata, those on which the versions disagree first; within a stratum in an order that is drawn, so that
those that are labelled are a sample of it, and each counts for as many as it stands for.
"""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from annotation.capture import TRAFFIC, open_captured
from annotation.stored import spans_of
from ner import tables
from ner.documents import Document, EntitySpan
from ner.errors import InvalidSetting
from ner.shadow_tables import KINDS, paired_labels, shadow_answers
from registry.quality_verdicts import Stratum
from registry.sealing import Seals

AGREEING_SHARE = 0.2
"""Of the labels, those that go to texts on which the versions agree: they tell how much all the others weigh."""
_captured, _documents, _revisions = tables.captured_texts, tables.documents, tables.revisions
_KIND_IN_WORDS = {
    "label": "other label",
    "border": "other border",
    "both": "other label and border",
    "missing": "only in {stable}",
    "spurious": "only in {canary}",
}


@dataclass(frozen=True, slots=True)
class GoldOfTraffic:
    """A settled document of shadowed traffic, and whether the versions disagreed on it."""

    document_id: str
    revision: int
    text: str
    spans: tuple[EntitySpan, ...]
    stratum: Stratum


def next_shadowed(
    connection: Connection, stable: str, canary: str, *, exclude: Collection[str] = ()
) -> tuple[str | None, str, int]:
    """(request id of a kept text or None, why it was chosen, how many are left with it).

    One in five is a text on which the versions agree, as long as both strata last. `exclude`: ids of documents.
    """
    conditions = _waiting(stable, canary, exclude)
    counted = sa.select(shadow_answers.c.outcome, sa.func.count()).select_from(_joined()).where(*conditions)
    left = {outcome: int(count) for outcome, count in connection.execute(counted.group_by(shadow_answers.c.outcome))}
    if not left:
        return None, "No text of shadowed traffic waits for a label.", 0
    stratum = _stratum(_labelled(connection, stable, canary), left)
    row = connection.execute(
        sa.select(shadow_answers)
        .select_from(_joined())
        .where(*conditions, shadow_answers.c.outcome == stratum)
        .order_by(shadow_answers.c.place)
        .limit(1)
    ).one()
    if stratum == "agree":
        reason = f"Versions {stable} and {canary} agree here: such texts tell how much the others weigh."
    else:
        kinds = {kind: row._mapping[kind] for kind in KINDS if kind != "match" and row._mapping[kind]}
        words = [f"{count} {_KIND_IN_WORDS[kind]}" for kind, count in kinds.items()]
        reason = f"Versions {stable} and {canary} disagree here: {', '.join(words)}.".format(
            stable=stable, canary=canary
        )
    return str(row.request_id), reason, sum(left.values())


def shadowed_texts(connection: Connection, seals: Seals, stable: str, canary: str, *, limit: int) -> list[Document]:
    """Kept texts of shadowed traffic, those on which the versions disagreed first, as documents: with their gold where
    somebody settled them. Texts that were sealed with another key are passed over.
    """
    rows = connection.execute(
        sa.select(_captured, _documents.c.gold.label("gold"), _documents.c.revision.label("revision"))
        .select_from(_joined())
        .where(*_of(stable, canary))
        .order_by(shadow_answers.c.outcome.desc(), shadow_answers.c.place)
        .limit(limit)
    ).all()
    found = []
    for row in rows:
        with suppress(InvalidSetting):
            text = open_captured(connection, seals, row).text
            spans, is_gold = spans_of(row.gold), row.gold is not None
            found.append(Document(row.document_id or "", TRAFFIC, text, row.revision or 0, spans, is_gold))
    return found


def gold_to_judge(connection: Connection, stable: str, canary: str, *, limit: int) -> list[GoldOfTraffic]:
    """Settled documents of shadowed traffic whose counts are missing or of an older gold. What was settled before the
    canary's training began is left out: it may have learned it.
    """
    trained = sa.select(tables.versions.c.training_started_at).where(tables.versions.c.version == canary)
    judged = sa.and_(
        paired_labels.c.document_id == _documents.c.id,
        paired_labels.c.stable == stable,
        paired_labels.c.canary == canary,
        paired_labels.c.revision == _documents.c.gold_revision,
    )
    settled = sa.and_(_revisions.c.document_id == _documents.c.id, _revisions.c.revision == _documents.c.gold_revision)
    columns = (_documents.c.id, _documents.c.gold_revision, _documents.c.text, _documents.c.gold)
    rows = connection.execute(
        sa.select(*columns, shadow_answers.c.outcome)
        .select_from(_joined().join(_revisions, settled).outerjoin(paired_labels, judged))
        .where(*_of(stable, canary), paired_labels.c.document_id.is_(None))
        .where(_revisions.c.created_at > trained.scalar_subquery())
        .limit(limit)
    )
    found = {
        row.id: GoldOfTraffic(row.id, row.gold_revision, row.text, spans_of(row.gold), row.outcome) for row in rows
    }
    return list(found.values())


def _joined() -> sa.FromClause:
    kept = shadow_answers.join(_captured, _captured.c.request_id == shadow_answers.c.request_id)
    return kept.outerjoin(_documents, _documents.c.id == _captured.c.document_id)


def _of(stable: str, canary: str) -> list[sa.ColumnElement[bool]]:
    return [
        shadow_answers.c.stable == stable,
        shadow_answers.c.canary == canary,
        shadow_answers.c.outcome.in_(("agree", "disagree")),
        shadow_answers.c.is_sampled,
    ]


def _waiting(stable: str, canary: str, exclude: Collection[str]) -> list[sa.ColumnElement[bool]]:
    conditions = [*_of(stable, canary), _documents.c.gold_revision.is_(None)]
    if exclude:
        conditions.append(sa.or_(_captured.c.document_id.is_(None), _captured.c.document_id.not_in(exclude)))
    return conditions


def _labelled(connection: Connection, stable: str, canary: str) -> dict[str, int]:
    conditions = (*_of(stable, canary), _documents.c.gold_revision.is_not(None))
    counted = sa.select(shadow_answers.c.outcome, sa.func.count()).select_from(_joined()).where(*conditions)
    return {outcome: int(count) for outcome, count in connection.execute(counted.group_by(shadow_answers.c.outcome))}


def _stratum(labelled: dict[str, int], left: dict[str, int]) -> str:
    """Whose turn it is."""
    if len(left) == 1:
        return next(iter(left))
    return "agree" if labelled.get("agree", 0) < AGREEING_SHARE * sum(labelled.values()) else "disagree"
