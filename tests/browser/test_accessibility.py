"""What axe finds on each page, light and dark: nothing serious on what this project draws itself."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import Scheme, Visit
from tests.browser.test_pages import PAGES
from tests.running import RunningWorkbench

pytestmark = [pytest.mark.browser, pytest.mark.slow]


# Not ours to mend: Streamlit's menu groups its links in a way that lists may not be grouped.
_EXCEPT = {"exclude": [['[data-testid="stSidebarNav"]']]}


_TABBED = ("search", "guidelines", "snapshots", "alerts", "access")
_PANELS = {"include": [['[role="tabpanel"]']]}


def _serious(page: Page, where: dict[str, Any] = _EXCEPT) -> list[str]:
    """What stops people, and goes on doing so: what fades in is too pale for a moment."""
    for _ in range(8):
        found = _seen_now(page, where)
        if not found:
            break
        page.wait_for_timeout(500)
    return found


def _seen_now(page: Page, where: dict[str, Any]) -> list[str]:
    """What stops people, on everything that this project draws."""
    found: list[dict[str, Any]] = Axe().run(page, context=where).response["violations"]
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_used_by_everybody(
    visit: Visit, workbench_server: RunningWorkbench, name: str, scheme: Scheme
) -> None:
    with visit(scheme) as page:
        page.goto(f"{workbench_server.url}/{name}")
        expect(page.get_by_role("heading", name=name.capitalize(), level=1)).to_be_visible()
        expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
        if name == "correct":
            expect(page.locator(".paper .paragraph").first).to_be_visible()
            page.locator(".paper").press("n")
        assert _serious(page) == []
        # What a page does not open with, in the scheme whose colours are the harder ones.
        opens_more = scheme == "dark" and name in _TABBED
        for tab in page.get_by_role("tab").locator("visible=true").all()[1:] if opens_more else []:
            tab.click()
            expect(tab).to_have_attribute("aria-selected", "true")
            expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
            assert _serious(page, _PANELS) == [], tab.inner_text()


def test_the_page_of_keys_can_be_used_by_everybody(visit: Visit, workbench_server: RunningWorkbench) -> None:
    with visit() as page:
        page.goto(f"{workbench_server.url}/correct")
        expect(page.locator(".paper .paragraph").first).to_be_visible()
        page.locator(".paper").press("?")
        expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
        assert _serious(page) == []
