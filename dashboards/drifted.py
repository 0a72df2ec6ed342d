"""The documents behind a drift verdict: those of recent traffic that stand out most beside the text of training."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from dashboards import domain, effects
from dashboards.windows import TENTHS, Window, traffic_window
from ner.database import utc_now
from ner.errors import InvalidInput
from ner.tables import predictions

Reals = NDArray[np.float64]
_FEWEST_TOKENS = 4  # a share of fewer is noise
_FACTS = (
    "id",
    "request_id",
    "at",
    "variant",
    "characters",
    "tokens",
    "unknown_tokens",
    "entities",
    "lowest_confidence",
)


def drifted_documents(
    connection: Connection,
    version: str,
    profile: Mapping[str, Any],
    measure: str,
    *,
    hours: float = 24,
    limit: int = 20,
    kept: bool = False,
) -> list[dict[str, Any]]:
    """Answers of the last `hours` that stand out most by a measure of `dashboards.drift`, the strangest first.

    Each holds what the log has of it, and a "reason" in words. `kept`: only those whose text was kept for correction.
    Of more than 20,000 answers the even selection is looked at that the verdict rests on. Raises InvalidInput for a
    measure that is none.
    """
    if measure not in _STRANGENESS:
        raise InvalidInput(f"'{measure}' is no measure of drift; there are {', '.join(_STRANGENESS)}.")
    window, _ = traffic_window(connection, version, since=utc_now() - dt.timedelta(hours=hours), kept=kept)
    if not len(window):
        return []
    strangeness, reason = _STRANGENESS[measure](window, profile)
    order = [place for place in np.argsort(-strangeness, kind="stable") if strangeness[place] > 0][:limit]
    rows = _rows(connection, [int(window.ids[place]) for place in order])
    return [rows[int(window.ids[place])] | {"reason": reason(int(place))} for place in order]


def _rows(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    asked = sa.select(*(predictions.c[name] for name in _FACTS)).where(predictions.c.id.in_(ids))
    return {row.id: {name: row._mapping[name] for name in _FACTS[1:]} for row in connection.execute(asked)}


Judged = tuple[Reals, Callable[[int], str]]
"""How strange each document of a window is (0 and below: not at all), and why, in words, by its place."""


def _by_length(window: Window, profile: Mapping[str, Any]) -> Judged:
    quantiles = (profile.get("characters") or {}).get("quantiles") or [0.0]
    usual = float(quantiles[len(quantiles) // 2])
    direction = 1.0 if np.median(window.characters) >= usual else -1.0

    def reason(place: int) -> str:
        return f"{window.characters[place]:,} characters; {usual:,.0f} in the median of training."

    return direction * (window.characters.astype(np.float64) - usual), reason


def _by_unknown_words(window: Window, profile: Mapping[str, Any]) -> Judged:
    usual = float((profile.get("unknown_words") or {}).get("value") or 0.0)
    now = effects.unknown_rate(window)
    direction = 1.0 if now is None or now.value >= usual else -1.0
    excess = window.unknown - usual * window.tokens
    spread = np.sqrt(np.maximum(window.tokens, 1) * max(usual * (1 - usual), 0.01))

    def reason(place: int) -> str:
        return f"{window.unknown[place]:,} of {window.tokens[place]:,} words unknown; {100 * usual:.1f} % in training."

    return np.where(window.tokens >= _FEWEST_TOKENS, direction * excess / spread, 0.0), reason


def _by_entities(window: Window, profile: Mapping[str, Any]) -> Judged:
    labels, now, training = effects.aligned(window, profile.get("entities") or {})
    shares = (now.sum(axis=0) + 0.5) / (now.sum() + 0.5 * len(labels)) if labels else np.zeros(0)
    usual = (training + 0.5) / (training.sum() + 0.5 * len(labels)) if labels else np.zeros(0)
    odds = np.log(shares / usual)

    def reason(place: int) -> str:
        order = [index for index in np.argsort(-odds) if now[place][index] and odds[index] > 0]
        named = [
            f"{labels[i]} ({100 * usual[i]:.1f} % of entities in training, {100 * shares[i]:.1f} % now)"
            for i in order[:2]
        ]
        return f"Holds {', '.join(named)}."

    return np.asarray(now @ odds, np.float64), reason


def _by_confidence(window: Window, profile: Mapping[str, Any]) -> Judged:
    found = window.confidences.sum(axis=1)
    middles = (np.arange(TENTHS) + 0.5) / TENTHS
    means = window.confidences @ middles / np.maximum(found, 1)
    usual = float(((profile.get("confidence") or {}).get("mean") or {}).get("value") or 0.0)
    overall = effects.mean_confidence(window)
    direction = -1.0 if overall is None or overall.value <= usual else 1.0

    def reason(place: int) -> str:
        return f"Confidence of about {100 * means[place]:.0f} % on average; {100 * usual:.0f} % in training."

    return np.where(found > 0, direction * (means - usual), 0.0), reason


def _by_foreignness(window: Window, profile: Mapping[str, Any]) -> Judged:
    found = domain.foreignness(window, profile)
    places: Reals = np.zeros(len(window)) if found is None else found
    # Several documents stand above all of the reference: among those the one with more unknown words comes first.
    ties = window.unknown / np.maximum(window.tokens, 1)

    def reason(place: int) -> str:
        return f"Looks more foreign than {100 * places[place]:.1f} % of the documents of training."

    return np.where(places > domain.USUAL, places + ties * 1e-6, 0.0), reason


_STRANGENESS: Mapping[str, Callable[[Window, Mapping[str, Any]], Judged]] = {
    "text_length": _by_length,
    "unknown_words": _by_unknown_words,
    "vocabulary_overlap": _by_unknown_words,
    "entity_mix": _by_entities,
    "confidence": _by_confidence,
    "foreign_texts": _by_foreignness,
}
