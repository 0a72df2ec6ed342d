"""The browser's library of charts, started as soon as somebody moves towards the menu.

It is large: reading it takes a browser about a second, which whoever opens a page with charts first would wait for
after the click. It is not started with the page: that second would be missing while somebody types.
"""

from functools import lru_cache
from pathlib import Path

import streamlit as st

_STATIC = Path(st.__file__).parent / "static"
_CHARTS = "static/js/PlotlyChart.*.js"
_SCRIPT = """<script>
if (!window.nerAhead) {
  window.nerAhead = true;
  const towards = (event) => {
    if (!event.target.closest?.("[data-testid=stSidebarNav]")) return;
    for (const kind of ["pointerover", "focusin"]) document.removeEventListener(kind, towards);
    import(new URL("%s", document.baseURI)).catch(() => {});
  };
  for (const kind of ["pointerover", "focusin"]) document.addEventListener(kind, towards);
}
</script>"""


def load_charts_ahead() -> None:
    """Have the browser start what draws charts when the menu is pointed at or focused, once."""
    address = address_of_charts()
    if address:
        st.html(_SCRIPT % address, unsafe_allow_javascript=True)


@lru_cache(maxsize=1)
def address_of_charts() -> str:
    """Where Streamlit serves what draws charts, from the root of the site; "" where it has no such file (any more)."""
    found = sorted(_STATIC.glob(_CHARTS))
    return f"/{found[0].relative_to(_STATIC).as_posix()}" if len(found) == 1 else ""
