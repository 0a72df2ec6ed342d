"""Rows of the prediction log, and texts as a tagger would have read them."""

import datetime as dt
import random
import uuid
import zlib
from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Connection

from ner.database import utc_now
from ner.predictions import ScoredSpan, Tagged
from ner.tables import predictions
from registry.prediction_log import LoggedPrediction, entity_facts
from registry.rollup_table import write_rollups
from registry.rollups import count_up

LABELS = ("geo", "org", "per")


def logged(**changes: Any) -> dict[str, Any]:
    """One row of `predictions`."""
    row = {
        "request_id": uuid.uuid4().hex,
        "at": utc_now() - dt.timedelta(minutes=5),
        "version": "1.0.0",
        "variant": "stable",
        "status": 200,
        "latency_ms": 20.0,
        "cached": False,
        "key_id": "key",
        "characters": 40,
        "tokens": 8,
        "unknown_tokens": 0,
        "entities": {},
        "lowest_confidence": None,
        "confidences": [0] * 10,
        "word_sample": [],
        "expected_correct": None,
        "expected_entities": None,
        "stood_in_for": "",
        "covered_by": "",
    }
    return row | changes


def write_log(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows of the log with their counts, as the API does."""
    connection.execute(predictions.insert(), list(rows))
    write_rollups(connection, count_up(LoggedPrediction(**row) for row in rows))


def a_text(
    generator: random.Random, *, strange: float = 0.05, label_weights: Sequence[float] = (5, 3, 2)
) -> tuple[str, Tagged]:
    """A text of some 20 words, rare ones among them, of which the share `strange` is unknown to the model."""
    count = max(3, round(generator.lognormvariate(3, 0.4)))
    ranks = [int(generator.paretovariate(0.9)) for _ in range(count)]
    known = [generator.random() >= strange for _ in ranks]
    words = [f"w{rank % 30_000}{'' if is_known else '?'}" for rank, is_known in zip(ranks, known, strict=True)]
    hashes = [
        (zlib.crc32(word.encode()) & 0x7FFFFFFF or 1) * (1 if is_known else -1)
        for word, is_known in zip(words, known, strict=True)
    ]
    spans = tuple(
        ScoredSpan(place, place + 1, generator.choices(LABELS, label_weights)[0], generator.betavariate(9, 1))
        for place in range(generator.randint(0, 3))
    )
    return " ".join(words), Tagged(spans, count, known.count(False), tuple(generator.sample(hashes, min(16, count))))


def rows_of(documents: Sequence[tuple[str, Tagged]], **changes: Any) -> list[dict[str, Any]]:
    """The log of having answered these texts."""
    rows = []
    for text, tagged in documents:
        entities, lowest, tenths = entity_facts(tagged)
        rows.append(
            logged(
                characters=len(text),
                tokens=tagged.tokens,
                unknown_tokens=tagged.unknown_tokens,
                entities=entities,
                lowest_confidence=lowest,
                confidences=tenths,
                word_sample=list(tagged.word_sample),
                expected_correct=sum(span.confidence for span in tagged.spans),
                expected_entities=tagged.expected_entities,
                **changes,
            )
        )
    return rows
