"""What the API says about a text, as types."""

from typing import TypedDict

TIMEOUT_SECONDS = 30.0


class FoundEntity(TypedDict):
    """An entity in a text: Python character offsets, confidence in [0, 1]."""

    text: str
    label: str
    start: int
    end: int
    confidence: float


class Prediction(TypedDict):
    """The answer for one text."""

    entities: list[FoundEntity]
    confidence: list[float]
    model_version: str
    variant: str
    request_id: str
    cached: bool
    degraded: bool
