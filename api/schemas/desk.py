"""The desk: sources of suggestions, single decisions, keys, checks, comments, guidelines, history and erasure."""

import datetime as dt
from typing import Any, Literal

from pydantic import BaseModel, Field

from api.schemas.documents import SpanShape, SuggestionShape
from api.schemas.shape import LARGEST, Shape

OperationId = Field(min_length=8, max_length=100, description="Sent again with the same id, it is stored once.")


class SourceRequest(Shape):
    kind: Literal["gazetteer", "pattern", "memory", "endpoint"]
    content: dict[str, Any] = Field(
        description=(
            'gazetteer: {"entries": [{"text", "label"}], "ignore_case"}; pattern: {"pattern", "label"}; '
            'memory: {"least"}; endpoint: {"url", "model", "guidelines", "price_in", "price_out"}.'
        ),
        examples=[{"entries": [{"text": "Oslo", "label": "geo"}]}],
    )
    enabled: bool = True
    key: str | None = Field(
        None,
        max_length=2_000,
        description="Of an endpoint; sealed, and never shown again. Null keeps the one that it has at this address.",
    )


class SourceShape(BaseModel):
    name: str
    kind: str
    content: dict[str, Any]
    version: int = Field(description="One more with each change of the content.")
    enabled: bool
    has_key: bool
    notice: str | None = Field(None, description="What the change took away, in the answer to it.")
    changed_by: str
    changed_at: dt.datetime


class OutcomeShape(BaseModel):
    source: str
    version: str
    accepted: int
    edited: int
    rejected: int
    accepted_share: float
    accepted_interval: tuple[float, float] = Field(description="95 %, Wilson.")


class SourceList(BaseModel):
    sources: list[SourceShape]
    outcomes: list[OutcomeShape] = Field(description="What became of what each source and version offered.")


class AskRequest(Shape):
    source: str


class AskAnswer(BaseModel):
    suggestions: list[SuggestionShape]
    left_out: dict[str, int] = Field(description="Entities that could not be placed in the text, by reason.")
    tokens_in: int | None
    tokens_out: int | None
    cost: float | None = Field(description="In the money of the source's prices.")
    seconds: float


class JudgementItem(BaseModel):
    document_id: str
    dataset: str
    before: str = Field(description="Up to 240 characters in front of the span.")
    surface: str
    after: str
    start: int
    end: int
    label: str
    source: str
    source_version: str
    confidence: float | None


class JudgementQueue(BaseModel):
    items: list[JudgementItem] = Field(description="Those whose source is least sure first.")
    judged: int = Field(description="Single decisions in the dataset so far.")


class JudgementRequest(Shape):
    operation_id: str = OperationId
    start: int = Field(ge=0, le=LARGEST)
    end: int = Field(ge=0, le=LARGEST)
    label: str = Field(max_length=100)
    text: str | None = Field(None, description="The surface; where sent, it must equal text[start:end].")
    source: str = Field(max_length=100)
    source_version: str = Field(max_length=100)
    confidence: float | None = Field(None, ge=0, le=1)
    verdict: Literal["accepted", "rejected"]


class JudgementStored(BaseModel):
    document_id: str
    is_new: bool


class PartialShape(BaseModel):
    document_id: str
    text: str
    accepted: list[SpanShape]
    rejected: list[SpanShape] = Field(description="What surely is no such entity; all other characters are unknown.")


class PartialList(BaseModel):
    documents: list[PartialShape]


class KeysShape(Shape):
    bindings: dict[str, list[str]] = Field(description="The keys of each action; empty: those the editor comes with.")


class ChecksShape(Shape):
    percent: int = Field(ge=0, le=50, description="Documents that come with a suggestion that is wrong on purpose.")


class HabitsShape(BaseModel):
    person: str
    answers: int
    active_hours: float
    seconds_per_answer: float
    keys_per_answer: float
    unchanged_share: float
    checks: int
    checks_taken: int
    taken_interval: tuple[float, float]
    warnings: list[str]


class HabitsList(BaseModel):
    percent: int
    people: list[HabitsShape]


class CommentRequest(Shape):
    words: str = Field(max_length=4_000)
    start: int | None = Field(None, ge=0, le=LARGEST, description="Null with `end`: about the whole document.")
    end: int | None = Field(None, ge=0, le=LARGEST)


class CommentShape(BaseModel):
    id: str
    document_id: str
    start: int | None
    end: int | None
    surface: str | None
    author: str
    words: str
    created_at: dt.datetime
    settled_by: str | None
    settled_at: dt.datetime | None


class CommentList(BaseModel):
    comments: list[CommentShape] = Field(description="Oldest first.")


class SettledShape(Shape):
    settled: bool


class ExampleShape(Shape):
    text: str = Field(max_length=1_000)
    start: int = Field(ge=0, le=LARGEST)
    end: int = Field(ge=0, le=LARGEST)
    is_right: bool = True


class GuidelineRequest(Shape):
    words: str = Field(max_length=8_000)
    examples: list[ExampleShape] = Field([], max_length=20)
    base_version: int = Field(ge=0, le=LARGEST, description="The version that the person saw; 0 where there was none.")


class GuidelineShape(BaseModel):
    label: str
    version: int
    words: str
    examples: list[ExampleShape]
    author: str
    created_at: dt.datetime


class GuidelineList(BaseModel):
    guidelines: list[GuidelineShape]


class AffectedShape(BaseModel):
    document_id: str
    text: str
    spans: list[SpanShape]
    settled_at: dt.datetime
    guideline_version: int = Field(description="That held when the document was settled; 0: none.")


class AffectedList(BaseModel):
    documents: list[AffectedShape]
    total: int


class RestoreRequest(Shape):
    base_revision: int = Field(ge=0, le=LARGEST, description="The newest revision that the person saw.")
    operation_id: str = OperationId


class MustPassShape(Shape):
    required: bool


class EraseRequest(Shape):
    reason: str = Field(
        max_length=500, description="Why; it is kept in the audit trail, so it must not quote the text."
    )


class ErasedShape(BaseModel):
    text_hash: str = Field(description="SHA-256 of the text that is gone.")
    documents: list[str]
    rows: dict[str, int]
    snapshots: dict[str, str] = Field(description="Hash of a snapshot: what its content hashes to since.")
    quoted_by: list[str] = Field(description="Versions whose must-pass report quotes the text; it does not go there.")


class CurvePointShape(BaseModel):
    version: str
    train_documents: int
    f1: float
    low: float
    high: float


class CurveShape(BaseModel):
    dataset: str
    recipe: str
    points: list[CurvePointShape]
    points_per_doubling: float | None = Field(description="Points of F1 that twice as many documents bring.")
    interval: tuple[float, float] | None = Field(description="95 %.")
    advice: str


class CurveList(BaseModel):
    curves: list[CurveShape]
