"""The screens as one server: the Streamlit workbench at `/`, the Gradio demos at `/demo`. They call the API by HTTP."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

import streamlit as st
import uvicorn
from fastapi import FastAPI

from ner.logs import configure_logs
from ner.memory import keep_memory_low
from ner.settings import Settings, load_settings
from workbench.browser import address
from workbench.demos.demo import mount_demo

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
            yield

    screens = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    mount_demo(screens, api_url)
    screens.mount("/", streamlit)
    return screens


def serve(settings: Settings, app: object) -> None:
    """Serve `app` where the settings say, until a signal says stop."""
    keep_memory_low()
    configure_logs("workbench", settings.log_level)
    uvicorn.run(
        app,  # type: ignore[arg-type]
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=3,
    )


if __name__ == "__main__":
    chosen = load_settings()
    serve(chosen, create_screens(address(chosen)))
