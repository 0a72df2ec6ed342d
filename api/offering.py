"""What is offered with a document: the stable version's suggestions, those of the dataset's sources, and checks."""

from sqlalchemy.engine import Connection

from annotation.checks import checks_percent, is_due, plant
from annotation.offers import judged
from annotation.sources import list_sources
from annotation.stored import Dataset, load_dataset
from annotation.suggesting import Suggestion, suggest
from api.schemas import SuggestionShape, TaskShape
from api.shapes import document_shape
from api.wiring import Wiring
from ner.documents import Document

_MODEL = "model"


def make_task(wiring: Wiring, document: Document, reason: str, remaining: int, *, suggest_for: str | None) -> TaskShape:
    """The document as a task. `suggest_for`: the person whom something is offered; None offers nothing."""
    with wiring.database.reading() as connection:
        dataset = load_dataset(connection, document.dataset)
        percent = checks_percent(connection, document.dataset)
    version: str | None = None
    offered: list[Suggestion] = []
    if suggest_for is not None and document.text.strip():
        version, offered = offers_for(wiring, dataset, document)
        if percent and version is not None and is_due(document, suggest_for, percent):
            with wiring.database.transaction() as connection:
                planted = plant(connection, dataset, document, suggest_for, offered, version)
            offered = sorted([*offered, *([planted] if planted else [])], key=lambda one: (one.start, -one.end))
    return TaskShape(
        document=document_shape(document),
        suggestions=[suggestion_shape(one) for one in offered],
        model_version=version,
        reason=reason,
        labels=list(dataset.labels),
        nesting=dataset.nesting,
        remaining=remaining,
    )


def offers_for(wiring: Wiring, dataset: Dataset, document: Document) -> tuple[str | None, list[Suggestion]]:
    """(the stable version or None, what is offered). A span that somebody refused alone is not offered again."""
    stable = wiring.serving.lineup.stable
    found: list[Suggestion] = []
    if stable is not None:
        spans = stable.tagger.tag([document.text])[0].spans
        found = [
            Suggestion(one.start, one.end, one.label, _MODEL, stable.version, confidence=one.confidence)
            for one in spans
        ]
    with wiring.database.reading() as connection:
        offered = suggest(connection, dataset, document.text, list_sources(connection, dataset.name), found)
        offered = _without_refused(connection, document, offered)
    return (stable.version if stable is not None else None), offered


def suggestion_shape(one: Suggestion) -> SuggestionShape:
    """A suggestion with where it comes from."""
    return SuggestionShape(
        start=one.start,
        end=one.end,
        label=one.label,
        confidence=one.confidence,
        source=one.source,
        source_version=one.version,
    )


def _without_refused(connection: Connection, document: Document, offered: list[Suggestion]) -> list[Suggestion]:
    verdicts = judged(connection, [document.id]).get(document.id, {})
    return [one for one in offered if verdicts.get(one.span) != "rejected"]
