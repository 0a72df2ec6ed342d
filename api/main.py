"""The door of the API: wiring, and nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from api import (
    alerts,
    audit,
    capture,
    compare,
    conversations,
    datasets,
    demos,
    docs,
    documents,
    figures,
    habits,
    health,
    histories,
    inference_protocol,
    judging,
    keys,
    label_changes,
    oidc,
    pairs,
    policy,
    predict,
    rollout,
    runs,
    sessions,
    shadow_mode,
    snapshots,
    suggestion_sources,
    team,
    tokens,
    trials,
    users,
    versions,
    webhooks,
)
from api.errors import add_error_handler
from api.express import Lanes, lanes_of
from api.middleware import Edge
from api.serving import TaggerLoader
from api.wiring import wire
from ner.database import Database
from ner.settings import Settings
from registry.taggers import load_tagger
from registry.understudy import MODULE as UNDERSTUDY

_BODY_BYTES = 16 * 2**20
# The hot routes first: a path is looked for from the top.
_ROOMS = (
    *(
        predict,
        health,
        inference_protocol,
        sessions,
        tokens,
        oidc,
        datasets,
        snapshots,
        documents,
        team,
        runs,
        versions,
        rollout,
        policy,
        trials,
        shadow_mode,
        compare,
        pairs,
    ),
    *(label_changes, figures, alerts, webhooks, audit, keys, users, demos, capture, docs),
    *(suggestion_sources, judging, habits, conversations, histories),
)


class _Api(FastAPI):
    """The app behind its edge. The edge stands before the framework, whose own detour the hot routes would pay for."""

    edge: ASGIApp
    lanes: Lanes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        await self.edge(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """The framework's layers without its outermost: what nobody foresaw is answered by the edge."""
        stack = super().build_middleware_stack()
        return stack.app if isinstance(stack, ServerErrorMiddleware) else stack

    async def long_way(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Through the framework."""
        await super().__call__(scope, receive, send)


def create_app(
    settings: Settings,
    database: Database | None = None,
    *,
    tagger_loader: TaggerLoader = load_tagger,
    understudy: str = UNDERSTUDY,
) -> FastAPI:
    """The API as one ASGI app. `database` None means the one that the settings name, closed with the app.

    Versions are loaded, the rollout followed and the log written between the app's startup and its shutdown;
    whoever mounts the app must run its lifespan (`app.router.lifespan_context(app)`).
    """
    wiring = wire(settings, database, tagger_loader, understudy)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await wiring.start()
        try:
            yield
        finally:
            await wiring.stop()

    app = _Api(
        title="NER workbench",
        version=health.software_version(),
        description=docs.DESCRIPTION,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.wiring = wiring
    app.lanes = lanes_of(route for room in _ROOMS for route in room.router.routes)
    app.edge = Edge(
        app.long_way,
        lanes=app.lanes,
        measures=wiring.measures,
        refused=wiring.records.refused,
        body_bytes=_BODY_BYTES,
        upload_bytes=settings.max_upload_megabytes * 2**20,
    )
    if settings.cors_origins:
        app.edge = CORSMiddleware(
            app.edge,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key"],
            expose_headers=["X-Request-ID", "Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"],
        )
    add_error_handler(app)
    for room in _ROOMS:
        # Not `include_router`: it would match every path twice, which the hot routes would pay for.
        app.router.routes.extend(room.router.routes)
    return app
