"""What a freshly trained version is worth: scored on the test part, beside the version that answers now."""

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from dashboards.cells import cells, tag_scores
from dashboards.profile import build_profile
from ner.database import Database
from ner.documents import LabelledText
from ner.errors import BrokenPackage, RunCancelled
from ner.predictions import ScoredSpan, Tagged, Tagger
from ner.scoring import paired_f1_difference, performance
from ner.settings import Settings
from registry.packages import open_store
from registry.rollout import current_rollout
from registry.taggers import load_tagger
from registry.versions import get_version
from training.splits import Splits

ShouldStop = Callable[[], bool]

_TEXTS_AT_ONCE = 256
_BASELINE_FIGURES = ("precision", "recall", "f1", "precision_interval", "recall_interval", "f1_interval")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The content of `performance.json`, of `profile.json` and of `cells.json`."""

    performance: dict[str, Any]
    profile: dict[str, Any]
    cells: dict[str, Any]


def evaluate(
    database: Database,
    settings: Settings,
    tagger: Tagger,
    parts: Splits[LabelledText],
    training_words: Collection[str],
    should_stop: ShouldStop,
) -> Evaluation:
    """Score `tagger` on the test part, and profile what it finds in the dev and test parts.

    Raises RunCancelled when `should_stop` says so.
    """
    dev, test = tag_all(tagger, parts.dev, should_stop), tag_all(tagger, parts.test, should_stop)
    found = [answer.spans for answer in test]
    figures = performance([document.spans for document in parts.test], found)
    baseline = score_stable(database, settings, parts.test, found, should_stop)
    texts = [document.text for document in (*parts.dev, *parts.test)]
    per_tag = tag_scores(parts.test, test)
    return Evaluation(
        performance=figures | {"per_tag": per_tag, "part": "test", "splits": parts.sizes(), "baseline": baseline},
        cells=cells(parts.test, test),
        profile=build_profile(texts, dev + test, set(training_words)),
    )


def score_stable(
    database: Database,
    settings: Settings,
    test: Sequence[LabelledText],
    found: Sequence[Sequence[ScoredSpan]],
    should_stop: ShouldStop,
) -> dict[str, Any] | None:
    """The stable version on the same documents, and how much better `found` is; None without a label in common.

    Spans of labels that these documents do not use are left out: nobody said whether they are right.
    """
    with database.reading() as connection:
        name = current_rollout(connection).stable
        stable = get_version(connection, name) if name is not None else None
    gold = [document.spans for document in test]
    used = {span.label for spans in gold for span in spans}
    if stable is None or not used & set(stable.labels):
        return None
    try:
        tagger = load_tagger(open_store(settings).folder(stable.version, stable.package_hash))
    except BrokenPackage as error:
        _log.warning("The stable version was not compared with: %s", error.message)
        return None
    spans = [
        tuple(span for span in answer.spans if span.label in used) for answer in tag_all(tagger, test, should_stop)
    ]
    figures = performance(gold, spans)
    return {
        "version": stable.version,
        **{name: figures[name] for name in _BASELINE_FIGURES},
        "labels_left_out": sorted(set(stable.labels) - used),
        "difference": paired_f1_difference(gold, spans, found),
    }


def tag_all(tagger: Tagger, documents: Sequence[LabelledText], should_stop: ShouldStop) -> list[Tagged]:
    """The tagger's answers in the order of the documents. Raises RunCancelled when `should_stop` says so."""
    tagged: list[Tagged] = []
    for first in range(0, len(documents), _TEXTS_AT_ONCE):
        if should_stop():
            raise RunCancelled("The run was cancelled.")
        tagged += tagger.tag([document.text for document in documents[first : first + _TEXTS_AT_ONCE]])
    return tagged
