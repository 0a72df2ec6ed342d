"""Sign in: what somebody without a session sees, on every address."""

import streamlit as st

from workbench.session_forms import draw_sign_in_form


def page() -> None:
    """The two ways in: the link that the server printed, or an API key."""
    _, middle, _ = st.columns([1, 1.6, 1])
    with middle:
        st.space("large")
        st.title("Sign in")
        st.html('<p class="ner-lead">Look at named-entity models, correct them, and let the better version win.</p>')
        with st.container(border=True):
            st.subheader("With a link", anchor=False)
            st.markdown(
                "`make up` printed a one-time sign-in link in its terminal: open it in this browser. "
                "For a new one run `workbench users link NAME`, or ask whoever runs this server."
            )
        with st.container(border=True):
            st.subheader("With an API key", anchor=False)
            draw_sign_in_form()
