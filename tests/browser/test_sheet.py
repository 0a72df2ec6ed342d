"""The editor's answer in the making, as a module in a real browser, against its definition."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

pytestmark = pytest.mark.browser
SHEET = Path(__file__).parents[2] / "workbench" / "editor" / "frontend" / "sheet.js"
_COMPARE = """
async ([source, nesting, longest]) => {
  const module = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  const { Sheet, conflicting, byPlace, placeOf } = module;
  let seed = 7;
  const chance = (below) => ((seed = (seed * 48271) % 2147483647) >> 4) % below;
  const told = (items) => JSON.stringify(items.map((item) => [placeOf(item), item.isOffered]));
  let takes = 0;
  for (let round = 0; round < 400; round += 1) {
    const items = Array.from({ length: chance(14) }, () => {
      const start = chance(260);
      const [end, label] = [start + 1 + chance(longest), "ab"[chance(2)]];
      return { start, end, label, isOffered: chance(3) > 0, origin: "model" };
    }).filter((item, index, all) => all.findIndex((one) => placeOf(one) === placeOf(item)) === index).sort(byPlace);
    const standing = items.filter((item) => !item.isOffered);
    let wanted = [...standing];
    for (const offer of items.filter((item) => item.isOffered)) {
      const taken = { ...offer, isOffered: false };
      if (!conflicting(wanted, taken, nesting).length) wanted = [...wanted, taken];
    }
    const left = items.filter((item) => item.isOffered && !wanted.some((one) => placeOf(one) === placeOf(item)));
    const count = wanted.length - standing.length;
    if (count) wanted = [...wanted, ...left].sort(byPlace);
    else wanted = items;
    const sheet = new Sheet(nesting, items);
    if (sheet.takeAll() !== count || told(sheet.items) !== told(wanted)) return told(items);
    if (count && (!sheet.undo() || told(sheet.items) !== told(items))) return `not undone: ${told(items)}`;
    takes += count;
  }
  return takes;
}
"""


@pytest.mark.parametrize("longest", [8, 200])
@pytest.mark.parametrize("nesting", ["flat", "nested", "any"])
def test_every_offer_that_displaces_nothing_is_taken(chromium: Browser, nesting: str, longest: int) -> None:
    page = chromium.new_page()
    taken = page.evaluate(_COMPARE, [SHEET.read_text("utf-8"), nesting, longest])
    page.close()
    assert isinstance(taken, int), f"It is not what the definition gives for {taken}"
    assert taken > 100
