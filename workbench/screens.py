"""The screens as one server: the Streamlit workbench at `/`, the Gradio demos at `/demo`. They call the API by HTTP."""

import asyncio
import importlib
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Literal

import streamlit as st
import uvicorn
from fastapi import FastAPI
from streamlit import logger as streamlit_logger

from ner.logs import configure_logs
from ner.memory import keep_memory_low
from ner.settings import Settings, load_settings
from workbench.browser import address
from workbench.demos.demo import mount_demo

_LOG = logging.getLogger(__name__)
_SCRIPT = Path(__file__).parent / "entry" / "visit.py"


def create_screens(api_url: str, *beside: AbstractAsyncContextManager[object]) -> FastAPI:
    """The screens, calling the API at `api_url`. What stands `beside` them starts and stops with them."""
    streamlit = st.App(_SCRIPT)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for companion in beside:
                await stack.enter_async_context(companion)
            await stack.enter_async_context(streamlit.lifespan()(app))
            threading.Thread(target=_preload, name="preload", daemon=True).start()
            yield

    screens = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    mount_demo(screens, api_url)
    screens.mount("/", streamlit)
    return screens


def _preload() -> None:
    """Load what draws the pages, once the server answers: at the first visit it would take longer than any page."""
    try:
        importlib.import_module("workbench.preload").preload()
    except Exception:
        _LOG.exception("What draws the pages could not be loaded yet; the first page that needs it will.")


def log_as_configured() -> None:
    """Let what Streamlit and its server say go where everything else goes: as JSON, with identifiers masked.

    Streamlit gives each logger a console of its own, and opens the server's log of accesses, whose addresses hold the
    tokens of sign-in links and demo links.
    """

    def follow_ours(logger: logging.Logger) -> None:
        handler = getattr(logger, "streamlit_console_handler", None)
        if handler is not None:
            logger.removeHandler(handler)
        logger.propagate = logger.name != "uvicorn.access"

    streamlit_logger.setup_formatter = follow_ours
    streamlit_logger.update_formatter()


def serve(settings: Settings, app: object, protocol: type[asyncio.Protocol] | Literal["auto"] = "auto") -> None:
    """Serve `app` where the settings say, until a signal says stop. `protocol` reads HTTP from the socket."""
    keep_memory_low()
    configure_logs("workbench", settings.log_level)
    log_as_configured()
    uvicorn.run(
        app,  # type: ignore[arg-type]
        host=settings.host,
        port=settings.port,
        http=protocol,
        log_config=None,
        access_log=False,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=3,
    )


if __name__ == "__main__":
    chosen = load_settings()
    serve(chosen, create_screens(address(chosen)))
