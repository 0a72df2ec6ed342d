"""Which document to correct next: asked of the versions that answer when somebody wants one, and told why."""

import random

import sqlalchemy as sa

from annotation.tasks import open_documents
from api.pairs import differing_documents
from api.wiring import Wiring
from ner import tables
from ner.predictions import Tagged
from ner.priority import Mixture, differences, expected_errors, order_by_priority

POOL = 48
_CHOSEN = Mixture(random_share=0.0)
_LONGEST_CHARACTERS = 5000


def ordered_documents(
    wiring: Wiring, dataset: str, author: str, seen: list[str], order: str
) -> tuple[list[str] | None, str]:
    """(ids to choose from, why) for an order that asks a version; (None, "") leaves the order to the file."""
    if order == "uncertain":
        return uncertain_documents(wiring, dataset, author, seen)
    lineup = wiring.serving.lineup
    if order == "versions" and lineup.stable is not None and lineup.canary is not None:
        chosen, why = differing_documents(wiring, dataset, author, seen, lineup.stable, lineup.canary)
        # Where the two agree on all that was looked at, the next one in the file's order does as well.
        return (chosen, why) if chosen else (None, "")
    return None, ""


def uncertain_documents(wiring: Wiring, dataset: str, author: str, seen: list[str]) -> tuple[list[str] | None, str]:
    """(ids to choose from, why): of 48 documents at random the one that `ner.priority` puts first.

    One in seven is chosen at random instead: what is found on those estimates how good the version is on all of them.
    (None, "") leaves the order to the file, where no version answers. Raises NotFound for the dataset.
    """
    stable, canary = wiring.serving.lineup.stable, wiring.serving.lineup.canary
    with wiring.database.reading() as connection:
        waiting = open_documents(connection, dataset, author, exclude=seen)
        if stable is None or not waiting:
            return None, ""
        if random.random() < Mixture().random_share:
            return [random.choice(waiting)], "Chosen at random: such documents show how good the version is on all."
        texts = _texts(connection, random.sample(waiting, min(POOL, len(waiting))))
    shown = [text[:_LONGEST_CHARACTERS] for text in texts.values()]
    ours = stable.tagger.tag(shown)
    theirs = canary.tagger.tag(shown) if canary is not None else None
    first = order_by_priority(ours, others=theirs, mixture=_CHOSEN)[0]
    return [list(texts)[first]], _reason(stable.version, ours[first], theirs[first] if theirs is not None else None)


def _reason(version: str, answer: Tagged, other: Tagged | None) -> str:
    """All that the order is made of, in words."""
    lowest = min((span.confidence for span in answer.spans), default=None)
    sure = "" if lowest is None else f"; its lowest confidence is {lowest:.2f}"
    parts = [f"Version {version} expects {expected_errors(answer):.1f} errors of its own here{sure}."]
    if answer.unknown_tokens:
        parts.append(f"Words that it does not know: {answer.unknown_tokens}.")
    if other is not None and (different := differences(answer, other)):
        parts.append(f"Spans that the canary marks differently: {different}.")
    return " ".join(parts)


def _texts(connection: sa.Connection, ids: list[str]) -> dict[str, str]:
    found = sa.select(tables.documents.c.id, tables.documents.c.text).where(tables.documents.c.id.in_(ids))
    return {row.id: row.text for row in connection.execute(found)}
