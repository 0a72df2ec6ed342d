"""The editor in a real browser, against a real server: keys, mouse, and that nothing a person said is lost."""

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import Visit, picture
from tests.running import RunningWorkbench, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.slow]
_EVERY_SCRIPT = "👩\u200d👩\u200d👧 Zoë flew\r\nto 東京 with שרה כהן, José and e\u0301va in São Paulo."
_PLAIN = "Maria Silva left New York for Oslo, and New York misses her."


class Room:
    """A dataset of its own in the running installation, and the page that corrects it."""

    def __init__(self, client: httpx.Client, url: str) -> None:
        self.client = client
        self.url = url
        self.dataset = f"room-{uuid.uuid4().hex[:8]}"

    def holds(self, *texts: str, spans: list[dict[str, Any]] | None = None) -> None:
        """Import texts; `spans` are the first one's."""
        lines = [{"text": text, "spans": (spans or []) if not number else []} for number, text in enumerate(texts)]
        content = "\n".join(json.dumps(line if line["spans"] else {"text": line["text"]}) for line in lines)
        self.client.post(
            f"/api/v1/datasets/{self.dataset}/import", params={"format": "jsonl"}, content=content.encode()
        ).raise_for_status()
        labels = {"labels": ["per", "geo", "org"]}
        self.client.post(f"/api/v1/datasets/{self.dataset}/labels", json=labels).raise_for_status()

    def documents(self) -> list[dict[str, Any]]:
        return list(self.client.get(f"/api/v1/datasets/{self.dataset}/documents").json()["documents"])

    def document(self) -> dict[str, Any]:
        return self.documents()[0]

    def spans(self) -> list[tuple[str, str]]:
        """Surface and label of what is stored for the first document; the surface is checked against the text."""
        document = self.document()
        for span in document["spans"]:
            assert document["text"][span["start"] : span["end"]] == span["text"]
        return [(span["text"], span["label"]) for span in document["spans"]]

    def open(self, page: Page) -> Locator:
        page.goto(f"{self.url}/correct?document={self.document()['id']}")
        paper = page.locator(".paper")
        expect(paper.locator(".paragraph").first).to_be_visible()
        paper.focus()
        return paper

    def correct(self, label: str = "geo") -> None:
        """Somebody else's correction of the first document: its first four characters."""
        document = self.document()
        body = {
            "base_revision": document["revision"],
            "operation_id": uuid.uuid4().hex,
            "spans": [{"start": 0, "end": 5, "label": label}],
        }
        self.client.post(f"/api/v1/documents/{document['id']}/annotations", json=body).raise_for_status()


@pytest.fixture
def room(workbench_server: RunningWorkbench) -> Iterator[Room]:
    with workbench_server.client() as client:
        yield Room(client, workbench_server.url)


def _press(paper: Locator, *keys: str) -> None:
    for key in keys:
        paper.press(key)


def _saved(page: Page) -> None:
    expect(page.locator(".saving")).to_contain_text(re.compile("^Saved"))


def _refuse_offers(page: Page, paper: Locator) -> None:
    """Leave nothing of the model's suggestions."""
    while page.locator(".list .row").count():
        before = page.locator(".list .row").count()
        _press(paper, "n", "Delete")
        expect(page.locator(".list .row")).to_have_count(before - 1)


def _middle_of(page: Page, surface: str, which: int = 0) -> tuple[float, float, float]:
    """(left, right, y) of a piece of the text in the window."""
    place = page.evaluate(
        """([surface, which]) => {
          const host = [...document.querySelectorAll("*")].find((one) => one.shadowRoot?.querySelector(".paper"));
          const lines = [...host.shadowRoot.querySelectorAll(".paragraph > span:first-child")];
          const nodes = lines.map((line) => line.firstChild);
          const places = nodes.flatMap((node) => [...node.data.matchAll(surface)].map((match) => [node, match.index]));
          const [node, at] = places[which];
          const range = new Range();
          range.setStart(node, at);
          range.setEnd(node, at + surface.length);
          const { left, right, top, bottom } = range.getBoundingClientRect();
          return [left, right, (top + bottom) / 2];
        }""",
        [surface, which],
    )
    return tuple(place)


