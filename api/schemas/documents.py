"""Datasets, documents, and what people say about them."""

import datetime as dt
from typing import Any, Literal

from pydantic import BaseModel, Field

from api.schemas.shape import LARGEST, Shape


class SpanShape(Shape):
    start: int = Field(ge=0, le=LARGEST)
    end: int = Field(ge=0, le=LARGEST)
    label: str
    text: str | None = Field(None, description="The surface; where sent, it must equal text[start:end].")


class SuggestionShape(BaseModel):
    start: int
    end: int
    label: str
    confidence: float | None = Field(description="Null where the source has none.")
    source: str = Field(default="model", description='"model", or the name of a source of the dataset.')
    source_version: str = ""


class OfferShape(Shape):
    """A suggestion as it was shown, sent back with the answer."""

    start: int = Field(ge=0, le=LARGEST)
    end: int = Field(ge=0, le=LARGEST)
    label: str = Field(max_length=100)
    confidence: float | None = Field(None, ge=0, le=1)
    source: str = Field(default="model", max_length=100)
    source_version: str = Field("", max_length=100)


class EffortShape(Shape):
    active_ms: int = Field(
        ge=0, le=LARGEST, description="Milliseconds with the document in view and keys or pointer in use."
    )
    key_presses: int = Field(ge=0, le=LARGEST)


class DatasetShape(BaseModel):
    name: str
    documents: int
    gold: int = Field(description="Documents whose spans are settled.")
    corrections: int = Field(description="Revisions that people saved.")
    labels: list[str]
    entities: dict[str, int] = Field(description="Gold entities per label.")
    created_at: dt.datetime


class DatasetList(BaseModel):
    datasets: list[DatasetShape]


class ImportResult(BaseModel):
    dataset: str
    format: str
    documents: int = Field(description="Documents in the file.")
    added: int
    skipped: int = Field(description="Documents that the dataset held already.")
    entities: dict[str, int] = Field(description="Entities in the file, per label.")
    notes: list[str] = Field([], description="What was found and repaired on the way, in sentences.")


class LabelsRequest(Shape):
    labels: list[str] = Field(min_length=1, max_length=500, examples=[["per", "org"]])


class LabelsShape(BaseModel):
    labels: list[str] = Field(description="The whole label set of the dataset.")


class DocumentShape(BaseModel):
    id: str
    dataset: str
    text: str
    revision: int
    spans: list[SpanShape] = Field(description="Of the newest revision.")
    is_gold: bool
    meta: dict[str, Any] = {}


class DocumentPage(BaseModel):
    documents: list[DocumentShape]
    total: int


class AnnotationRequest(Shape):
    base_revision: int = Field(ge=0, le=LARGEST, description="The revision that the person saw.")
    spans: list[SpanShape]
    operation_id: str = Field(
        min_length=8, max_length=100, description="Sent again with the same id, it is stored once."
    )
    model_version: str | None = Field(None, description="Whose suggestions the person saw.")
    offers: list[OfferShape] = Field([], max_length=20_000, description="What was offered with the document.")
    effort: EffortShape | None = Field(None, description="What the answer took.")


class CheckShape(BaseModel):
    """A suggestion that was wrong on purpose, and what the person did with it. It is never part of an answer."""

    outcome: Literal["caught", "taken"]
    start: int
    end: int
    label: str


class AnnotationResponse(BaseModel):
    document_id: str
    revision: int
    is_gold: bool
    check: CheckShape | None = None


class RevisionShape(BaseModel):
    revision: int
    author: str
    kind: Literal["import", "correction", "decision"]
    spans: list[SpanShape]
    model_version: str | None
    created_at: dt.datetime


class RevisionList(BaseModel):
    revisions: list[RevisionShape] = Field(description="Newest first.")


class AnswerShape(BaseModel):
    author: str
    spans: list[SpanShape]


class TaskShape(BaseModel):
    """A document to correct: what is stored, what the stable version suggests, and why it was chosen."""

    document: DocumentShape | None = Field(description="Null when nothing is left.")
    suggestions: list[SuggestionShape] = []
    answers: list[AnswerShape] = Field(default=[], description="What each person said, where a decision is asked for.")
    model_version: str | None = None
    reason: str = ""
    labels: list[str] = []
    nesting: Literal["flat", "nested", "any"] = Field(default="flat", description="Which spans may overlap.")
    remaining: int = 0
