"""A scripted person at the editor: keys and time for each decision, and whether the desk counts them as they were.

    make bench-session

Writes docs/benchmarks-session.md. The script reads at 25 characters a second and presses a key every 150 ms, corrects
20 sentences by keys alone, and compares its own count and clock with what the API says about it afterwards.
"""

import json
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Locator, Page
from tqdm import tqdm

from ner.tokens import tokenize
from tests.benchmarks.editor import signed_in_page, with_browser
from tests.running import RunningWorkbench

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks-session.md"
LABELS = ("per", "geo", "org", "tim", "gpe")
READING_CHARACTERS_A_SECOND = 25
KEY_SECONDS = 0.15
_PEOPLE = ("Maria Silva", "John Smith", "Angela Merkel", "Ada Lovelace")
_PLACES = ("Oslo", "New York", "Lisbon", "Nairobi")
_GROUPS = ("Acme Corp", "the United Nations", "Siemens", "the Red Cross")
Span = tuple[int, int, str]


@dataclass
class Session:
    """What the script counted itself: keys of each kind of decision, keys and seconds in all."""

    decisions: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    keys: int = 0
    seconds: float = 0.0


def sentences() -> Iterator[tuple[str, list[Span]]]:
    """20 sentences with what is right for each."""
    for number in range(20):
        person, place, group = (names[number % 4] for names in (_PEOPLE, _PLACES, _GROUPS))
        words = [(person, "per"), (" of ", ""), (group, "org"), (" flew to ", ""), (place, "geo")]
        words.append((f" with {number + 2} letters for the council.", ""))
        text, spans = "", []
        for piece, label in words:
            if label:
                skipped = len("the ") if piece.startswith("the ") else 0
                spans.append((len(text) + skipped, len(text) + len(piece), label))
            text += piece
        yield text, spans


def correct(page: Page, session: Session, text: str, right: list[Span]) -> None:
    """One sentence, from its sight to its answer."""
    paper = page.locator(".paper")
    began = time.perf_counter()
    time.sleep(len(text) / READING_CHARACTERS_A_SECOND)
    offered = _shown(page)
    if {*offered} == {*right}:
        session.decisions["accept a right document"].append(_press(paper, session, "Enter"))
    else:
        for span in [one for one in offered if one not in right]:
            _mend(page, paper, session, span, right)
        for span in [one for one in right if one not in _shown(page)]:
            session.decisions["add a span"].append(_add(page, paper, session, text, span))
        _press(paper, session, "Enter")
    session.seconds += time.perf_counter() - began


def _mend(page: Page, paper: Locator, session: Session, span: Span, right: list[Span]) -> None:
    """Fix the label of a span that stands in the right place, or take the span away."""
    keys = _press(paper, session, "Escape")
    while _chosen(page) != span:
        keys += _press(paper, session, "n")
    fitting = next((label for start, end, label in right if (start, end) == span[:2]), None)
    if fitting is None:
        session.decisions["refuse a span"].append(keys + _press(paper, session, "Delete"))
    else:
        digit = page.locator(f".label[data-label={fitting}] kbd").inner_text()
        session.decisions["fix a label"].append(keys + _press(paper, session, digit))


def _add(page: Page, paper: Locator, session: Session, text: str, span: Span) -> int:
    """Walk to the word from the nearer end, stretch the choice, and label it."""
    tokens = tokenize(text)
    first = next(place for place, token in enumerate(tokens) if token[0] == span[0])
    last = next(place for place, token in enumerate(tokens) if token[1] == span[1])
    keys = _press(paper, session, "Escape")
    if first < len(tokens) - last:
        steps, stretch = ["ArrowRight"] * (first + 1), ["Shift+ArrowRight"] * (last - first)
    else:
        steps, stretch = ["ArrowLeft"] * (len(tokens) - last), ["Alt+ArrowLeft"] * (last - first)
    digit = page.locator(f".label[data-label={span[2]}] kbd").inner_text()
    return keys + _press(paper, session, *steps, *stretch, digit)


