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


class GammaShape(BaseModel):
    gamma: float | None = Field(description="1: the same; 0: as chance. Null where it is undefined.")
    interval: tuple[float, float] | None = Field(description="95 %, of the draws of chance; not of other documents.")
    draws: int
    spans: int
    why_not: str | None


class PairGammaShape(BaseModel):
    left: str
    right: str
    documents: int
    whole: GammaShape


class DocumentGammaShape(BaseModel):
    document_id: str
    gamma: float = Field(description="Against the chance of the whole dataset.")


class GammaAgreementShape(BaseModel):
    shared: int = Field(description="Documents that two people or more corrected.")
    documents: int = Field(description="Of them, those that were measured.")
    whole: GammaShape
    per_label: dict[str, GammaShape] = Field(description="Of each label's spans alone, so of their places.")
    pairs: list[PairGammaShape]
    least_agreed: list[DocumentGammaShape]
