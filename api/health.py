"""Is it well, and how fast is it: health, metrics, and Prometheus. Anybody may ask."""

import importlib.metadata
import time
from functools import cache

from fastapi import Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from api.express import express
from api.roles import guarded_router, public
from api.schemas import HealthResponse, MetricsResponse
from api.wiring import Wiring

router = guarded_router(tags=["health"])


@cache
def software_version() -> str:
    """The release of this software."""
    return importlib.metadata.version("ner-workbench")


@router.get("/api/v1/ner/health", response_model=HealthResponse)
@public
@express(asks_model=False)
async def health(request: Request) -> Response:
    """Healthy: the stable version is loaded and the database answers. Degraded: one of the two is not so."""
    wiring: Wiring = request.app.state.wiring
    lineup = wiring.serving.lineup
    is_up = wiring.serving.database_is_up
    rollout = lineup.rollout
    is_whole = is_up and lineup.stable is not None
    body = HealthResponse(
        status="healthy" if is_whole else "degraded",
        version=rollout.stable,
        canary=rollout.canary,
        canary_percent=rollout.percent,
        software=software_version(),
        database="up" if is_up else "down",
        alerts=lineup.alerts(),
    )
    return Response(body.model_dump_json(), media_type="application/json")


@router.get("/api/v1/ner/metrics", response_model=MetricsResponse)
@public
async def metrics(request: Request) -> Response:
    """Latency, throughput, errors and cache hits of this process over the last five minutes."""
    wiring: Wiring = request.app.state.wiring
    summary = wiring.measures.recent.summary(time.monotonic())
    return Response(summary.model_dump_json(), media_type="application/json")


@router.get("/metrics", response_class=Response)
@public
async def prometheus(request: Request) -> Response:
    """Everything this process counts, for Prometheus."""
    wiring: Wiring = request.app.state.wiring
    wiring.measures.log_waiting.set(wiring.log.waiting)
    wiring.measures.log_spooled.set(wiring.log.spooled)
    wiring.measures.log_dropped.set(wiring.log.dropped)
    return Response(wiring.measures.exposition(), media_type=CONTENT_TYPE_LATEST)
