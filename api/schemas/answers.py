"""Predictions, their refusals, and how the server is."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from api.schemas.shape import Shape


class PredictRequest(Shape):
    text: str = Field(description="The text to analyse.", examples=["John lives in New York"])
    document_key: str | None = Field(
        None, max_length=200, description="Calls with the same key meet the same version; empty means the text itself."
    )


class BatchRequest(Shape):
    texts: list[Any] = Field(examples=[["Apple Inc is in California", "Google acquired YouTube"]])
    document_key: str | None = Field(None, max_length=200)


class Entity(BaseModel):
    text: str
    label: str
    start: int
    end: int
    confidence: float


class PredictResponse(BaseModel):
    entities: list[Entity]
    confidence: list[float] = Field(description="The entities' confidences, in their order.")
    model_version: str
    variant: Literal["stable", "canary", "previous"]
    request_id: str
    cached: bool
    degraded: bool = Field(description="True where a fallback answered in place of the chosen version.")


class ErrorBody(BaseModel):
    kind: str
    message: str
    request_id: str
    details: dict[str, Any] = {}


class ErrorResponse(BaseModel):
    error: ErrorBody


class BatchResponse(BaseModel):
    results: list[PredictResponse | ErrorResponse] = Field(
        description="In the order of the texts; a bad text fails alone."
    )


class HealthResponse(BaseModel):
    status: Literal["healthy", "degraded"]
    version: str | None = Field(description="The stable version.")
    canary: str | None
    canary_percent: float
    software: str
    database: Literal["up", "down"]
    alerts: list[str] = Field([], description="A sentence for each version that should answer and cannot.")


class MetricsResponse(BaseModel):
    """Figures of this API process over the last five minutes; null where nothing was asked yet."""

    latency_p50: float | None = Field(description="Milliseconds.")
    latency_p95: float | None
    latency_p99: float | None
    throughput: float = Field(description="Answers per second.")
    error_rate: float | None
    cache_hit_rate: float | None
    requests: int
    window_seconds: int
