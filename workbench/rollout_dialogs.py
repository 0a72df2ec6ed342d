"""The decisions about who answers, each with what it means, a reason, and one confirmation."""

from collections.abc import Callable

import streamlit as st

from workbench.api_client import ApiError, Body
from workbench.browser import api, explain
from workbench.trial_words import BREACHES, bake, limit, title

_WAYS = {"policy": "Automatic, by the policy", "hand": "By hand"}


@st.dialog("Canary", icon=":material/science:", width="medium")
def ask_canary(version: str, rollout: Body) -> None:
    """Confirm that `version` becomes the canary: by the steps of a policy, or with a share of traffic set by hand."""
    started = rollout["canary"] == version
    way = st.segmented_control(
        "How", list(_WAYS), default="hand" if started else "policy", format_func=_WAYS.__getitem__, required=True,
        key="canary_way",
    )  # fmt: skip
    if rollout["canary"] and not started:
        st.markdown(f"It takes the place of **{rollout['canary']}**.")
    if way == "policy":
        _ask_by_policy(version, rollout)
    else:
        _ask_by_hand(version, rollout, started)


def _ask_by_hand(version: str, rollout: Body, started: bool) -> None:
    share = st.slider(
        "Share of traffic", 0.0, 100.0, float(rollout["percent"]) if started else 5.0, step=1.0, format="%g %%"
    )
    st.markdown(
        f"**{version}** will answer **{share:g} %** of the traffic, beside **{rollout['stable']}**. "
        "The same caller or document keeps meeting the same version, and people decide what follows."
    )
    label = "Set the share" if started else f"Make {version} the canary"
    _confirm(
        label,
        f"{version} answers {share:g} % of the traffic.",
        lambda why: api().set_canary(version, share, reason=why),
    )


def _ask_by_policy(version: str, rollout: Body) -> None:
    policy = api().rollout_policy()
    steps = " → ".join(f"{share:g}" for share in policy["steps_percent"])
    st.markdown(
        f"**{version}** will answer **{steps} %** of the traffic, beside **{rollout['stable']}**: each step bakes for "
        f"{bake(policy)} and takes evidence of its own. After the last it is promoted."
    )
    promises = [f"- {title(one)}: {limit(one)}; else {BREACHES[one['on_breach']]}" for one in policy["criteria"]]
    st.markdown("\n".join(promises))
    with st.expander("Another policy, for this rollout alone"):
        text = st.text_area("Policy (YAML)", policy["policy"], height=260, key="trial_policy")
    _confirm(
        f"Start the rollout of {version}",
        f"The automatic rollout of {version} has begun.",
        lambda why: api().begin_trial(version, policy=text, reason=why),
    )


@st.dialog("Stop the automatic rollout", icon=":material/stop_circle:")
def ask_to_stop(automatic: Body) -> None:
    """Confirm that people decide from now on."""
    share = automatic["steps_percent"][automatic["step"]]
    st.markdown(f"**{automatic['canary']}** keeps **{share:g} %** of the traffic, and people decide what follows.")
    _confirm("Stop", "The automatic rollout has stopped.", lambda why: api().stop_trial(reason=why))


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
