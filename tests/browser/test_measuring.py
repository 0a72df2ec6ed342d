"""The pages of measurement are worked with: what a click shows, and what every control changes."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Scheme, Visit, picture
from tests.running import RunningWorkbench
from workbench.ahead import address_of_charts
from workbench.pages.quality import _cell_name, _mistakes

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def _tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light"])
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


_PARTS = {
    "By label": "Strict F1 by label",
    "By tag": "F1 of single tokens by tag",
    "Confusions": "Each row: what became of the entities of one true label",
    "Confidence": "each point is a tenth of the entities",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_part_of_quality_is_drawn_when_it_is_opened(
    visit: Visit, workbench_server: RunningWorkbench, scheme: Scheme
) -> None:
    with visit(scheme) as page:
        page.goto(f"{workbench_server.url}/quality")
        for name, said in _PARTS.items():
            _tab(page, name)
            expect(page.get_by_text(said)).to_be_visible()
            picture(page, f"quality-{name.replace(' ', '-').lower()}-{scheme}")
        _tab(page, "Over time")
        for by in ("week", "day"):
            page.get_by_role("radio", name=by, exact=True).click()
            expect(page.get_by_role("radio", name=by, exact=True)).to_be_checked()
        for figure in ("Precision", "Recall", "F1"):
            page.get_by_role("radio", name=figure, exact=True).click()
            expect(page.get_by_role("radio", name=figure, exact=True)).to_be_checked()
        expect(page.locator(".js-plotly-plot").last).to_be_visible()
        assert page.get_by_text("could not be drawn").count() == 0


_CHART_FILES = """() => performance.getEntriesByType("resource")
  .map((one) => new URL(one.name).pathname).filter((path) => path.includes("PlotlyChart"))"""


def test_what_draws_charts_is_loaded_once_as_soon_as_the_menu_is_pointed_at(visit: Visit) -> None:
    with visit() as page:
        page.wait_for_load_state("networkidle")
        assert page.evaluate(_CHART_FILES) == []
        page.get_by_test_id("stSidebarNavLink").filter(has_text="Quality").hover()
        page.wait_for_function(f"({_CHART_FILES})().length === 1")
        page.get_by_test_id("stSidebarNavLink").filter(has_text="Quality").click()
        expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible()
        assert page.evaluate(_CHART_FILES) == [address_of_charts()]


def test_what_opens_the_documents_of_a_measure_stands_in_one_line(
    visit: Visit, workbench_server: RunningWorkbench
) -> None:
    with workbench_server.client() as client:
        texts = [f"Maria Silva flew from Oslo to Lisbon on flight number {number}." for number in range(60)]
        client.post("/api/v1/ner/batch", json={"texts": texts}).raise_for_status()
    with visit() as page:
        page.goto(f"{workbench_server.url}/drift")
        buttons = page.get_by_role("button", name="Documents")
        expect(buttons).to_have_count(6)
        boxes = [button.bounding_box() for button in buttons.all()]
        tops = [round(box["y"]) for box in boxes if box]
        assert (len(set(tops[:3])), len(set(tops[3:]))) == (1, 1), tops
