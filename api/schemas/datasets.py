"""What is said about whole datasets: exports, snapshots, changes of labels."""

from pydantic import BaseModel, Field


class ExportReport(BaseModel):
    documents: int = Field(description="Documents that the file would hold.")
    entities: dict[str, int] = Field(description="Entities that the file would hold, per label.")
    losses: list[str] = Field(description="What would be dropped or moved, counted, with examples, in sentences.")
