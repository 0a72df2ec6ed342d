"""What axe finds on a page: nothing that stops people may be in what this project draws itself."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

# Not ours to mend: Streamlit's menu groups its links in a way that lists may not be grouped.
_EXCEPT = {"exclude": [['[data-testid="stSidebarNav"]']]}
PANELS = {"include": [['[role="tabpanel"]']]}


def serious(page: Page, where: dict[str, Any] = _EXCEPT) -> list[str]:
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
