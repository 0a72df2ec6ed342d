"""The plot in a real browser, against a real installation: what a newcomer does in the first ten minutes."""

import gzip
import re
import threading
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit, choose, picture
from tests.running import RunningWorkbench, wait_until
from workbench.comparison import PER_PAGE

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.corpus]
_ROWS = 20_000
_TRAINING_MS = 300_000
_TEXT = "Barack Obama met Angela Merkel in Berlin on Friday."


def _slice(corpora: Path, folder: Path) -> Path:
    """The first thousand sentences of GMB, as a file that a person would upload."""
    path = folder / "gmb_slice.csv"
    with gzip.open(corpora / "gmb" / "ner_dataset.csv.gz") as whole, path.open("wb") as part:
        part.writelines(line for _, line in zip(range(_ROWS), whole, strict=False))
    return path


def _go(page: Page, name: str) -> None:
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()


def _confirm(page: Page, button: str, confirmation: str) -> None:
    page.get_by_role("button", name=button, exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name=confirmation).click()
    expect(page.get_by_role("dialog")).to_have_count(0)


class _Program:
    """A program that calls the API all the while, and remembers every answer."""

    def __init__(self, running: RunningWorkbench) -> None:
        self._running = running
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._call)
        self.answers: list[tuple[int, str]] = []

    def __enter__(self) -> "_Program":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _call(self) -> None:
        with self._running.client() as client:
            while not self._stopping.wait(0.02):
                answer = client.post("/api/v1/ner/predict", json={"text": f"Call {len(self.answers)}: {_TEXT}"})
                self.answers.append((answer.status_code, answer.json().get("model_version", "")))

    def newest(self, count: int) -> set[str]:
        return {version for _, version in self.answers[-count:]}


def test_a_newcomer_plays_the_loop_and_no_program_sees_an_error(
    visit: Visit, workbench_server: RunningWorkbench, corpora: Path, tmp_path: Path
) -> None:
    with visit() as page, _Program(workbench_server) as program:
        _try(page)
        _import(page, _slice(corpora, tmp_path))
        _correct_three(page, workbench_server)
        version = _train(page)
        _put_on_trial(page, version)
        _call_two_hundred_times(workbench_server, version)
        _compare(page, version, workbench_server)
        _promote(page, version, program)
        _roll_back(page, version, program)
    assert {status for status, _ in program.answers} == {200}
    assert len(program.answers) > 100


def _try(page: Page) -> None:
    page.get_by_label("Text", exact=True).fill(_TEXT)
    page.get_by_role("button", name="Find entities").click()
    expect(page.locator("mark.ner-entity").filter(has_text="Barack Obama")).to_be_visible()
    picture(page, "loop-1-try")


def _import(page: Page, path: Path) -> None:
    _go(page, "Train")
    page.get_by_text("Import a file").click()
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(path)
    into = page.get_by_role("combobox", name=re.compile("Into the dataset"))
    into.fill("gmb")
    into.press("Enter")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("documents added")).to_be_visible()
    picture(page, "loop-2-imported")


def _correct_three(page: Page, running: RunningWorkbench) -> None:
    _go(page, "Correct")
    choose(page, page.get_by_role("combobox", name="Documents of"), "gmb")
    expect(page.locator(".paper .paragraph").first).to_contain_text("Thousands of demonstrators")
    for number in (1, 2, 3):
        page.locator(".paper").press("ArrowRight")
        page.locator(".paper").press("1")
        expect(page.locator(".list .row").first).to_contain_text("art")
        picture(page, f"loop-3-correct-{number}")
        page.locator(".paper").press("Enter")
        expect(page.locator(".saving")).to_contain_text(f"Saved, {number} document")
    with running.client() as client:
        datasets = client.get("/api/v1/datasets").json()["datasets"]
        assert next(one["corrections"] for one in datasets if one["name"] == "gmb") == 3


def _train(page: Page) -> str:
    _go(page, "Train")
    choose(page, page.get_by_role("combobox", name=re.compile("^Dataset")), re.compile("^gmb"))
    page.get_by_text("Parameters").click()
    for parameter, value in (("epochs", "3"), ("members", "1")):
        page.get_by_label(parameter, exact=True).fill(value)
        page.get_by_label(parameter, exact=True).press("Enter")
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_text("Time left")).to_be_visible(timeout=_TRAINING_MS)
    picture(page, "loop-4-training")
    button = page.get_by_role("button", name=re.compile(r"Make [\d.]+ the canary"))
    expect(button).to_be_visible(timeout=_TRAINING_MS)
    picture(page, "loop-5-trained")
    return str(button.inner_text()).split("Make ")[1].split(" ")[0]