def _drag(page: Page, surface: str, which: int = 0) -> None:
    left, right, height = _middle_of(page, surface, which)
    page.mouse.move(left + 2, height)
    page.mouse.down()
    page.mouse.move((left + right) / 2, height)
    page.mouse.move(right - 2, height)
    page.mouse.up()


def test_a_document_is_labelled_without_a_mouse(visit: Visit, room: Room) -> None:
    room.holds(_PLAIN)
    with visit() as page:
        paper = room.open(page)
        _refuse_offers(page, paper)
        _press(paper, "Escape", "ArrowRight", "Shift+ArrowRight", "1")
        _press(paper, "ArrowRight", "ArrowRight", "Shift+ArrowRight", "2", "a")
        expect(page.locator(".list .row")).to_have_count(3)
        picture(page, "correct-by-keys")
        _press(paper, "Enter")
        _saved(page)
    assert room.spans() == [("Maria Silva", "per"), ("New York", "geo"), ("New York", "geo")]


def test_a_long_list_of_entities_follows_its_text_and_what_is_done_to_it(visit: Visit, room: Room) -> None:
    room.holds("Oslo " * 160, spans=[{"start": 5 * one, "end": 5 * one + 4, "label": "geo"} for one in range(160)])
    with visit() as page:
        paper = room.open(page)
        rows, last = page.locator(".list .row"), page.locator(".list > :last-child")
        expect(rows).to_have_count(150)
        # The model may offer something besides.
        left_out = int(last.inner_text().removeprefix("and ").removesuffix(" more"))
        _press(paper, *["n"] * 40, "Delete")
        expect(last).to_have_text(f"and {left_out - 1} more")
        expect(rows).to_have_count(150)
        expect(page.locator(".list .row.active")).to_be_in_viewport()


def test_a_document_is_labelled_with_the_mouse(visit: Visit, room: Room) -> None:
    room.holds(_PLAIN)
    with visit() as page:
        paper = room.open(page)
        _refuse_offers(page, paper)
        _drag(page, "ria Sil")
        page.locator(".label[data-label=per]").click()
        page.locator(".label[data-label=geo]").click()
        expect(page.locator(".label[data-label=geo]")).to_have_attribute("aria-pressed", "false")
        paper.press("Escape")
        page.locator(".label[data-label=geo]").click()
        expect(page.locator(".label[data-label=geo]")).to_have_attribute("aria-pressed", "true")
        _drag(page, "Oslo")
        expect(page.locator(".list .row")).to_have_count(2)
        page.get_by_role("button", name="Save and next").click()
        _saved(page)
    assert room.spans() == [("Maria Silva", "geo"), ("Oslo", "geo")]


def test_a_border_is_moved_and_a_label_is_changed(visit: Visit, room: Room) -> None:
    room.holds(_PLAIN, spans=[{"start": 0, "end": 5, "label": "org"}])
    with visit() as page:
        paper = room.open(page)
        page.locator(".row:not(.offered) .entity").first.click()
        _press(paper, "Shift+ArrowRight", page.locator(".label[data-label=per] kbd").inner_text(), "Enter")
        _saved(page)
    assert room.spans() == [("Maria Silva", "per")]


@pytest.mark.parametrize("surface", ["Zoë", "東", "שרה כהן", "e\u0301va", "São Paulo"])
def test_offsets_are_exact_whatever_script_stands_around(visit: Visit, room: Room, surface: str) -> None:
    room.holds(_EVERY_SCRIPT)
    with visit() as page:
        paper = room.open(page)
        _refuse_offers(page, paper)
        _drag(page, surface)
        _press(paper, "2", "Enter")
        _saved(page)
    assert room.spans() == [(surface, "geo")]


def test_the_keys_of_the_page_around_are_not_pressed(visit: Visit, room: Room) -> None:
    room.holds(_PLAIN)
    with visit() as page:
        paper = room.open(page)
        _refuse_offers(page, paper)
        page.evaluate("window.wasHere = true")
        _press(paper, "r", "c", "r")
        expect(page.get_by_role("dialog")).to_have_count(0)
        _press(paper, "?")
        expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
        picture(page, "correct-keys")
        assert page.evaluate("window.wasHere") is True


