"""A real installation and a real browser, shared by the tests that look at pages."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.conftest import CI, missing
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
ARTIFACTS = Path(__file__).parents[2] / "test-artifacts"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM", shutil.which("chromium") or shutil.which("chromium-browser") or "")
    if not path:
        if CI:
            pytest.fail("Chromium is not installed.")
        pytest.skip("Chromium is not installed.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def workbench_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorkbench]:
    """`workbench up` with its starter model, in an empty home."""
    if not shutil.which("git"):
        missing("git is not installed.")
    running = RunningWorkbench(tmp_path_factory.mktemp("installation") / "home")
    running.start()
    yield running
    running.stop()


@pytest.fixture
def visitor(chromium: Browser, workbench_server: RunningWorkbench) -> Iterator[BrowserContext]:
    """A browser context that is signed in as the administrator."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    with workbench_server.client() as client:
        client.post("/api/v1/users", json={"name": "browser", "role": "admin"})
        link = client.post("/api/v1/users/browser/link").raise_for_status().json()["url"]
    page = context.new_page()
    page.goto(link)
    page.close()
    yield context
    context.close()


@pytest.fixture
def page(visitor: BrowserContext) -> Page:
    return visitor.new_page()
