"""Every page in a real browser, light and dark: it is drawn, nothing complains, axe finds nothing that
stops people on what this project draws itself, and its picture is kept."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import PANELS, serious
from tests.browser.conftest import Scheme, Visit, picture
from tests.running import RunningWorkbench

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PAGES = (
    *("try", "compare", "correct", "judge", "search", "sources", "guidelines", "agreement", "history", "snapshots"),
    *("train", "versions", "quality", "drift", "traffic", "alerts", "access"),
)
_TABBED = ("search", "guidelines", "snapshots", "versions", "alerts", "access")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_drawn_at_its_own_address_and_can_be_used_by_everybody(
    visit: Visit, workbench_server: RunningWorkbench, name: str, scheme: Scheme
) -> None:
    with visit(scheme) as page:
        page.goto(f"{workbench_server.url}/{name}")
        expect(page.get_by_role("heading", name=name.capitalize(), level=1)).to_be_visible()
        expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
        expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
        page.wait_for_load_state("networkidle")
        picture(page, f"page-{name}-{scheme}")
        assert page.get_by_role("alert").filter(has_text="could not be drawn").count() == 0
        assert page.get_by_text("Page not found").count() == 0
        _check_that_everybody_can_use_it(page, name, scheme)


def _check_that_everybody_can_use_it(page: Page, name: str, scheme: Scheme) -> None:
    if name == "correct":
        expect(page.locator(".paper .paragraph").first).to_be_visible()
        page.locator(".paper").press("n")
    assert serious(page) == []
    # What a page does not open with, in the scheme whose colours are the harder ones.
    opens_more = scheme == "dark" and name in _TABBED
    for tab in page.get_by_role("tab").locator("visible=true").all()[1:] if opens_more else []:
        tab.click()
        expect(tab).to_have_attribute("aria-selected", "true")
        expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
        assert serious(page, PANELS) == [], tab.inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_was_just_chosen_can_be_read_by_everybody(
    visit: Visit, workbench_server: RunningWorkbench, scheme: Scheme
) -> None:
    with visit(scheme) as page:
        page.goto(f"{workbench_server.url}/correct")
        chosen = page.get_by_role("radio", name="Least sure")
        chosen.click()
        expect(chosen).to_be_checked()
        expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
        assert serious(page) == []


def test_the_page_of_keys_can_be_used_by_everybody(visit: Visit, workbench_server: RunningWorkbench) -> None:
    with visit() as page:
        page.goto(f"{workbench_server.url}/correct")
        expect(page.locator(".paper .paragraph").first).to_be_visible()
        page.locator(".paper").press("?")
        expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
        assert serious(page) == []


def test_a_page_fits_a_small_window(visit: Visit, workbench_server: RunningWorkbench) -> None:
    with visit(width=640) as page:
        page.goto(f"{workbench_server.url}/correct")
        expect(page.get_by_role("heading", name="Correct", level=1)).to_be_visible()
        expect(page.locator(".paper .paragraph").first).to_be_visible()
        picture(page, "page-correct-narrow")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_demo_answers_behind_its_link_and_nobody_without(visit: Visit, workbench_server: RunningWorkbench) -> None:
    with workbench_server.client() as client:
        link = client.post("/api/v1/demos", json={"hours": 1}).raise_for_status().json()["url"]
    with visit(may_fail=True) as page:
        page.goto(link)
        page.get_by_role("textbox").first.fill("John lives in New York")
        page.get_by_role("button").filter(has_text="Find").click()
        expect(page.get_by_text("New York").last).to_be_visible()
        picture(page, "demo")
        page.goto(f"{workbench_server.url}/demo/")
        expect(page.get_by_text("link").first).to_be_visible()
        picture(page, "demo-without-a-link")
