"""The model as MLflow loads it: texts in, entities out. MLflow copies this file and runs it; nothing imports it."""

from pathlib import Path
from typing import Any

import mlflow.models
import mlflow.pyfunc
from pydantic import BaseModel

from ner.predictions import ScoredSpan
from registry.taggers import load_tagger


class Entity(BaseModel):
    """Characters `[start, end)` of the text, with their label."""

    text: str
    label: str
    start: int
    end: int
    confidence: float


class Answer(BaseModel):
    """What the model found in one text."""

    entities: list[Entity]


class NerModel(mlflow.pyfunc.PythonModel):
    """A registered version behind `mlflow.pyfunc`."""

    def load_context(self, context: Any) -> None:
        """Load the version's package, which MLflow keeps as the artifact `package`."""
        self._tagger = load_tagger(Path(context.artifacts["package"]))

    def predict(self, context: Any, model_input: list[str], params: Any = None) -> list[Answer]:  # noqa: ARG002
        """One answer for each text, as plain dictionaries in the shape of `Answer`."""
        return [
            Answer(entities=[_entity(text, span) for span in answer.spans]).model_dump()  # type: ignore[misc]
            for text, answer in zip(model_input, self._tagger.tag(model_input), strict=True)
        ]


def _entity(text: str, span: ScoredSpan) -> Entity:
    surface = text[span.start : span.end]
    return Entity(text=surface, label=span.label, start=span.start, end=span.end, confidence=span.confidence)


mlflow.models.set_model(NerModel())
