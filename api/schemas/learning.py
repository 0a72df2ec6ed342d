"""Training runs and recipes."""

import datetime as dt
from typing import Any, Literal

from pydantic import BaseModel, Field

from api.schemas.shape import Shape


class RunRequest(Shape):
    dataset: str
    recipe: str = Field("bilstm_crf.v1", examples=["bilstm_crf.v1", "spacy_cnn.v1"])
    parameters: dict[str, Any] = Field({}, description="Overrides of the recipe, by name.")


class RunProgress(BaseModel):
    stage: str = ""
    fraction: float = 0.0
    epoch: int | None = None
    epochs: int | None = None
    loss: float | None = None
    f1: float | None = Field(None, description="Strict entity F1 on the dev part.")
    seconds_left: float | None = None
    history: list[dict[str, float]] = Field([], description="One item per epoch: epoch, loss, dev_loss?, f1, seconds.")
    epochs_before: int = Field(0, description="Epochs taken over from an earlier attempt, whose process died.")


class FindingShape(BaseModel):
    kind: str = Field(examples=["few entities of a label"])
    severity: Literal["stops", "warns"]
    count: int
    examples: list[str]
    advice: str = Field(description="What to do about it.")


class RunShape(BaseModel):
    id: str
    dataset: str
    recipe: str
    parameters: dict[str, Any]
    status: Literal["queued", "running", "finished", "failed", "cancelled"]
    requested_by: str
    requested_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    attempts: int
    progress: RunProgress
    version: str | None
    f1: float | None
    precision: float | None
    recall: float | None
    seconds: float | None
    error: str | None
    findings: list[FindingShape] = Field([], description="What the checks of the run's data found.")


class RunList(BaseModel):
    runs: list[RunShape]


class RecipeShape(BaseModel):
    name: str
    description: str
    parameters: dict[str, Any]


class RecipeList(BaseModel):
    recipes: list[RecipeShape]
