"""The three decisions about who answers, each with what it means, a reason, and one confirmation."""

from collections.abc import Callable

import streamlit as st

from workbench.api_client import ApiError, Body
from workbench.browser import api, explain


@st.dialog("Canary", icon=":material/science:")
def ask_canary(version: str, rollout: Body) -> None:
    """Confirm that `version` becomes the canary, with the share of traffic that meets it."""
    started = rollout["canary"] == version
    share = st.slider(
        "Share of traffic", 0.0, 100.0, float(rollout["percent"]) if started else 5.0, step=1.0, format="%g %%"
    )
    st.markdown(
        f"**{version}** will answer **{share:g} %** of the traffic, beside **{rollout['stable']}**. "
        "The same caller or document keeps meeting the same version."
    )
    if rollout["canary"] and not started:
        st.markdown(f"It takes the place of **{rollout['canary']}**.")
    label = "Set the share" if started else f"Make {version} the canary"
    _confirm(
        label,
        f"{version} answers {share:g} % of the traffic.",
        lambda why: api().set_canary(version, share, reason=why),
    )


@st.dialog("Promote a version", icon=":material/verified:")
def ask_promotion(version: str, rollout: Body) -> None:
    """Confirm that `version` becomes the stable one."""
    st.markdown(f"**{version}** will answer all traffic from now on.")
    if rollout["stable"]:
        st.markdown(f"**{rollout['stable']}** is kept as the previous version: one click returns to it.")
    if rollout["canary"] not in {None, version}:
        st.markdown(f"The trial of **{rollout['canary']}** ends.")
    _confirm(f"Promote {version}", f"{version} is stable now.", lambda why: api().promote(version, reason=why))


@st.dialog("Roll back", icon=":material/undo:")
def ask_rollback(rollout: Body) -> None:
    """Confirm the way back: the canary leaves or, where there is none, the previous version returns."""
    if rollout["canary"]:
        st.markdown(f"**{rollout['canary']}** leaves the traffic; **{rollout['stable']}** answers all of it.")
        done = f"{rollout['canary']} is out; {rollout['stable']} answers everything."
    else:
        st.markdown(f"**{rollout['previous']}** answers all traffic again, in place of **{rollout['stable']}**.")
        done = f"{rollout['previous']} is stable again."
    _confirm("Roll back", done, lambda why: api().roll_back(reason=why))


def _confirm(label: str, done: str, change: Callable[[str], Body]) -> None:
    """A reason and the one button; a refusal stays in the dialog, a success closes it."""
    why = st.text_input("Reason", placeholder="For the history; optional", key="rollout_reason")
    if not st.button(label, type="primary", width="stretch", key="rollout_confirm"):
        return
    try:
        change(why)
    except ApiError as error:
        explain(error)
        return
    st.session_state["rollout_done"] = done
    st.rerun()


def say_what_was_done() -> None:
    """Show the last decision once, on the page that follows it."""
    done = st.session_state.pop("rollout_done", None)
    if done:
        st.toast(done, icon=":material/check_circle:")
