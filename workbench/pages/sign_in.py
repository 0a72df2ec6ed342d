"""Sign in: what somebody without a session sees, on every address."""

import html

import streamlit as st

from workbench.api_client import ApiError
from workbench.browser import api
from workbench.session_forms import draw_key_form, draw_password_form

_PROVIDER = "/sign-in/provider"


def page() -> None:
    """The ways in: the provider where there is one, a name and a password, the link that the server printed, a key."""
    _, middle, _ = st.columns([1, 1.6, 1])
    with middle:
        st.space("large")
        st.title("Sign in")
        st.html('<p class="ner-lead">Look at named-entity models, correct them, and let the better version win.</p>')
        provider = _provider()
        if provider is not None:
            _draw_provider(provider)
        with st.container(border=True):
            st.subheader("With name and password", anchor=False)
            draw_password_form()
        with st.container(border=True):
            st.subheader("With a link", anchor=False)
            st.markdown(
                "`make up` printed a one-time sign-in link in its terminal: open it in this browser. "
                "For a new one run `workbench users link NAME`, or ask whoever runs this server."
            )
        with st.container(border=True):
            st.subheader("With an API key", anchor=False)
            draw_key_form()


def _provider() -> str | None:
    try:
        name = api().sign_in_ways()["provider"]
    except ApiError:
        # The other ways in do not depend on it.
        return None
    return None if name is None else str(name)


def _draw_provider(name: str) -> None:
    with st.container(border=True):
        st.subheader(f"With {name}", anchor=False)
        # Not Streamlit's link button: that one opens a new tab.
        st.html(f'<a class="ner-button" href="{_PROVIDER}" target="_self">Go on to {html.escape(name)}</a>')
