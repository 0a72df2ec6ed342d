"""Labels of shadowed traffic as counts of what both versions get right, and the verdict that they give.

Whoever asks for the verdict needs neither texts nor models: the counts are stored, and so are the sizes of the strata.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner import tables
from ner.database import utc_now
from ner.shadow_tables import paired_labels
from registry.judges import F1Evidence
from registry.quality_verdicts import MARGIN, Judged, PairedCounts, QualityVerdict, Stratum, judge_quality
from registry.shadow import expected_counts, totals
from registry.verdicts import judge_f1


@dataclass(frozen=True, slots=True)
class PairedLabel:
    """What two versions get right on one labelled document; `revision` is of the gold."""

    document_id: str
    revision: int
    stratum: Stratum
    counts: PairedCounts


def store_labels(connection: Connection, stable: str, canary: str, labels: Sequence[PairedLabel]) -> None:
    """Keep counts, in place of those of an older gold, and the weights of all as they are now."""
    for label in labels:
        mine = (*_pair(stable, canary), paired_labels.c.document_id == label.document_id)
        connection.execute(paired_labels.delete().where(*mine))
        row = {"document_id": label.document_id, "stable": stable, "canary": canary, "revision": label.revision}
        row |= {"stratum": label.stratum, "counts": list(label.counts), "weight": 1.0, "judged_at": utc_now()}
        connection.execute(paired_labels.insert().values(**row))
    for stratum, size in totals(connection, stable, canary).strata.items():
        own = (*_pair(stable, canary), paired_labels.c.stratum == stratum)
        count = connection.scalar(sa.select(sa.func.count()).select_from(paired_labels).where(*own)) or 0
        if count:
            connection.execute(paired_labels.update().where(*own).values(weight=max(size, count) / count))


def stored_labels(connection: Connection, stable: str, canary: str) -> list[Judged]:
    """Every labelled document of the pair."""
    rows = connection.execute(sa.select(paired_labels).where(*_pair(stable, canary)))
    return [Judged(PairedCounts(*row.counts), row.stratum) for row in rows]


def stored_verdict(connection: Connection, stable: str, canary: str, *, margin: float = MARGIN) -> QualityVerdict:
    """The verdict on the canary's F1, from the best that there is: labels of shadowed traffic, weighted back; before
    there are enough, the test part on which the canary was compared with this stable version when it was trained; and
    before that the versions' own probabilities.
    """
    population = totals(connection, stable, canary).strata
    verdict = judge_quality(
        stored_labels(connection, stable, canary),
        population,
        margin=margin,
        estimates=expected_counts(connection, stable, canary),
    )
    if verdict.basis == "labels":
        return verdict
    return _by_test_part(connection, stable, canary, margin, verdict) or verdict


def _by_test_part(
    connection: Connection, stable: str, canary: str, margin: float, lacking: QualityVerdict
) -> QualityVerdict | None:
    change = _test_part_change(connection, stable, canary)
    if change is None:
        return None
    verdict, reason = judge_f1(change["difference"], change["low"], change["high"], margin=margin)
    said = f"Too few labels of traffic yet; on the test part of the canary's dataset {reason}"
    return replace(lacking, verdict=verdict, reason=said, basis="test part", difference=None)


def f1_evidence(connection: Connection, canary: str, stable: str, margin: float) -> F1Evidence:
    """What a judge of the canary needs of the same verdict: the difference, its 90 % interval, and the sentence."""
    verdict = stored_verdict(connection, stable, canary, margin=margin)
    found = verdict.difference
    if found is not None:
        return F1Evidence(found.difference, found.low, found.high, verdict.basis, verdict.reason)
    change = _test_part_change(connection, stable, canary) if verdict.basis == "test part" else None
    if change is None:
        return F1Evidence(None, None, None, verdict.basis, verdict.reason)
    return F1Evidence(change["difference"], change["low"], change["high"], verdict.basis, verdict.reason)


def _test_part_change(connection: Connection, stable: str, canary: str) -> Mapping[str, float] | None:
    """By how much the canary's F1 differs on its own test part, where it was compared with this stable version."""
    performance = connection.scalar(sa.select(tables.versions.c.performance).where(tables.versions.c.version == canary))
    baseline = (performance or {}).get("baseline")
    return baseline["difference"] if baseline and baseline["version"] == stable else None


def _pair(stable: str, canary: str) -> tuple[sa.ColumnElement[bool], ...]:
    return paired_labels.c.stable == stable, paired_labels.c.canary == canary
