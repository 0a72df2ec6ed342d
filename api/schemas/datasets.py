"""What is said about whole datasets: exports, snapshots, changes of labels."""

import datetime as dt
from typing import Literal

from pydantic import BaseModel, Field

from api.schemas.documents import DocumentShape, SpanShape
from api.schemas.shape import Shape


class ExportReport(BaseModel):
    documents: int = Field(description="Documents that the file would hold.")
    entities: dict[str, int] = Field(description="Entities that the file would hold, per label.")
    losses: list[str] = Field(description="What would be dropped or moved, counted, with examples, in sentences.")


class SnapshotShape(BaseModel):
    hash: str = Field(description="SHA-256 of the content: the same content is the same snapshot.")
    dataset: str
    documents: int
    entities: dict[str, int]
    labels: list[str]
    created_at: dt.datetime | None = None
    created_by: str | None = None


class SnapshotList(BaseModel):
    snapshots: list[SnapshotShape]


class SpanDifference(BaseModel):
    kind: Literal["added", "removed", "label", "border"]
    document_id: str
    text: str
    before: SpanShape | None
    after: SpanShape | None


class SnapshotComparison(BaseModel):
    before: str
    after: str
    documents_added: int
    documents_removed: int
    documents_changed: int
    documents_same: int
    judgements_added: int = Field(description="Spans accepted or rejected one by one that only `after` holds.")
    judgements_removed: int = Field(description="Those that only `before` holds.")
    spans: dict[str, int] = Field(description="Spans that differ, by kind: added, removed, label, border.")
    labels: dict[str, dict[str, int]] = Field(description="The same for each label.")
    changes: list[SpanDifference] = Field(description="The first of them.")


class HitShape(BaseModel):
    start: int
    end: int


class FoundDocument(BaseModel):
    document: DocumentShape
    hits: list[HitShape] = Field(description="Where it was found, up to 50 places; with a label, spans of that label.")


class SearchPage(BaseModel):
    found: list[FoundDocument]
    total: int


class ChangeRequest(Shape):
    kind: Literal["rename", "merge", "split", "delete", "relabel", "remove"]
    labels: list[str] = Field([], max_length=500, description="The labels that it is about.", examples=[["per"]])
    target: str | None = Field(None, description="What their spans are called after it.", examples=["person"])
    pattern: str | None = Field(
        None, max_length=2_000, description="Regular expression: of these labels' spans those whose text it matches."
    )


class ChangedExample(BaseModel):
    document_id: str
    text: str
    before: list[SpanShape]
    after: list[SpanShape]


class ChangeOutcome(BaseModel):
    id: str | None = Field(description="To undo it by; null for a preview.")
    labels: list[str] = Field(description="The label set after it.")
    documents: int
    spans: dict[str, int] = Field(description="Spans that it touches, by the label that they had.")
    merged: int = Field(description="Spans that became the same as another one.")
    examples: list[ChangedExample]


class MadeChangeShape(BaseModel):
    id: str
    kind: str
    labels: list[str]
    target: str | None
    pattern: str | None
    documents: int
    spans: int
    made_at: str
    made_by: str
    is_undone: bool


class ChangeList(BaseModel):
    changes: list[MadeChangeShape]
