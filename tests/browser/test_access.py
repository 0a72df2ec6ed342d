"""One person's data, told and erased on the Access page, in a real browser."""

import json

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Scheme, Visit, picture
from tests.running import RunningWorkbench

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def _a_person(client: httpx.Client, name: str) -> None:
    """An annotator who signed in, wrote a comment and keeps keys of their own."""
    client.post("/api/v1/users", json={"name": name, "role": "annotator"}).raise_for_status()
    made = client.post("/api/v1/keys", json={"name": name, "role": "annotator"}).raise_for_status().json()
    content = json.dumps({"text": f"A text for {name} to write about."})
    client.post("/api/v1/datasets/people/import", content=content).raise_for_status()
    document = client.get("/api/v1/datasets/people/documents").json()["documents"][-1]
    own = {"X-API-Key": made["key"]}
    path = f"/api/v1/documents/{document['id']}/comments"
    httpx.post(f"{client.base_url}{path}", json={"words": "Who is this?"}, headers=own).raise_for_status()


def _choose_person(page: Page, place: int) -> None:
    """The table is drawn on a canvas: its row is chosen by where it is."""
    table = page.get_by_role("tabpanel").get_by_test_id("stDataFrame").locator("visible=true").bounding_box()
    assert table is not None
    page.mouse.click(table["x"] + 20, table["y"] + 35 * (place + 1) + 17)


@pytest.mark.parametrize("scheme", ["dark"])
def test_a_person_is_told_and_erased_in_two_steps(
    visit: Visit, workbench_server: RunningWorkbench, scheme: Scheme
) -> None:
    name = f"zoe {scheme}"
    with workbench_server.client() as client:
        _a_person(client, name)
        with visit(scheme) as page:
            page.goto(f"{workbench_server.url}/access")
            page.get_by_role("tab", name="People").click()
            expect(page.get_by_role("button", name="Erase the person")).to_be_disabled()
            people = [one["name"] for one in client.get("/api/v1/users").json()["users"]]
            _choose_person(page, people.index(name))
            page.get_by_role("button", name="What is kept of them").click()
            dialog = page.get_by_role("dialog")
            expect(dialog.get_by_text(f"These rows name {name}")).to_be_visible()
            picture(page, f"person-data-{scheme}")
            with page.expect_download() as taken:
                dialog.get_by_role("button", name="All rows as JSON").click()
            kept = json.loads(taken.value.path().read_text("utf-8"))
            assert [row["words"] for row in kept["comments"]] == ["Who is this?"]
            page.keyboard.press("Escape")
            expect(dialog).to_have_count(0)

            page.get_by_role("button", name="Erase the person").click()
            expect(dialog.get_by_text("Stays, under a pseudonym")).to_be_visible()
            picture(page, f"person-erasure-{scheme}")
            expect(dialog.get_by_role("button", name="Erase for good")).to_have_count(0)
            dialog.get_by_role("button", name="Go on").click()
            now = dialog.get_by_role("button", name="Erase for good")
            expect(now).to_be_disabled()
            dialog.get_by_label("Why the person has to go").fill("They asked for it")
            dialog.get_by_label("to confirm").fill(name)
            dialog.get_by_label("to confirm").press("Tab")
            expect(now).to_be_enabled()
            picture(page, f"person-erasure-last-step-{scheme}")
            assert name in {one["name"] for one in client.get("/api/v1/users").json()["users"]}
            now.click()
            expect(page.get_by_text("from now on").first).to_be_visible()
            picture(page, f"person-erased-{scheme}")
        assert name not in {one["name"] for one in client.get("/api/v1/users").json()["users"]}
        assert client.get(f"/api/v1/users/{name}/erasure").status_code == 404