def _press(paper: Locator, session: Session, *keys: str) -> int:
    for key in keys:
        time.sleep(KEY_SECONDS)
        paper.press(key)
    session.keys += len(keys)
    return len(keys)


_CHIPS = """
() => {
  const host = [...document.querySelectorAll("*")].find((one) => one.shadowRoot?.querySelector(".paper"));
  return [...host.shadowRoot.querySelectorAll(".chip")].map(({ dataset, className }) =>
    [Number(dataset.start), Number(dataset.end), dataset.label, className.includes("active")]);
}
"""


def _shown(page: Page) -> list[Span]:
    """What stands and what is offered, read off the names under the words."""
    page.wait_for_timeout(60)
    return [(start, end, label) for start, end, label, _ in page.evaluate(_CHIPS)]


def _chosen(page: Page) -> Span | None:
    page.wait_for_timeout(60)
    return next(((start, end, label) for start, end, label, is_active in page.evaluate(_CHIPS) if is_active), None)


@contextmanager
def _dataset(running: RunningWorkbench) -> Iterator[tuple[httpx.Client, str]]:
    with running.client() as http:
        content = "\n".join(json.dumps({"text": text}) for text, _ in sentences())
        path = "/api/v1/datasets/session"
        http.post(f"{path}/import", params={"format": "jsonl"}, content=content.encode()).raise_for_status()
        http.post(f"{path}/labels", json={"labels": list(LABELS)}).raise_for_status()
        documents = http.get(f"{path}/documents").json()["documents"]
        yield http, documents[0]["id"]


def run(running: RunningWorkbench) -> tuple[Session, dict[str, Any]]:
    """The session, and what the API says about it."""
    session = Session()
    with with_browser() as browser, _dataset(running) as (http, first):
        page = signed_in_page(browser, http)
        page.goto(f"{running.url}/correct?document={first}")
        for text, right in tqdm(list(sentences())):
            page.locator(".paper .paragraph", has_text=text).wait_for()
            page.locator(".paper").focus()
            correct(page, session, text, right)
        page.locator(".saving.saved", has_text="Saved").wait_for()
        told = http.get("/api/v1/datasets/session/habits").json()["people"][0]
    return session, dict(told)


def main() -> None:
    """Run the session and write the page."""
    with tempfile.TemporaryDirectory() as folder:
        running = RunningWorkbench(Path(folder) / "home")
        running.start()
        try:
            session, told = run(running)
        finally:
            running.stop()
    rows = "\n".join(
        f"| {kind} | {len(keys)} | {statistics.median(keys):g} | {max(keys)} |"
        for kind, keys in sorted(session.decisions.items())
    )
    hourly = [3600 * told["answers"] / seconds for seconds in (session.seconds, told["active_hours"] * 3600)]
    counted, clock = told["keys_per_answer"] * told["answers"], told["active_hours"] * 3600
    PAGE.write_text(
        "# A scripted session at the editor\n\n"
        f"A script corrects {told['answers']} sentences by keys alone. It reads "
        f"{READING_CHARACTERS_A_SECOND} characters a second and presses a key every {1000 * KEY_SECONDS:.0f} ms.\n"
        "Repeat with `make bench-session`.\n\n"
        "| decision | times | keys (median) | most |\n|---|---|---|---|\n"
        f"{rows}\n\n"
        "| | the script's own count | what the API says | ratio |\n|---|---|---|---|\n"
        f"| keys | {session.keys} | {counted:.0f} | {counted / session.keys:.3f} |\n"
        f"| seconds at work | {session.seconds:.1f} | {clock:.1f} | {clock / session.seconds:.3f} |\n"
        f"| sentences an hour | {hourly[0]:.0f} | {hourly[1]:.0f} | {hourly[1] / hourly[0]:.3f} |\n"
    )
    tqdm.write(f"Written to {PAGE}")


if __name__ == "__main__":
    main()
