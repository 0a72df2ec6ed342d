"""What stands behind a cell of a confusion matrix."""

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
