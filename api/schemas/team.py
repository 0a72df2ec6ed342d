"""Several people on the same documents: rules, agreement, decisions."""

from typing import Literal

from pydantic import BaseModel, Field

from api.schemas.documents import SpanShape
from api.schemas.shape import LARGEST, Shape


class NewDataset(Shape):
    name: str
    labels: list[str] = Field([], max_length=500)
    nesting: Literal["flat", "nested", "any"] = Field("flat", description="Which spans may overlap.")
    annotators_required: int = Field(1, ge=1, le=50, description="People who must agree before a document is gold.")


class PeopleRequest(Shape):
    annotators_required: int = Field(ge=1, le=50)


class RulesShape(BaseModel):
    name: str
    labels: list[str]
    nesting: Literal["flat", "nested", "any"]
    annotators_required: int


class DecisionRequest(Shape):
    base_revision: int = Field(ge=0, le=LARGEST)
    spans: list[SpanShape]
    operation_id: str = Field(min_length=8, max_length=100)


class PairShape(BaseModel):
    left: str
    right: str
    documents: int
    exact_f1: float | None
    exact_f1_interval: tuple[float, float] | None = Field(description="95 %, from documents drawn again.")
    partial_f1: float | None
    kappa: float | None
    per_label: dict[str, float] = Field(description="Exact F1 of each label.")


class AgreementShape(BaseModel):
    documents: int = Field(description="Corrected by two people or more.")
    people: list[str]
    alpha: float | None = Field(description="Krippendorff's, over tokens; null where it is undefined.")
    why_not: str | None
    pairs: list[PairShape]
    waiting: int = Field(description="Documents that wait for a decision.")
