"""What stands on top of every page while something is wrong and nobody has said that they look after it."""

from typing import Any

import streamlit as st

from workbench.api_client import ApiError
from workbench.browser import api

SIGNS = {
    "critical": (":material/error:", "red"),
    "warning": (":material/warning:", "orange"),
    "info": (":material/info:", "blue"),
}
"""Icon and colour of each severity, the gravest first."""
_LONGEST = 160


def draw_alert_strip(alerts_page: Any) -> None:
    """The gravest alert in a sentence, how many more there are, and the way to their page."""
    try:
        found = [alert for alert in api(timeout_seconds=5).alerts() if not alert["acknowledged_by"]]
    except ApiError:
        # Whatever keeps the API from answering is said by the page itself.
        return
    pressing = [alert for severity in list(SIGNS)[:2] for alert in found if alert["severity"] == severity]
    if not pressing:
        return
    gravest = pressing[0]
    icon, colour = SIGNS[gravest["severity"]]
    sentence = gravest["sentence"]
    if len(sentence) > _LONGEST:
        sentence = sentence[:_LONGEST].rsplit(" ", 1)[0] + " …"
    more = f" And {len(pressing) - 1} more." if len(pressing) > 1 else ""
    with st.container(
        key=f"alert_strip_{colour}", horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
    ):
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="alert_words"):
            st.markdown(f":{colour}[{icon}]", width="content")
            st.text(f"{sentence}{more}", width="stretch")
        st.page_link(alerts_page, label="See alerts", width="content")
