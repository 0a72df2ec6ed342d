"""How long a person waits for a page of measurement on a full log: from the click in the menu until its last chart or
table is painted, in headless Chromium, with everything of `workbench up` beside it on the same machine.
"""

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page

from ner.database import Database
from ner.settings import Settings
from registry import rollout
from registry.versions import get_version, register
from tests.benchmarks.editor import signed_in_page, with_browser
from tests.running import ROOT, RunningWorkbench

# What is drawn last, and how many of it there are then.
_LAST = {
    "Traffic": (".js-plotly-plot .main-svg .xaxislayer-above", 3),
    "Drift": (".js-plotly-plot .main-svg .xaxislayer-above text", 2),
    "Quality": (".js-plotly-plot .main-svg .xaxislayer-above text", 2),
    "Versions": ("[data-testid=stTable] td", 12),
    "Alerts": ("[data-testid=stTabPanel]:not([hidden]) .ner-empty, [data-testid=stMain] [data-testid=stButton]", 1),
}
_OPEN = """
async ([name, last, count]) => {
  const links = [...document.querySelectorAll("[data-testid=stSidebarNavLink]")];
  const link = links.find((one) => one.innerText.trim().endsWith(name));
  const began = performance.now();
  link.click();
  const heading = () => document.querySelector("h1")?.innerText === name;
  const busy = () => document.querySelector("[data-testid=stStatusWidget], [data-stale=true]");
  const drawn = () => heading() && document.querySelectorAll(last).length >= count && !busy();
  while (!drawn()) {
    if (performance.now() - began > 60000) throw new Error(`${name} was never drawn`);
    await new Promise(requestAnimationFrame);
  }
  return performance.now() - began;
}
"""


def drawn(folder: Path, fill: Callable[[Database], None], times: int) -> dict[str, list[float]]:
    """Seconds until each page is painted, the first time and each time after it."""
    home = folder / "running"
    running = RunningWorkbench(home)
    subprocess.run([sys.executable, "-m", "training", "starter"], env=running.environment, cwd=ROOT, check=True)
    _fill(home, fill)
    running.start()
    try:
        with running.client() as http, with_browser() as browser:
            page = signed_in_page(browser, http)
            return {name: [_opened(page, name) for _ in range(times)] for name in _LAST}
    finally:
        running.stop()


def _fill(home: Path, fill: Callable[[Database], None]) -> None:
    database = Database(Settings(_env_file=None, home=home).database)  # type: ignore[call-arg]
    with database.transaction() as connection:
        starter = get_version(connection, "1.0.0")
        register(connection, dataclasses.replace(starter, version="1.1.0", run_id=None))
        rollout.set_canary(connection, "1.1.0", 10, actor="ada", reason="looks better")
    fill(database)
    database.close()


def _opened(page: Page, name: str) -> float:
    """From the Try page, as somebody comes who has not looked for a while."""
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Try").click()
    page.get_by_role("heading", name="Try", exact=True).wait_for()
    page.wait_for_load_state("networkidle")
    # A hand takes a moment from the menu's edge to the page it wants.
    page.get_by_test_id("stSidebarNavLink").filter(has_text=name).hover()
    page.wait_for_timeout(300)
    return float(page.evaluate(_OPEN, [name, *_LAST[name]])) / 1000
