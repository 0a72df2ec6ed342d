"""Alerts: what somebody has to look at, who does, and who outside is told."""

import pandas as pd
import streamlit as st

from workbench.alert_strip import SIGNS
from workbench.api_client import ApiError, Body
from workbench.browser import Visitor, api, explain, visitor
from workbench.layout import empty_state, heading
from workbench.look import ago, plural

_FIRST = 20


def page() -> None:
    """Open alerts first; then what is over, and the webhooks."""
    heading("Alerts", "What is wrong now, who looks after it, and who outside is told.")
    person = visitor()
    open_ones, over, outside = st.tabs(["Open", "Over", "Webhooks"])
    found = api().alerts(state="all")
    with open_ones:
        _draw_open([alert for alert in found if not alert["closed_at"]], person)
    with over:
        _draw_over([alert for alert in found if alert["closed_at"]])
    with outside:
        _draw_webhooks(person)


# --- alerts ---


def _draw_open(alerts: list[Body], person: Visitor | None) -> None:
    if not alerts:
        empty_state("Nothing is wrong", "An alert shows here, and on top of every page, as soon as something is.")
        return
    order = list(SIGNS)
    for alert in sorted(alerts, key=lambda alert: order.index(alert["severity"])):
        _draw_alert(alert, may_act=person is not None and person.reaches("engineer"))


def _draw_alert(alert: Body, *, may_act: bool) -> None:
    icon, colour = SIGNS[alert["severity"]]
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        about = f" · {alert['subject']}" if alert["subject"] else ""
        with st.container():
            st.markdown(f":{colour}[{icon}] **{_words(alert['kind'])}**{about} :small[{alert['severity']}]")
            st.text(alert["sentence"])
            looked = f", looked after by {alert['acknowledged_by']}" if alert["acknowledged_by"] else ""
            st.caption(f"Since {ago(alert['opened_at'])}{looked}")
        may_take = may_act and not alert["acknowledged_by"]
        if may_take and st.button("I look after it", key=f"take_{alert['id']}", width=160):
            _acknowledge(alert)


def _acknowledge(alert: Body) -> None:
    try:
        api().acknowledge_alert(alert["id"])
    except ApiError as error:
        explain(error)
        return
    st.rerun()


def _draw_over(alerts: list[Body]) -> None:
    if not alerts:
        empty_state("No alert is over yet", "What was wrong once, and for how long, is kept here.")
        return
    rows = [
        {
            "What": _words(alert["kind"]),
            "On": alert["subject"],
            "Severity": alert["severity"],
            "Opened": ago(alert["opened_at"]),
            "Over": ago(alert["closed_at"]),
            "Looked after by": alert["acknowledged_by"] or "–",
            "Sentence": alert["sentence"],
        }
        for alert in alerts
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True)


def _words(kind: str) -> str:
    """`HighErrorRate` and `shared_outage` as people say it: `High error rate`, `Shared outage`."""
    spaced = "".join(f" {sign.lower()}" if sign.isupper() and place else sign for place, sign in enumerate(kind))
    return spaced.replace("_", " ").capitalize().replace(" f1", " F1")


# --- webhooks ---


def _draw_webhooks(person: Visitor | None) -> None:
    if person is None or not person.reaches("engineer"):
        empty_state("Webhooks are for engineers", "Ask an engineer which chats and pagers are told of alerts.")
        return
    is_admin = person.reaches("admin")
    if is_admin:
        _draw_form()
    webhooks = api().webhooks()
    if not webhooks:
        empty_state("Nobody outside is told yet", "An administrator adds a chat or a pager by its https address.")
        return
    for webhook in webhooks:
        _draw_webhook(webhook, is_admin=is_admin)


def _draw_form() -> None:
    with st.form("new_webhook", border=False):
        name, url, severities, button = st.columns([1.2, 2.4, 1.8, 1], vertical_alignment="bottom")
        chosen_name = name.text_input("Name", placeholder="On-call chat")
        chosen_url = url.text_input("Address", placeholder="https://chat.example.org/hooks/ner")
        chosen = severities.multiselect("Told of", list(SIGNS), default=["critical", "warning"])
        if button.form_submit_button("Add", type="primary", width="stretch"):
            _create(chosen_name.strip(), chosen_url.strip(), chosen)
    made = st.session_state.get("webhook_made")
    if made:
        st.success(
            "Copy this secret now: it is shown this one time only. The receiver checks signatures with it.",
            icon=":material/key:",
        )
        st.code(made, language=None)
        st.button("I have copied it", on_click=st.session_state.pop, args=("webhook_made",))


def _create(name: str, url: str, severities: list[str]) -> None:
    if not name or not url or not severities:
        st.warning("A webhook needs a name, an address, and at least one severity to be told of.")
        return
    try:
        st.session_state["webhook_made"] = api().create_webhook(name, url, severities)["secret"]
    except ApiError as error:
        explain(error)


def _draw_webhook(webhook: Body, *, is_admin: bool) -> None:
    deliveries = api().deliveries(webhook["id"])
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            with st.container():
                st.markdown(f"**{webhook['name']}** :small[told of {', '.join(webhook['severities'])}]")
                st.caption(f"{webhook['url']} · {_last(deliveries)}")
            if is_admin and st.button("Send a test", key=f"try_{webhook['id']}", icon=":material/send:", width=150):
                _try(webhook)
            if is_admin and st.button("Remove", key=f"remove_{webhook['id']}", icon=":material/delete:", width=120):
                _ask_removal(webhook)
        if deliveries:
            with st.expander(plural(len(deliveries), "delivery", "deliveries")):
                st.dataframe(pd.DataFrame([_row(one) for one in deliveries[:_FIRST]]), hide_index=True)


def _last(deliveries: list[Body]) -> str:
    return f"last told {ago(deliveries[0]['created_at'])}: {_state(deliveries[0])}" if deliveries else "never told yet"


def _state(delivery: Body) -> str:
    if delivery["delivered_at"]:
        return "received"
    if delivery["next_attempt_at"]:
        return f"tried again {ago(delivery['next_attempt_at'])}" if delivery["attempts"] else "about to be sent"
    return "given up"


def _row(delivery: Body) -> dict[str, object]:
    return {
        "When": ago(delivery["created_at"]),
        "Event": delivery["event"],
        "State": _state(delivery),
        "Attempts": delivery["attempts"],
        "Answer": delivery["status"],
        "Problem": delivery["problem"] or "",
        "Id": delivery["id"],
    }


def _try(webhook: Body) -> None:
    try:
        delivery = api().try_webhook(webhook["id"])
    except ApiError as error:
        explain(error)
        return
    if delivery["delivered_at"]:
        st.toast(f"{webhook['name']} has received it.", icon=":material/check:")
    else:
        st.toast(f"{webhook['name']} has not: {delivery['problem']}", icon=":material/error:")


@st.dialog("Remove a webhook", icon=":material/delete:")
def _ask_removal(webhook: Body) -> None:
    st.markdown(f"**{webhook['name']}** is told nothing more, and what waits for it is given up.")
    if st.button("Remove", type="primary", width="stretch"):
        try:
            api().remove_webhook(webhook["id"])
        except ApiError as error:
            explain(error)
            return
        st.rerun()
