"""The margin, keys of one's own, and one suggestion at a time, in a real browser."""

import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.axe import serious
from tests.browser.conftest import Visit, choose, picture
from tests.browser.test_correcting import Room
from tests.running import RunningWorkbench, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.slow]
_TEXT = "Maria Silva left New York for the old market of Oslo."


@pytest.fixture
def room(workbench_server: RunningWorkbench) -> Iterator[Room]:
    with workbench_server.client() as client:
        room = Room(client, workbench_server.url)
        room.holds(_TEXT, "Ada came to Oslo.", "Nobody left Oslo.")
        source = {"kind": "gazetteer", "content": {"entries": [{"text": "Oslo", "label": "geo"}]}}
        client.put(f"/api/v1/datasets/{room.dataset}/sources/towns", json=source).raise_for_status()
        meaning = {"words": "Places with a name.", "examples": [], "base_version": 0}
        client.put(f"/api/v1/datasets/{room.dataset}/guidelines/geo", json=meaning).raise_for_status()
        yield room


def test_the_margin_says_where_a_suggestion_is_from_and_takes_a_comment(visit: Visit, room: Room) -> None:
    with visit() as page:
        paper = room.open(page)
        page.get_by_role("button", name="Oslo, geo, offered").first.click()
        expect(page.locator(".margin .origin")).to_contain_text("Offered by towns version 1")
        expect(page.locator(".guideline")).to_contain_text("Places with a name.")
        paper.press("i")
        page.keyboard.type("Which Oslo?")
        page.keyboard.press("Enter")
        expect(page.locator(".said")).to_contain_text("Which Oslo?")
        picture(page, "correct-margin")
        paper.press("Enter")
        expect(page.locator(".saving")).to_contain_text("Saved")
    told = room.client.get(f"/api/v1/datasets/{room.dataset}/comments").json()["comments"]
    assert [(one["words"], one["surface"]) for one in told] == [("Which Oslo?", "Oslo")]
    fared = room.client.get(f"/api/v1/datasets/{room.dataset}/sources").json()["outcomes"]
    assert [one["accepted"] for one in fared if one["source"] == "towns"] == [1]
    work = room.client.get(f"/api/v1/datasets/{room.dataset}/habits").json()["people"]
    assert [(one["answers"], one["keys_per_answer"] > 0) for one in work] == [(1, True)]


def test_a_key_is_bound_anew_and_stays_so_after_a_reload(visit: Visit, room: Room) -> None:
    with visit() as page:
        paper = room.open(page)
        paper.press("?")
        page.get_by_role("button", name="Another key: Go on without an answer").click()
        page.keyboard.press("b")
        expect(page.get_by_role("dialog")).to_contain_text("B is taken")
        page.keyboard.press("g")
        expect(page.get_by_role("dialog")).to_contain_text("Your keys are kept.")
        picture(page, "correct-own-keys")
        page.reload()
        expect(page.locator(".actions [data-action=skip] kbd")).to_have_text("G")
        expect(page.locator(".paper .paragraph").first).to_contain_text("Maria")
        page.locator(".paper").focus()
        page.locator(".paper").press("s")
        expect(page.locator(".paper .paragraph").first).to_contain_text("Maria")
        page.locator(".paper").press("g")
        expect(page.locator(".paper .paragraph").first).not_to_contain_text("Maria")
        page.locator(".paper").press("?")
        page.get_by_role("button", name="As they came").click()
        expect(page.get_by_role("dialog")).to_contain_text("as they came")


@pytest.mark.parametrize("name", ["sources", "search", "guidelines"])
def test_a_dataset_without_labels_stops_nobody(visit: Visit, workbench_server: RunningWorkbench, name: str) -> None:
    dataset = f"bare-{uuid.uuid4().hex[:8]}"
    with workbench_server.client() as client, visit() as page:
        client.post(f"/api/v1/datasets/{dataset}/import", params={"format": "text"}, content=b"Ada came to Oslo.")
        page.goto(f"{workbench_server.url}/{name}")
        choose(page, page.locator('[data-testid="stSelectbox"] input').first, dataset)
        expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
        page.wait_for_load_state("networkidle")
        picture(page, f"without-labels-{name}")
        assert serious(page) == []
        if name == "sources":
            page.get_by_role("textbox", name="Name", exact=True).fill("towns")
            label = page.get_by_role("combobox", name="Label")
            label.fill("geo")
            label.press("Enter")
            page.get_by_role("textbox", name="Names").fill("Oslo")
            page.get_by_role("button", name="Save it").click()
            expect(page.get_by_text("towns · A list of names")).to_be_visible()
            sources = client.get(f"/api/v1/datasets/{dataset}/sources").json()["sources"]
            assert sources[0]["content"]["entries"] == [{"text": "Oslo", "label": "geo"}]


def test_single_suggestions_are_judged_by_keys_and_nothing_becomes_gold(visit: Visit, room: Room) -> None:
    with visit() as page:
        page.goto(f"{room.url}/judge")
        # The dataset that was shown first may have suggestions too.
        with page.expect_response(lambda answer: f"/{room.dataset}/judgements/next" in answer.url):
            choose(page, page.locator('[data-testid="stSelectbox"] input').first, room.dataset)
        expect(page.locator(".judge mark")).to_be_visible()
        waiting = page.locator(".judge .card")
        waiting.focus()
        waiting.press("y")
        waiting.press("n")
        waiting.press("u")
        waiting.press("y")
        expect(page.locator(".judge .state")).to_have_text("3 decisions in this visit, all saved")
        picture(page, "judge")
    wait_until(lambda: len(_judged(room)) == 2, what="two judged spans")
    assert [one["rejected"] for one in _partial(room) if one["rejected"]] == []
    assert all(not one["is_gold"] for one in room.documents())


def _partial(room: Room) -> list[dict[str, list[dict[str, object]]]]:
    return list(room.client.get(f"/api/v1/datasets/{room.dataset}/judgements").json()["documents"])


def _judged(room: Room) -> list[dict[str, object]]:
    return [span for one in _partial(room) for span in (*one["accepted"], *one["rejected"])]


def test_an_old_answer_is_made_the_newest_again_on_the_screen(visit: Visit, room: Room) -> None:
    room.correct("geo")
    document = room.document()
    body = {"base_revision": 1, "operation_id": uuid.uuid4().hex, "spans": []}
    room.client.post(f"/api/v1/documents/{document['id']}/annotations", json=body).raise_for_status()
    with visit() as page:
        page.goto(f"{room.url}/history?document={document['id']}")
        page.get_by_role("button", name="Make it the newest again").click()
        expect(
            page.get_by_text("this machine, just now").or_(page.get_by_text("browser, just now")).first
        ).to_be_visible()
        expect(page.get_by_role("button", name="Make it the newest again")).to_have_count(2)
        picture(page, "history")
    assert room.spans() == [("Maria", "geo")]
