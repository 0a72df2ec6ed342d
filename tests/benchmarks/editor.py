"""How fast the editor is, in headless Chromium against a running installation: `make bench-editor`.

Writes docs/benchmarks-editor.md. Every figure is taken from the key or the click to the frame that shows its effect.
With `--beside FOLDER` (a checkout of another revision) its editor is measured in turns with this one, on the same
machine at the same time, and the page gives the ratio.
"""

import argparse
import json
import os
import platform
import random
import shutil
import statistics
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Page, sync_playwright
from tqdm import tqdm

from tests.running import RunningWorkbench

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks-editor.md"
SIZES = {
    "a sentence": (25, 3),
    "10,000 tokens, 500 entities": (10_000, 500),
    "100,000 tokens, 5,000 entities": (100_000, 5_000),
}
LABELS = ("per", "geo", "org")
REPEATS = 45
_WORDS = ("river", "council", "Lisbon", "Maria", "market", "Oslo", "spoke", "after", "Silva", "trade", "in", "the")
_PARAGRAPH = 120
# Until what comes next was asked for: the server reads a long text for some seconds.
_AHEAD_MS = 8000
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
_MEASURE = """
async (keys) => {
  const host = [...document.querySelectorAll("*")].find((one) => one.shadowRoot?.querySelector(".paper"));
  const paper = host.shadowRoot.querySelector(".paper");
  paper.focus();
  const painted = () => new Promise((resolve) => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => resolve(performance.now());
    channel.port2.postMessage(0);
  }));
  const first = () => paper.querySelector(".paragraph > span")?.firstChild;
  const times = [];
  for (const key of keys) {
    const before = first();
    // Told before the frame that paints it: whoever looked from time to time would wait for a later frame.
    const shown = new Promise((resolve) => {
      const watcher = new MutationObserver(() => {
        if (!first() || first() === before) return;
        watcher.disconnect();
        resolve();
      });
      if (key === "s") watcher.observe(paper, { childList: true });
      else resolve();
    });
    const [name, shift] = key.startsWith("Shift+") ? [key.slice(6), true] : [key, false];
    const began = performance.now();
    paper.dispatchEvent(new KeyboardEvent("keydown", { key: name, shiftKey: shift, bubbles: true, composed: true }));
    await shown;
    times.push((await painted()) - began);
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
  return times;
}
"""