def test_work_that_was_not_saved_survives_a_reload_with_its_way_back(visit: Visit, room: Room) -> None:
    room.holds(_PLAIN, spans=[{"start": 0, "end": 11, "label": "per"}])
    with visit() as page:
        paper = room.open(page)
        page.locator(".row:not(.offered) .entity").first.click()
        _press(paper, page.locator(".label[data-label=geo] kbd").inner_text())
        expect(page.locator(".list .row").first).to_contain_text("geo")
        page.reload()
        paper = page.locator(".paper")
        expect(page.locator(".list .row").first).to_contain_text("geo")
        paper.focus()
        _press(paper, "Control+z")
        expect(page.locator(".list .row").first).to_contain_text("per")


def test_both_answers_are_shown_when_somebody_else_saved_first(visit: Visit, room: Room) -> None:
    room.holds(_PLAIN, "Another one.")
    with visit(may_fail=True) as page:
        paper = room.open(page)
        _refuse_offers(page, paper)
        _press(paper, "Escape", "ArrowRight", "Shift+ArrowRight", "1")
        room.correct("org")
        _press(paper, "Enter")
        page.get_by_role("button", name="Look at it").click()
        expect(page.locator(".notice")).to_contain_text("saved revision 1 after you opened revision 0")
        expect(page.locator(".list")).to_contain_text("org")
        expect(page.locator(".list")).to_contain_text("Maria Silva")
        picture(page, "correct-conflict")
        page.get_by_role("button", name="Use mine").click()
        page.locator(".paper").press("Enter")
        _saved(page)
    assert room.spans() == [("Maria Silva", "per")]
    assert room.document()["revision"] == 2


def test_answers_wait_here_while_the_server_is_away_and_are_stored_once(visit: Visit, room: Room) -> None:
    room.holds(*(f"{number}. {_PLAIN}" for number in range(4)))
    refused = []

    def refuse(route: Route) -> None:
        refused.append(route.request.url)
        route.abort()

    with visit(may_fail=True) as page:
        paper = room.open(page)
        page.route("**/annotations", refuse)
        for number in range(3):
            expect(paper.locator(".paragraph").first).to_contain_text(f"{number}. Maria")
            _press(paper, "Enter")
        expect(paper.locator(".paragraph").first).to_contain_text("3. Maria")
        expect(page.locator(".saving")).to_contain_text("3 answers not saved yet")
        picture(page, "correct-server-away")
        assert refused
        page.unroute("**/annotations")
        page.reload()
        _saved(page)
    wait_until(lambda: [one["revision"] for one in room.documents()].count(1) == 3, what="three revisions")
    assert max(one["revision"] for one in room.documents()) == 1


def test_a_reviewer_decides_between_two_answers(visit: Visit, room: Room) -> None:
    room.holds(_PLAIN)
    document = room.document()
    people = {"annotators_required": 2}
    room.client.put(f"/api/v1/datasets/{room.dataset}/people", json=people).raise_for_status()
    for name, end in (("ada", 5), ("bo", 11)):
        key = room.client.post("/api/v1/keys", json={"name": name, "role": "annotator"}).json()["key"]
        body = {
            "base_revision": 0,
            "operation_id": uuid.uuid4().hex,
            "spans": [{"start": 0, "end": end, "label": "per"}, {"start": 17, "end": 25, "label": "geo"}],
        }
        path = f"{room.url}/api/v1/documents/{document['id']}/annotations"
        httpx.post(path, json=body, headers={"X-API-Key": key}).raise_for_status()
    with visit() as page:
        page.goto(f"{room.url}/correct?document={document['id']}")
        page.get_by_text("Disagreements", exact=True).click()
        expect(page.locator(".why")).to_contain_text("ada and bo do not agree.")
        picture(page, "correct-decide")
        page.get_by_role("button", name=re.compile("^Take Maria Silva, per")).click()
        page.locator(".paper").press("Enter")
        _saved(page)
    assert room.spans() == [("Maria Silva", "per"), ("New York", "geo")]
    assert room.document()["is_gold"]
