"""Traffic: what was asked, how fast it was answered, and how the canary does beside the stable version."""

from functools import partial

import pandas as pd
import streamlit as st

from dashboards import figures
from workbench.api_client import Body
from workbench.browser import api
from workbench.charts import draw, draw_tabs, theme
from workbench.downloads import draw_downloads
from workbench.layout import empty_state, heading
from workbench.look import ago, percent
from workbench.trial_panel import draw_verdict

PERIODS = {"Hour": 1.0, "Day": 24.0, "Week": 168.0, "30 days": 720.0}

_TABLES = {
    "requests": "Requests over time",
    "arms": "Who answered",
    "arms-over-time": "Who answered over time",
    "criteria": "The canary's criteria",
    "processes": "Processes",
    "loads": "Loading of models",
}


def page() -> None:
    """Totals, the canary's trial, and the course of requests and latencies."""
    heading("Traffic", "Requests, latencies and errors as the API logged them, and who answered.")
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        period = st.segmented_control("Of the last", list(PERIODS), default="Day", required=True, key="traffic_period")
        draw_downloads(_TABLES, hours=PERIODS[period])
    body = api().traffic(hours=PERIODS[period])
    total = body["total"]
    if not total["requests"]:
        empty_state(
            "No requests in this time",
            "Call POST /api/v1/ner/predict; the Try page shows the call for curl and Python.",
        )
        return
    _draw_totals(total)
    for arm in body["arms"]:
        if arm["stood_in_for"]:
            st.warning(_stood_in(arm), icon=":material/swap_horiz:")
    if body["trial"]:
        st.subheader("The canary's trial", anchor=False)
        draw_verdict(body["trial"])
    requests, latency = st.columns(2)
    with requests, st.container(border=True, height="stretch"):
        draw(figures.traffic_requests(body, theme()), key="traffic_requests")
    with latency, st.container(border=True, height="stretch"):
        draw(figures.traffic_latency(body, theme()), key="traffic_latency")
    parts = {"Who answered": _draw_arms, "Canary beside stable": _draw_trial, "Processes": _draw_processes}
    draw_tabs({name: partial(part, body) for name, part in parts.items()}, key="traffic_parts")


def _draw_arms(body: Body) -> None:
    draw(figures.version_share(body, theme()), key="traffic_share")
    st.dataframe(pd.DataFrame([_arm(arm) for arm in body["arms"]]), hide_index=True)


def _draw_trial(body: Body) -> None:
    if body["trial"] is None:
        empty_state("No version is on trial", "Make one the canary on the Versions page.")
        return
    for column, quantile in zip(st.columns(2), ("p95", "p99"), strict=True):
        with column:
            draw(figures.canary_latency(body, theme(), quantile=quantile), key=f"traffic_canary_{quantile}")


def _draw_processes(body: Body) -> None:
    draw(figures.process_resources(body, theme()), key="traffic_processes")
    rows = [_process(one) for one in body["processes"]]
    if rows:
        st.dataframe(pd.DataFrame(rows), hide_index=True)


def _draw_totals(total: Body) -> None:
    facts = (
        ("Requests", f"{total['requests']:,}"),
        ("Median latency", _milliseconds(total["p50"])),
        ("95 % within", _milliseconds(total["p95"])),
        ("99 % within", _milliseconds(total["p99"])),
        ("Server errors", percent(total["error_rate"], digits=2)),
        ("From the cache", percent(total["cache_hit_rate"])),
    )
    for column, (name, value) in zip(st.columns(len(facts)), facts, strict=True):
        column.metric(name, value, border=True)


def _milliseconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} ms" if value < 100 else f"{value:,.0f} ms"


def _stood_in(arm: Body) -> str:
    times = "once" if arm["requests"] == 1 else f"{arm['requests']:,} times"
    absent = arm["stood_in_for"]
    return (
        f"The {arm['variant']} version {arm['version']} answered **{times} in place of the {absent}**, which failed, "
        f"took too long or was not loaded. Callers got an answer. Failures count against the {absent}; the time lost "
        f"on it does not count against {arm['version']}."
    )


def _process(process: Body) -> Body:
    held = process["memory_bytes"]
    loads = ", ".join(f"{version} in {_seconds(value)}" for version, value in sorted(process["load_seconds"].items()))
    return {
        "Process": figures.process_name(process),
        "Seen": ago(process["seen_at"]),
        "Cores busy": f"{process['cpu_cores']:.2f}",
        "Memory": "–" if held is None else f"{held / 1e6:,.0f} MB ({percent(process['memory_share'])})",
        "Disk in use": percent(process["disk_share"], digits=0),
        "Models loaded": loads or "–",
    }


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def _arm(arm: Body) -> Body:
    return {
        "Version": arm["version"] or "–",
        "As": figures.arm_role(arm),
        "Requests": arm["requests"],
        "Share": percent(arm.get("share")),
        "Median": _milliseconds(arm["p50"]),
        "95 % within": _milliseconds(arm["p95"]),
        "99 % within": _milliseconds(arm["p99"]),
        "Refused (4xx)": arm["errors_4xx"],
        "Failed (5xx)": arm["errors_5xx"],
        "Covered by another": arm["covered"],
    }