def document(tokens: int, entities: int, seed: int) -> dict[str, Any]:
    """A text of that many tokens with that many entities, in paragraphs of 120 tokens."""
    chance, pieces, spans, position = random.Random(seed), [], [], 0
    for number in range(tokens):
        word = chance.choice(_WORDS)
        if number % (tokens // entities) == 0:
            spans.append({"start": position, "end": position + len(word), "label": chance.choice(LABELS)})
        pieces.append(word + ("\n" if number % _PARAGRAPH == _PARAGRAPH - 1 else " "))
        position += len(word) + 1
    return {"text": "".join(pieces), "spans": spans}


def measure(page: Page, url: str, http: httpx.Client, name: str, size: tuple[int, int]) -> dict[str, list[float]]:
    """Milliseconds of each kind of step on documents of that size."""
    dataset = f"bench-{size[0]}"
    content = "\n".join(json.dumps(document(*size, seed=seed)) for seed in range(6))
    http.post(f"/api/v1/datasets/{dataset}/import", params={"format": "jsonl"}, content=content).raise_for_status()
    documents = http.get(f"/api/v1/datasets/{dataset}/documents").json()["documents"]
    page.goto(f"{url}/correct?document={documents[0]['id']}")
    page.locator(".paper .paragraph").first.wait_for()
    page.wait_for_timeout(3000)
    rounds = REPEATS // 5
    found = {"move by a word": _times(page, ["ArrowRight", "Shift+ArrowRight", "ArrowRight"] * (REPEATS // 3))}
    found["choose an entity"] = _times(page, ["n"] * REPEATS)
    found["label, change, remove, undo"] = _times(page, ["ArrowRight", "1", "2", "Delete", "u"] * rounds)[1:]
    found["open the next document"] = _opened(page)
    tqdm.write(f"{name}: " + ", ".join(f"{kind} {_p95(times):.0f} ms" for kind, times in found.items()))
    return found


def _times(page: Page, keys: list[str]) -> list[float]:
    return list(page.evaluate(_MEASURE, keys))


def _opened(page: Page) -> list[float]:
    """Going on to documents that were asked for ahead of time, until the next one's text is painted."""
    found = []
    for _ in range(3):
        page.wait_for_timeout(_AHEAD_MS)
        found += _times(page, ["s"])
    return found


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1] if len(times) > 5 else max(times)


@contextmanager
def with_browser() -> Iterator[Browser]:
    """Headless Chromium."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        yield browser
        browser.close()


def _sign_in(http: httpx.Client) -> str:
    """A link that signs a browser in, once."""
    http.post("/api/v1/users", json={"name": "bench", "role": "admin"})
    return str(http.post("/api/v1/users/bench/link").raise_for_status().json()["url"])


def signed_in_page(browser: Browser, http: httpx.Client) -> Page:
    """A page of its own: nothing that an earlier size left behind counts."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(120_000)
    page.goto(_sign_in(http))
    page.get_by_role("heading", name="Try").wait_for()
    return page


def _table(results: Mapping[str, Mapping[str, list[float]]], beside: Mapping[str, Mapping[str, list[float]]]) -> str:
    other = "| before: median | ratio " if beside else ""
    lines = [
        f"| document | step | median | 95 % within | events {other}|",
        f"|---|---|---|---|---{'|---|---' if beside else ''}|",
    ]
    for name, found in results.items():
        for kind, times in found.items():
            median = statistics.median(times)
            row = f"| {name} | {kind} | {median:.0f} ms | {_p95(times):.0f} ms | {len(times)} |"
            if beside:
                before = statistics.median(beside[name][kind])
                row += f" {before:.0f} ms | {median / before:.2f} |"
            lines.append(row)
    return "\n".join(lines)


def _pool(known: dict[str, list[float]], more: Mapping[str, list[float]]) -> None:
    for kind, times in more.items():
        known.setdefault(kind, []).extend(times)


@contextmanager
def _installation(folder: Path, checkout: str | None) -> Iterator[tuple[str, httpx.Client]]:
    """A running installation of this checkout, or of another one, with a browser of its own."""
    running = RunningWorkbench(folder / "home", {"PYTHONPATH": checkout} if checkout else None)
    running.start()
    try:
        with running.client() as http:
            yield running.url, http
    finally:
        running.stop()


def main() -> None:
    """Measure every size and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beside", help="a checkout of another revision")
    checkout = parser.parse_args().beside
    results: dict[str, dict[str, list[float]]] = {}
    beside: dict[str, dict[str, list[float]]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        browser = stack.enter_context(with_browser())
        here = stack.enter_context(_installation(folder / "here", None))
        there = stack.enter_context(_installation(folder / "there", checkout)) if checkout else None
        turns = [(here, results), *([(there, beside)] if there else [])] * (2 if there else 1)
        for (name, size), (place, found) in tqdm([(size, turn) for size in SIZES.items() for turn in turns]):
            with closing(signed_in_page(browser, place[1])) as page:
                _pool(found.setdefault(name, {}), measure(page, *place, name, size))
    before = (
        "“Before” is an earlier revision of the editor, measured in turns with this one on the same machine: the ratio "
        "tells more than the milliseconds, for the machine had other work.\n"
        if checkout
        else ""
    )
    PAGE.write_text(
        "# How fast the editor is\n\n"
        "From the key to the frame that shows its effect, in headless Chromium without a GPU, on the machine that also "
        f"runs the server: {os.cpu_count()} cores, {platform.machine()}.\n"
        f"What is opened was asked for ahead of time, as in daily work. Repeat with `make bench-editor`; "
        f'beside another revision with `make bench-editor ARGS="--beside FOLDER"`.\n{before}\n'
        f"{_table(results, beside)}\n"
    )
    tqdm.write(f"Written to {PAGE}")


if __name__ == "__main__":
    main()
