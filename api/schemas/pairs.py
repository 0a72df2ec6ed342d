"""A document with the answers of two versions, to choose between."""

from pydantic import BaseModel, Field

from api.schemas.documents import SuggestionShape, TaskShape
from api.schemas.rollout import Difference


class SideShape(BaseModel):
    version: str
    spans: list[SuggestionShape]


class PairShape(BaseModel):
    left: SideShape
    right: SideShape
    differences: list[Difference] = Field(description="Every span of both, paired, in the order of the text.")


class PairTaskShape(TaskShape):
    """A task whose suggestions are two versions' answers."""

    pair: PairShape | None = None
