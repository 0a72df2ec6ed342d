"""The pages of measurement are worked with: what a click shows, and what every control changes."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Scheme, Visit, picture
from tests.running import RunningWorkbench
from workbench.pages.quality import _cell_name, _mistakes

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def _tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_click_on_a_cell_of_mistakes_opens_what_is_behind_it(
    visit: Visit, workbench_server: RunningWorkbench, scheme: Scheme
) -> None:
    with workbench_server.client() as client:
        body = client.get("/api/v1/quality").raise_for_status().json()
    stable = next(version for version in body["versions"] if version["version"] == body["stable"])
    cells = _mistakes(stable["confusion"])
    # Points are drawn row by row; the cell with the fewest mistakes is not the one that is open at first.
    chosen = cells[-1]
    place = sorted(cell.place for cell in cells).index(chosen.place)
    with visit(scheme, width=1920) as page:
        page.goto(f"{workbench_server.url}/quality")
        _tab(page, "Confusions")
        behind = page.get_by_test_id("stSelectbox").filter(has_text="Behind a cell")
        expect(behind).to_be_visible()
        point = page.locator(".js-plotly-plot:has(.hm) .scatterlayer .point").nth(place)
        point.scroll_into_view_if_needed()
        box = point.bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        expect(behind.get_by_role("combobox")).to_have_value(_cell_name(chosen))
        picture(page, f"quality-cell-{scheme}")
