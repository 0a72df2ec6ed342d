"""What is written down about an answer: facts, never its text; and the few texts that are kept for correction."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from ner.predictions import Tagged

CaptureReason = Literal["low confidence", "sample"]
_TENTHS = 10


@dataclass(slots=True)  # one at every answer, and frozen ones take three times as long to make
class LoggedPrediction:
    """One row of `predictions`: facts about an answer, never its text. `weight`: how many answers it stands for, 0
    where it is counted and leaves no row. `stood_in_for`: the variant whose turn it was and that failed or was not
    there, else ""; the latency then holds the time spent on waiting for it. `covered_by`: the variant that answered
    where this row tells of a failure, "" where nobody did.
    """

    request_id: str
    at: dt.datetime
    version: str
    variant: str
    status: int
    latency_ms: float
    cached: bool
    key_id: str
    characters: int
    tokens: int
    unknown_tokens: int
    entities: dict[str, int]
    lowest_confidence: float | None
    confidences: list[int]
    word_sample: list[int]
    weight: float = 1.0
    expected_correct: float | None = None
    expected_entities: float | None = None
    stood_in_for: str = ""
    covered_by: str = ""


@dataclass(frozen=True, slots=True)
class RefusedRequests:
    """Requests that no version answered: they are counted, and leave no row, so that nobody fills the log with them.
    `at` lies in their minute, and `latency_ms` in their bin of the histogram."""

    at: dt.datetime
    status: int
    latency_ms: float
    requests: int = 1


@dataclass(frozen=True, slots=True)
class CapturedText:
    """A text that is to be kept for correction. `lowest_confidence` None: nothing was found in it."""

    request_id: str
    text: str
    version: str
    lowest_confidence: float | None
    reason: CaptureReason = "low confidence"


def entity_facts(tagged: Tagged) -> tuple[dict[str, int], float | None, list[int]]:
    """Entities per label, the lowest confidence (None without entities), and how many confidences lie in each tenth."""
    labels: dict[str, int] = {}
    tenths = [0] * _TENTHS
    lowest: float | None = None
    for span in tagged.spans:
        labels[span.label] = labels.get(span.label, 0) + 1
        tenths[min(int(span.confidence * _TENTHS), _TENTHS - 1)] += 1
        if lowest is None or span.confidence < lowest:
            lowest = span.confidence
    return labels, lowest, tenths
