"""What is said about whole datasets: exports, snapshots, changes of labels."""

import datetime as dt
from typing import Literal

from pydantic import BaseModel, Field

from api.schemas.documents import SpanShape


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
    spans: dict[str, int] = Field(description="Spans that differ, by kind: added, removed, label, border.")
    labels: dict[str, dict[str, int]] = Field(description="The same for each label.")
    changes: list[SpanDifference] = Field(description="The first of them.")
