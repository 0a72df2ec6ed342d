"""A real installation and a real browser, shared by the tests that look at pages."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Literal

import pytest
from filelock import FileLock
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from tests.conftest import missing
from tests.running import ROOT, RunningWorkbench

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


@pytest.fixture(scope="package")
def workbench_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorkbench]:
    """`workbench up` with its starter model, in a home of its own."""
    home = tmp_path_factory.mktemp("installation") / "home"
    shutil.copytree(_home_with_starter(tmp_path_factory), home)
    running = RunningWorkbench(home)
    running.start()
    yield running
    running.stop()


def _home_with_starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the starter model is registered; trained once for all test processes."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "starter"
    with FileLock(f"{shared}.lock"):
        if not shared.exists():
            draft = base / "starter.draft"
            environment = {name: value for name, value in os.environ.items() if not name.startswith("NER_")}
            command = [sys.executable, "-m", "training", "starter"]
            subprocess.run(command, env={**environment, "NER_HOME": str(draft)}, cwd=ROOT, check=True)
            draft.rename(shared)
    return shared


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


def choose(page: Page, list_of: Locator, name: str | re.Pattern[str]) -> None:
    """Choose from a list of Streamlit's. A page that is drawn again meanwhile closes it: then it is opened again."""
    option = page.get_by_role("option", name=name).first
    for _ in range(5):
        list_of.click()
        try:
            option.click(timeout=_PATIENCE_MS / 5)
        except PlaywrightTimeoutError:
            page.keyboard.press("Escape")
        else:
            return
    raise AssertionError(f"'{name}' was never offered")
