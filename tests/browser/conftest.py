"""A real installation and a real browser, shared by the tests that look at pages."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.conftest import missing
from tests.running import RunningWorkbench

_QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_PATIENCE_MS = 90_000
# Streamlit asks for these at the page's own address first, and then where they are.
_PROBED = ("_stcore/host-config", "_stcore/health")
expect.set_options(timeout=_PATIENCE_MS)
ARTIFACTS = Path(__file__).parents[2] / "test-artifacts"
Scheme = Literal["light", "dark"]
Visit = Callable[..., AbstractContextManager[Page]]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for one module: Playwright's event loop must be gone before a test brings its own."""
    path = os.environ.get("CHROMIUM", shutil.which("chromium") or shutil.which("chromium-browser") or "")
    if not path:
        missing("Chromium is not installed.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def workbench_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorkbench]:
    """`workbench up` with its starter model, in an empty home."""
    running = RunningWorkbench(tmp_path_factory.mktemp("installation") / "home")
    running.start()
    yield running
    running.stop()


@pytest.fixture
def visit(chromium: Browser, workbench_server: RunningWorkbench) -> Visit:
    """A page of a signed-in administrator; whatever the browser's console complains of fails the test."""

    @contextmanager
    def visiting(scheme: Scheme = "light", width: int = 1280, may_fail: bool = False) -> Iterator[Page]:
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        context.set_default_timeout(_PATIENCE_MS)
        page = _signed_in(context, workbench_server)
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.extend(_complaint(message)))
        yield page
        context.close()
        assert complaints == [] or may_fail

    return visiting


def _signed_in(context: BrowserContext, running: RunningWorkbench) -> Page:
    with running.client() as client:
        client.post("/api/v1/users", json={"name": "browser", "role": "admin"})
        link = client.post("/api/v1/users/browser/link").raise_for_status().json()["url"]
    page = context.new_page()
    page.goto(link)
    page.get_by_role("heading", name="Try").wait_for()
    return page


def _complaint(message: ConsoleMessage) -> list[str]:
    if message.type != "error" or message.location["url"].endswith(_PROBED):
        return []
    return [f"{message.text} ({message.location['url']})"]


def picture(page: Page, name: str) -> None:
    """Keep what the page looks like now, for people to look at."""
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"{name}.png")
