"""The numbers of a page to take along: its tables as CSV, and the whole report as one HTML file."""

from collections.abc import Mapping

import streamlit as st

from workbench.browser import api
from workbench.report import make_report

_SECONDS = 300


def draw_downloads(tables: Mapping[str, str], *, version: str | None = None, hours: float | None = None) -> None:
    """A menu with the report and the named tables: what each is called in the API, and on the page."""
    with st.popover("Download", icon=":material/download:"):
        st.download_button(
            "Report, one HTML file",
            data=lambda: make_report(api(timeout_seconds=_SECONDS), version=version, hours=hours or 24).encode(),
            file_name="report.html",
            mime="text/html",
            key="download_report",
            icon=":material/description:",
            on_click="ignore",
        )
        for table, name in tables.items():
            st.download_button(
                f"{name} as CSV",
                data=lambda table=table: api(timeout_seconds=_SECONDS).table(table, version=version, hours=hours),
                file_name=f"{table}.csv",
                mime="text/csv",
                key=f"download_{table}",
                icon=":material/table:",
                on_click="ignore",
            )
