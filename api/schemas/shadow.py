"""Shadow mode, and the paired verdict on F1."""

import datetime as dt
from typing import Literal

from pydantic import BaseModel, Field

from api.schemas.shape import Shape


class ShadowRequest(Shape):
    percent: float = Field(ge=0, le=100, description="Share of stable traffic that the canary answers too.")
    reason: str = ""


class ShadowHour(BaseModel):
    hour: dt.datetime
    agree: int
    disagree: int
    failed: int
    match: int
    label: int
    border: int
    both: int
    missing: int
    spurious: int


class ShadowShape(BaseModel):
    percent: float
    stable: str | None
    canary: str | None
    waiting: int = Field(description="Requests that wait for the canary in this process.")
    captures: bool = Field(description="Whether texts are kept, so that people can label them.")
    agree: int = Field(description="Shadowed requests on which both versions said the same.")
    disagree: int
    failed: int = Field(description="Shadowed requests at which the canary crashed, hung or raised.")
    kinds: dict[str, int] = Field(
        description="Spans by kind: match, label, border, both, missing (only stable), spurious (only canary)."
    )
    hours: list[ShadowHour] = Field(description="The latest two weeks of hours with shadow traffic, oldest first.")


class F1DifferenceShape(BaseModel):
    difference: float = Field(description="F1 of the canary minus that of the stable version.")
    low: float
    high: float
    level: float
    stable_f1: float
    canary_f1: float
    documents: int
    entities: float
    weights: dict[str, float] = Field(description="How many documents one labelled document stands for, by stratum.")


class QualityVerdictShape(BaseModel):
    stable: str | None
    canary: str | None
    verdict: Literal["pass", "fail", "not enough evidence"]
    reason: str
    basis: Literal["labels", "test part", "estimate", "nothing"]
    margin: float
    difference: F1DifferenceShape | None
    population: dict[str, int] = Field(description="Shadowed requests by stratum, labelled or not.")
    labelled: dict[str, int] = Field(description="Labelled documents by stratum.")
    labels_to_go: int | None = Field(description="About how many more labels would settle it.")
