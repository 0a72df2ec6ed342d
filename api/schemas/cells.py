"""The documents behind a figure: those of a cell of a confusion matrix, and those that drifted."""

import datetime as dt
from typing import Any

from pydantic import BaseModel


class CellDocumentShape(BaseModel):
    """A document and its spans in the cell: `{"outcome", "gold": [start, end, label], "found": [..., confidence]}`."""

    id: str
    text: str
    spans: list[dict[str, Any]]


class CellShape(BaseModel):
    """`spans` are all that are remembered of the cell; `documents` those that still are in the dataset."""

    spans: int
    documents: list[CellDocumentShape]


class DriftedDocument(BaseModel):
    """What the log has of an answer, why it stands out, and its text where it was kept and the caller may read it."""

    request_id: str
    at: dt.datetime
    variant: str
    characters: int
    tokens: int
    unknown_tokens: int
    entities: dict[str, int]
    lowest_confidence: float | None
    reason: str
    text: str | None = None
    document: str | None = None


class DriftedDocuments(BaseModel):
    """The answers of a version that stand out most by one measure of drift, the strangest first."""

    version: str
    measure: str
    documents: list[DriftedDocument]