def _put_on_trial(page: Page, version: str) -> None:
    button = f"Make {version} the canary"
    page.get_by_role("button", name=button).click()
    page.get_by_role("dialog").get_by_text("By hand").click()
    expect(page.get_by_role("dialog")).to_contain_text("5 %")
    picture(page, "loop-6-canary")
    page.get_by_role("dialog").get_by_role("button", name=button).click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def _call_two_hundred_times(running: RunningWorkbench, version: str) -> None:
    """At 5 % of 200 calls, no call of the canary has a chance of 1 in 28,000."""
    with running.client() as client:
        wait_until(lambda: client.get("/api/v1/ner/health").json().get("canary") == version, what="the canary")
        answers = [client.post("/api/v1/ner/predict", json={"text": f"{n}. {_TEXT}"}).json() for n in range(200)]
    asked = [answer["variant"] for answer in answers]
    assert 1 <= asked.count("canary") <= 30
    assert {a["model_version"] for a in answers if a["variant"] == "canary"} == {version}


def _compare(page: Page, version: str, running: RunningWorkbench) -> None:
    _go(page, "Compare")
    expect(page.get_by_text(re.compile(rf"^{re.escape(version)} · \d+ entit")).first).to_be_visible()
    picture(page, "loop-7-compare-text")
    page.get_by_text("A dataset", exact=True).click()
    choose(page, page.get_by_role("combobox", name=re.compile("^Dataset")), re.compile("^gmb"))
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.get_by_text(f"F1 of {version}")).to_be_visible()
    picture(page, "loop-8-compare-dataset")
    _order_by_sureness(page, version, running)
    _read_what_changed(page)


_SHOWN = """() => [...document.querySelectorAll("[class*='st-key-decide_']")]
  .map((one) => [...one.classList].find((name) => name.startsWith("st-key-decide_")).split("_").slice(2).join("_"))"""


def _order_by_sureness(page: Page, version: str, running: RunningWorkbench) -> None:
    """Each order of the list is that of the versions' own sureness, as the API tells it."""
    with running.client() as client:
        asked = {"dataset": "gmb", "left": "1.0.0", "right": version, "limit": 100}
        told = client.post("/api/v1/compare", json=asked).raise_for_status().json()["documents"]
    sure = {one["document_id"]: (one["left_sure"] or 0, one["right_sure"] or 0) for one in told if one["is_different"]}
    orders = set()
    for name, place in (("1.0.0 was surest", 0), (f"{version} was surest", 1)):
        choose(page, page.get_by_role("combobox", name=re.compile("^First")), name)
        best = sorted((both[place] for both in sure.values()), reverse=True)[:PER_PAGE]
        wanted = {"best": best, "place": place, "sure": sure}
        page.wait_for_function(
            f"(wanted) => JSON.stringify(({_SHOWN})().map((id) => wanted.sure[id]?.[wanted.place])) "
            "=== JSON.stringify(wanted.best)",
            arg=wanted,
        )
        orders.add(tuple(page.evaluate(_SHOWN)))
        picture(page, f"loop-8-surest-{place}")
    assert len(orders) == 2
    choose(page, page.get_by_role("combobox", name=re.compile("^First")), "Both were sure")


_FALLING = """() => {
  const counts = [...document.querySelectorAll(".ner-differences")].map((list) => list.children.length);
  return counts.length > 1 && counts[0] > 1 && counts.every((count, place) => !place || counts[place - 1] >= count);
}"""


def _read_what_changed(page: Page) -> None:
    """The order of the documents, the pages of their list, and one of them opened between both versions."""
    shown = page.locator(".ner-text")

    def first() -> str:
        return str(shown.first.evaluate("text => text.textContent"))

    before = first()
    page.get_by_role("button", name="Page 2", exact=True).click()
    expect(shown.first).not_to_have_text(before)
    choose(page, page.get_by_role("combobox", name=re.compile("^First")), "Most differences")
    expect(page.get_by_role("button", name="Page 1", exact=True)).to_have_attribute("aria-current", "page")
    page.wait_for_function(_FALLING)
    page.get_by_role("button", name="Decide between them").first.click()
    expect(page.get_by_text(re.compile(r"^Difference 1 of \d+, \d+ open$"))).to_be_visible()
    picture(page, "loop-9-decide")
    page.get_by_text("What changed", exact=True).click()
    expect(page.locator(".ner-differences").first).to_be_visible()


def _promote(page: Page, version: str, program: _Program) -> None:
    _go(page, "Versions")
    picture(page, "loop-9-versions")
    _confirm(page, "Promote", f"Promote {version}")
    wait_until(lambda: program.newest(30) == {version}, what="answers of the new version alone")


def _roll_back(page: Page, version: str, program: _Program) -> None:
    _go(page, "Versions")
    _confirm(page, "Roll back to it", "Roll back")
    wait_until(lambda: version not in program.newest(30), what="answers of the old version alone")
    expect(page.get_by_text("Rolled back").or_(page.get_by_text("1.0.0").first).first).to_be_visible()
    picture(page, "loop-10-rolled-back")
