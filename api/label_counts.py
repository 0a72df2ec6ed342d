"""Labels of shadowed traffic become counts: both versions answer what people have settled since the last time."""

import time

from annotation.shadow_labels import GoldOfTraffic, gold_to_judge
from api.serving import Served, Serving
from ner.database import Database
from ner.documents import outermost
from ner.outcomes import key_of
from registry.paired_labels import PairedLabel, store_labels
from registry.quality_verdicts import PairedCounts

_EVERY_SECONDS = 5.0
# Few at a time: the models share the interpreter with those that answer callers.
_AT_A_TIME = 8


class LabelCounts:
    """Keeps the counts of the versions on trial true. Belongs to one thread."""

    def __init__(self, serving: Serving, database: Database) -> None:
        self._serving = serving
        self._database = database
        self._next_at = 0.0

    def catch_up_if_due(self) -> None:
        """Every few seconds, some of what was settled meanwhile."""
        if time.monotonic() >= self._next_at:
            self._next_at = time.monotonic() + (0.5 if self.catch_up(_AT_A_TIME) == _AT_A_TIME else _EVERY_SECONDS)

    def catch_up(self, limit: int = 1_000) -> int:
        """Judge up to `limit` documents; how many there were."""
        lineup = self._serving.lineup
        stable, canary = lineup.stable, lineup.canary
        if stable is None or canary is None:
            return 0
        with self._database.reading() as connection:
            settled = gold_to_judge(connection, stable.version, canary.version, limit=limit)
        if not settled:
            return 0
        labels = paired_labels(settled, stable, canary)
        with self._database.transaction() as connection:
            store_labels(connection, stable.version, canary.version, labels)
        return len(settled)


def paired_labels(settled: list[GoldOfTraffic], stable: Served, canary: Served) -> list[PairedLabel]:
    """What both versions get right on settled documents."""
    texts = [document.text for document in settled]
    answers = zip(stable.tagger.tag(texts), canary.tagger.tag(texts), strict=True)
    labels = []
    for document, pair in zip(settled, answers, strict=True):
        gold = {key_of(span) for span in outermost(document.spans)}
        figures: list[float] = []
        for tagged in pair:
            found = {key_of(span) for span in tagged.spans}
            figures += [len(found & gold), len(found), len(gold)]
        labels.append(PairedLabel(document.document_id, document.revision, document.stratum, PairedCounts(*figures)))
    return labels
