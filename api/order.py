"""Which documents a version is least sure of, or two versions differ on: asked of them when somebody wants the next."""

import random

import sqlalchemy as sa

from annotation.tasks import open_documents
from api.pairs import differing_documents
from api.wiring import Wiring
from ner import tables

POOL = 48
RANDOM_SHARE = 1 / 7
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
    """(ids to choose from, why): of 48 documents at random the one whose least sure entity is least sure.

    One in seven is chosen at random instead: what is found on those estimates how good the version is on all of them.
    (None, "") leaves the order to the file, where no version answers. Raises NotFound for the dataset.
    """
    stable = wiring.serving.lineup.stable
    with wiring.database.reading() as connection:
        waiting = open_documents(connection, dataset, author, exclude=seen)
        if stable is None or not waiting:
            return None, ""
        if random.random() < RANDOM_SHARE:
            return [random.choice(waiting)], "Chosen at random: such documents show how good the version is on all."
        pool = random.sample(waiting, min(POOL, len(waiting)))
        texts = _texts(connection, pool)
    tagged = stable.tagger.tag([text[:_LONGEST_CHARACTERS] for text in texts.values()])
    lowest = {
        name: min((span.confidence for span in one.spans), default=1.0) for name, one in zip(texts, tagged, strict=True)
    }
    least = min(lowest, key=lowest.__getitem__)
    return [least], f"Version {stable.version} is least sure here: its lowest confidence is {lowest[least]:.2f}."


def _texts(connection: sa.Connection, ids: list[str]) -> dict[str, str]:
    found = sa.select(tables.documents.c.id, tables.documents.c.text).where(tables.documents.c.id.in_(ids))
    return {row.id: row.text for row in connection.execute(found)}
