"""What axe finds on each page, light and dark: nothing serious on what this project draws itself."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import Scheme, Visit
from tests.browser.test_pages import PAGES
from tests.running import RunningWorkbench

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def _serious(page: Page, part: str | None = None) -> list[str]:
    found: list[dict[str, Any]] = Axe().run(page, context=part).response["violations"]
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_editor_can_be_used_by_everybody(visit: Visit, workbench_server: RunningWorkbench, scheme: Scheme) -> None:
    with visit(scheme) as page:
        page.goto(f"{workbench_server.url}/correct")
        expect(page.locator(".paper .paragraph").first).to_be_visible()
        page.locator(".paper").press("n")
        assert _serious(page, ".editor") == []
        page.locator(".paper").press("?")
        assert _serious(page, ".help") == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_used_by_everybody(visit: Visit, workbench_server: RunningWorkbench, name: str) -> None:
    with visit() as page:
        page.goto(f"{workbench_server.url}/{name}")
        expect(page.get_by_role("heading", name=name.capitalize(), level=1)).to_be_visible()
        page.wait_for_load_state("networkidle")
        assert _serious(page) == []
