"""How long the pages of measurement take to open on a full log: docs/benchmarks-pages.md.

    python -m tests.benchmarks.pages [--rows 1000000] [--browser]

A week of traffic lies in SQLite, a tenth of it the canary's. Timed are the calls of the API over the wire's own format
(in this process), the script of each page with its calls, figures included, and with --browser what a person waits for
in headless Chromium, with `workbench up` beside it. What the server and the workbench do by themselves when they start
(count the canary's trial, load what draws pages) is timed too.
"""

import argparse
import datetime as dt
import importlib
import os
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from streamlit.components.v2.component_manager import BidiComponentManager
from streamlit.testing.v1 import AppTest

from ner.database import Database, utc_now
from ner.migrations import migrate
from ner.settings import Settings
from ner.tables import predictions, rollouts
from registry.logged import LoggedPrediction
from registry.rollup_table import fold_hours, fold_minutes, write_rollups
from registry.rollups import count_up
from tests.benchmarks.pages_drawn import drawn
from tests.dashboards.traffic_log import a_text, rows_of
from tests.workbench.world import BOTH, PLACES, World
from workbench import browser

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks-pages.md"
_CALLS = {
    "traffic, a day": "traffic?hours=24",
    "traffic, 30 days": "traffic?hours=720",
    "drift, a day": "drift?hours=24",
    "drift, a week": "drift?hours=168",
    "drifted documents, a week": "drift/documents?measure=unknown_words&hours=168",
    "quality": "quality",
    "quality over time": "quality/over-time",
    "the canary's trial": "rollout/trial",
    "alerts": "alerts",
}
_PAGES = ("traffic", "drift", "quality", "versions", "alerts")
_AT_ONCE, _TIMES = 20_000, 5
Times = list[tuple[float, float]]


def main() -> None:
    """Fill, time, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--browser", action="store_true", help="time the pages in a browser too")
    rows, with_browser = (given := parser.parse_args()).rows, given.browser
    with tempfile.TemporaryDirectory() as folder:
        world = _world(Path(folder))
        fill(world.database, rows)
        began = time.process_time()
        with world.api("admin") as http:
            _until_counted()
            counted = time.process_time() - began
            calls = {name: timed(lambda path=path: http.get(f"/api/v1/{path}").raise_for_status())
                     for name, path in _CALLS.items()}  # fmt: skip
            browser.connect(http)
            began = time.process_time()
            importlib.import_module("workbench.preload").preload()
            loaded = time.process_time() - began
            pages = {name: timed(lambda name=name: opened(name)) for name in _PAGES}
            browser.connect(None)
        world.database.close()
        seen = drawn(Path(folder), lambda database: fill(database, rows), _TIMES) if with_browser else {}
    _write(rows, calls, pages, seen, (counted, loaded))


def _until_counted() -> None:
    for thread in threading.enumerate():
        if thread.name == "first-count":
            thread.join()


def _world(folder: Path) -> World:
    settings = Settings(_env_file=None, home=folder / "home", secret_key="a key for tests", log_days=90)  # type: ignore[call-arg]
    settings.home.mkdir()
    database = Database(settings.database)
    migrate(database)
    world = World(settings, database, folder / "made")
    world.folder.mkdir()
    world.add_stable("1.0.0", PLACES)
    world.add_canary("1.1.0", BOTH, percent=10)
    return world


def fill(database: Database, rows: int) -> None:
    """A week of rows with their counts, folded as upkeep folds them."""
    generator, now = random.Random(0), utc_now()
    with database.transaction() as connection:  # the canary has been on trial all the while
        connection.execute(rollouts.update().values(changed_at=now - dt.timedelta(days=8)))
    pool = rows_of([a_text(generator) for _ in range(5_000)])
    for first in range(0, rows, _AT_ONCE):
        batch = []
        for number in range(first, min(rows, first + _AT_ONCE)):
            canary = generator.random() < 0.1
            changes = {
                "request_id": f"{number:032x}",
                "at": now - dt.timedelta(days=7) * (1 - number / rows),
                "version": "1.1.0" if canary else "1.0.0",
                "variant": "canary" if canary else "stable",
                "latency_ms": generator.lognormvariate(3, 0.6),
                "status": 500 if generator.random() < 0.001 else 200,
            }
            batch.append(pool[number % len(pool)] | changes)
        with database.transaction() as connection:
            connection.execute(predictions.insert(), batch)
            write_rollups(connection, count_up(LoggedPrediction(**row) for row in batch))
    for step in (fold_minutes, fold_hours):
        more = 1
        while more:
            with database.transaction() as connection:
                more = step(connection)


def timed(work: Callable[[], Any]) -> list[tuple[float, float]]:
    """Seconds that passed, and seconds of the processor, the first time and each time after it."""
    taken = []
    for _ in range(_TIMES):
        began, busy = time.perf_counter(), time.process_time()
        work()
        taken.append((time.perf_counter() - began, time.process_time() - busy))
    return taken


def opened(name: str) -> None:
    """A page, drawn once by somebody new. A server looks for components in packages once; the tests' stand-in for one
    does at every page, which took longer than the page itself.
    """
    script = f"from workbench.browser import guarded\nfrom workbench.pages import {name}\nguarded({name}.page)()"
    page = AppTest.from_string(script, default_timeout=120)
    page._bidi_component_manager = _components()
    page.run()
    assert not page.exception


@lru_cache(maxsize=1)
def _components() -> BidiComponentManager:
    found = BidiComponentManager()
    found.discover_and_register_components(start_file_watching=False)
    return found


def _write(
    rows: int,
    calls: dict[str, Times],
    pages: dict[str, Times],
    seen: dict[str, list[float]],
    started: tuple[float, float],
) -> None:
    head = "| what | processor, first time | processor, median | passed, median |\n|---|---|---|---|"
    parts = [
        f"""# Pages on a full log, measured

Written by `python -m tests.benchmarks.pages --rows {rows}{" --browser" * bool(seen)}`:
{rows:,} answers of one week in SQLite, a tenth of them the canary's.
Seconds of {_TIMES} times, load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors:
what other work took from them is in the figures. Reach: each page within 1 s.

## Calls of the API
""",
        head,
        *map(_row, calls.items()),
        "\n## Pages: the script with its calls and figures\n",
        head,
        *map(_row, pages.items()),
        *_seen(seen),
        f"""
## When the server starts, before anybody looks

Seconds of the processor, beside the answers: {started[0]:.2f} for starting the API and counting the canary's requests
so far, {started[1]:.2f} for loading what draws the pages (less where the workbench has loaded parts of it already).
""",
    ]
    PAGE.write_text("\n".join(parts), encoding="utf-8")


def _seen(seen: dict[str, list[float]]) -> list[str]:
    if not seen:
        return ["\nThe browser draws on top of that; the script runs for a new visitor each time."]
    return [
        """
## In the browser: from the click in the menu until the last chart is painted

In headless Chromium without a GPU, on the same machine. The first Traffic page is the first page with a chart in a new
browser: what draws charts is being read, from the moment the menu is pointed at, 0.3 s before each click.

| page | first time | median | slowest of the others |
|---|---|---|---|""",
        *(
            f"| {name} | {times[0]:.2f} | {statistics.median(times):.2f} | {max(times[1:]):.2f} |"
            for name, times in seen.items()
        ),
    ]


def _row(item: tuple[str, Times]) -> str:
    name, taken = item
    passed, busy = zip(*taken, strict=True)
    return f"| {name} | {busy[0]:.2f} | {statistics.median(busy):.2f} | {statistics.median(passed):.2f} |"


if __name__ == "__main__":
    main()
