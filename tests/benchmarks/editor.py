"""How fast the editor is, in headless Chromium against a running installation: `make bench-editor`.

Writes docs/benchmarks-editor.md. Every figure is taken from the key or the click to the frame that shows its effect.
"""

import json
import os
import platform
import random
import shutil
import statistics
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, sync_playwright
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
    const [name, shift] = key.startsWith("Shift+") ? [key.slice(6), true] : [key, false];
    const began = performance.now();
    paper.dispatchEvent(new KeyboardEvent("keydown", { key: name, shiftKey: shift, bubbles: true, composed: true }));
    while (key === "s" && first() === before) await new Promise((resolve) => setTimeout(resolve, 0));
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
        page.wait_for_timeout(4000)
        found += _times(page, ["s"])
    return found


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1] if len(times) > 5 else max(times)


@contextmanager
def _signed_in(http: httpx.Client) -> Iterator[Page]:
    http.post("/api/v1/users", json={"name": "bench", "role": "admin"})
    link = http.post("/api/v1/users/bench/link").raise_for_status().json()["url"]
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(120_000)
        page.goto(link)
        page.get_by_role("heading", name="Try").wait_for()
        yield page
        browser.close()


def _table(results: Mapping[str, Mapping[str, list[float]]]) -> str:
    lines = ["| document | step | median | 95 % within | events |", "|---|---|---|---|---|"]
    for name, found in results.items():
        for kind, times in found.items():
            row = f"| {name} | {kind} | {statistics.median(times):.0f} ms | {_p95(times):.0f} ms | {len(times)} |"
            lines.append(row)
    return "\n".join(lines)


def main() -> None:
    """Measure every size and write the page."""
    with tempfile.TemporaryDirectory() as folder:
        running = RunningWorkbench(Path(folder) / "home")
        running.start()
        try:
            with running.client() as http, _signed_in(http) as page:
                results = {name: measure(page, running.url, http, name, size) for name, size in tqdm(SIZES.items())}
        finally:
            running.stop()
    PAGE.write_text(
        "# How fast the editor is\n\n"
        "From the key to the frame that shows its effect, in headless Chromium without a GPU, on the machine that also "
        f"runs the server: {os.cpu_count()} cores, {platform.machine()}.\n"
        "What is opened was asked for ahead of time, as in daily work. Repeat with `make bench-editor`.\n\n"
        f"{_table(results)}\n"
    )
    tqdm.write(f"Written to {PAGE}")


if __name__ == "__main__":
    main()
