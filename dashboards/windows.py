"""Documents as drift sees them: a row of counts each, whether they come from a tagger or from the log of traffic."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from ner.predictions import Tagged
from ner.tables import captured_texts, predictions, rollups
from registry.prediction_log import entity_facts
from registry.rollups import HOUR_SECONDS, MINUTE_SECONDS, start_of

Counts = NDArray[np.int64]
TENTHS = 10
MOST_DOCUMENTS = 20_000

_FIRST_FAILURE = 400


@dataclass(frozen=True, slots=True)
class Window:
    """Some documents, in the order they came. Arrays have one row per document; `entities` one column per label of
    `labels`, `confidences` one per tenth. `words` are sampled word hashes, negative where the model does not know one.
    `ids` are those of the log, 0 for what a tagger has just read.
    """

    characters: Counts
    tokens: Counts
    unknown: Counts
    labels: tuple[str, ...]
    entities: Counts
    confidences: Counts
    words: tuple[Sequence[int], ...]
    ids: Counts

    def __len__(self) -> int:
        return len(self.characters)


def tagged_window(texts: Sequence[str], tagged: Sequence[Tagged]) -> Window:
    """The window of documents that a tagger has just read."""
    facts = [entity_facts(answer) for answer in tagged]
    return _window(
        [(len(text), answer.tokens, answer.unknown_tokens, 0) for text, answer in zip(texts, tagged, strict=True)],
        [labels for labels, _, _ in facts],
        [tenths for _, _, tenths in facts],
        [answer.word_sample for answer in tagged],
    )


def traffic_window(
    connection: Connection, version: str, *, since: dt.datetime, kept: bool = False
) -> tuple[Window, int]:
    """The answers of `version` since a moment, and how many there were; `kept`: only those whose text was kept.

    Of more than 20,000 an even selection is read, so that a busy day costs no more than a quiet one; how many there
    were is then told to the failures of one minute (of one hour, beyond two days).
    """
    asked = sa.and_(predictions.c.version == version, predictions.c.at >= since)
    if kept:
        texts = sa.select(captured_texts.c.request_id).where(captured_texts.c.at >= since)
        asked = sa.and_(asked, predictions.c.request_id.in_(texts))
    # Failures are among these: without a look at the status the index alone counts them.
    logged = connection.execute(sa.select(sa.func.count()).select_from(predictions).where(asked)).scalar_one()
    stride = max(1, -(-logged // MOST_DOCUMENTS))
    # By the index's own order: sorted by id, SQLite reads the whole table to spare itself the sorting. Lists come as
    # text, because many are equal and one call reads them all.
    numbers = [predictions.c[name] for name in ("characters", "tokens", "unknown_tokens", "id")]
    lists = [sa.cast(predictions.c[name], sa.Text) for name in ("entities", "confidences", "word_sample")]
    rows = connection.execute(
        sa.select(*numbers, *lists)
        .where(asked, predictions.c.id % stride == 0, predictions.c.status < _FIRST_FAILURE)
        .order_by(predictions.c.at, predictions.c.id)
    ).all()
    window = _window([row[:4] for row in rows], *(_decoded([row[place] for row in rows]) for place in (4, 5, 6)))
    return window, len(window) if stride == 1 else logged - _failures(connection, version, since)


def _failures(connection: Connection, version: str, since: dt.datetime) -> int:
    """Failures of a version since the minute or hour that `since` lies in."""
    counts = sa.select(sa.func.coalesce(sa.func.sum(rollups.c.errors_4xx + rollups.c.errors_5xx), 0))
    begun = sa.or_(
        *(
            sa.and_(rollups.c.seconds == seconds, rollups.c.at >= start_of(since, seconds))
            for seconds in (MINUTE_SECONDS, HOUR_SECONDS)
        )
    )
    return int(connection.scalar(counts.where(rollups.c.version == version, begun)) or 0)


def _decoded(texts: Sequence[str]) -> list[Any]:
    """What many texts of JSON hold; equal texts give one object."""
    kinds = list(dict.fromkeys(texts))
    held = dict(zip(kinds, orjson.loads(f"[{','.join(kinds)}]"), strict=True))
    return [held[text] for text in texts]


def _window(
    numbers: Sequence[Sequence[int]],
    found: Sequence[Mapping[str, int]],
    tenths: Sequence[Sequence[int]],
    words: Sequence[Sequence[int]],
) -> Window:
    """`numbers` are characters, tokens, unknown tokens and the id of each document, `found` its entities by label."""
    labels = tuple(sorted({label for one in found for label in one}))
    column = {label: index for index, label in enumerate(labels)}
    entities = np.zeros((len(found), len(labels)), np.int64)
    for index, one in enumerate(found):
        for label, count in one.items():
            entities[index, column[label]] = count
    characters, tokens, unknown, ids = np.array(numbers, np.int64).reshape(-1, 4).T
    confidences = np.array(tenths, np.int64).reshape(-1, TENTHS)
    return Window(characters, tokens, unknown, labels, entities, confidences, tuple(words), ids)
