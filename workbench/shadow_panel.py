"""Shadow traffic on a page: its switch, what the canary would have said, and the verdict on its F1."""

import html

import streamlit as st

from dashboards.figures import shadow_agreement
from workbench.api_client import Body
from workbench.browser import Visitor, api
from workbench.charts import draw, theme
from workbench.layout import empty_state
from workbench.look import percent, plural

_VERDICTS = {"pass": "green", "fail": "red", "not enough evidence": "gray"}
_BASES = {
    "labels": "from labels",
    "test part": "from the test part",
    "estimate": "an estimate without labels",
    "nothing": "nothing to go by yet",
}


def draw_shadow(person: Visitor | None) -> Body | None:
    """The state of shadow mode, and the verdict; what the API says of it, or None where no canary is on trial."""
    said = api().shadow()
    if said["canary"] is None:
        empty_state("No canary is on trial", "Put a version on trial on the Versions page; then it can be shadowed.")
        return None
    _draw_switch(said, person)
    verdict = api().quality_verdict()
    left, right = st.columns([1.15, 1], gap="large")
    with left:
        draw(shadow_agreement(said["hours"], said["canary"], theme()), key="shadow_hours")
    with right:
        _draw_verdict(verdict)
        if not said["captures"]:
            st.info(
                "Texts are not kept, so nobody can label what the versions disagree on: capture is a switch on the "
                "Access page.",
                icon=":material/visibility_off:",
            )
    return said


def _draw_switch(said: Body, person: Visitor | None) -> None:
    answered = said["agree"] + said["disagree"]
    words = (
        f"**{said['canary']}** answers **{said['percent']:g} %** of the traffic of {said['stable']} in the shadow: "
        f"{plural(answered, 'request')} so far"
    )
    words += f", {percent(said['disagree'] / answered)} differently" if answered else ""
    words += f", {said['failed']:,} failed." if said["failed"] else "."
    text, switch = st.columns([4, 1], vertical_alignment="center")
    text.markdown(words)
    if person is not None and person.reaches("engineer"):
        with switch.popover("Change the share", width="stretch"), st.form("shadow_share", border=False):
            share = st.number_input("Percent of stable traffic", 0.0, 100.0, float(said["percent"]), step=5.0)
            reason = st.text_input("Reason", placeholder="kept in the audit trail")
            if st.form_submit_button("Apply", type="primary", width="stretch"):
                api().set_shadow(share, reason=reason)
                st.rerun()


def _draw_verdict(verdict: Body) -> None:
    st.html(
        '<div class="ner-figure"><b>Is its F1 no worse?</b>'
        f"<span>Margin {100 * verdict['margin']:g} points, on the same documents</span></div>"
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(verdict["verdict"], color=_VERDICTS[verdict["verdict"]])
        st.caption(_BASES[verdict["basis"]])
    found = verdict["difference"]
    if found:
        points = {name: 100 * found[name] for name in ("difference", "low", "high")}
        st.html(
            f'<p class="ner-points"><b>{points["difference"]:+.1f}</b> points of F1 '
            f"<span>90 % interval {points['low']:+.1f} to {points['high']:+.1f}</span></p>".replace("-", "−").replace(
                "ner−points", "ner-points"
            )
        )
    st.html(f'<p class="ner-reason">{html.escape(verdict["reason"])}</p>')
    strata = verdict["population"]
    if any(strata.values()):
        labelled = verdict["labelled"]
        parts = [
            f"{labelled.get(name, 0):,} of {strata.get(name, 0):,} on which they {name}"
            for name in ("disagree", "agree")
        ]
        more = f" About {verdict['labels_to_go']:,} more would settle it." if verdict["labels_to_go"] else ""
        st.caption(f"Labelled: {', '.join(parts)}; each counts for as many as it stands for.{more}")
