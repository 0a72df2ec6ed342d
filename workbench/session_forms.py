"""Signing in and out: the things that only the browser itself can do, for the cookie's sake.

The cookie is HttpOnly, so it is set and cleared by the API's answers to requests that the browser makes.
"""

import streamlit as st

_CSS = """
form { display: flex; flex-wrap: wrap; gap: .5rem; margin: 0; }
input, button { font: inherit; color: inherit; border-radius: var(--st-base-radius); padding: .5rem .75rem;
  border: 1px solid var(--st-border-color); background: var(--st-background-color); }
input { flex: 1; min-width: 10rem; }
input:focus-visible, button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 1px; }
button { cursor: pointer; white-space: nowrap; }
button:hover { border-color: var(--st-primary-color); color: var(--st-primary-color); }
button.first { background: var(--st-primary-color); border-color: var(--st-primary-color); color: #fff; }
button.quiet { border: 0; background: none; padding: .25rem 0; opacity: .75; font-size: .875rem; }
button:disabled { opacity: .6; cursor: default; }
p { margin: .5rem 0 0; color: var(--st-red-color); font-size: .875rem; }
p:empty { display: none; }
"""

_FORM = '<form>{fields}<button class="{weight}" type="submit">Sign in</button></form><p role="alert"></p>'
_FIELD = '<input type="{kind}" name="{name}" autocomplete="{fill}" aria-label="{label}" placeholder="{label}" required>'
_NAME = _FIELD.format(kind="text", name="name", fill="username", label="Name")
_PASSWORD = _FIELD.format(kind="password", name="password", fill="current-password", label="Password")
_KEY = _FIELD.format(kind="password", name="key", fill="off", label="API key")

_SIGN_IN_JS = """
export default function ({ parentElement }) {
  const form = parentElement.querySelector("form");
  const said = parentElement.querySelector("p");
  const button = form.querySelector("button");
  const stop = (event) => event.stopPropagation();
  form.onkeydown = stop;
  form.onsubmit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    said.textContent = "";
    try {
      const answer = await fetch("/api/v1/session", {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Requested-With": "workbench" },
        body: JSON.stringify(Object.fromEntries(new FormData(form))),
      });
      if (answer.ok) { window.location.reload(); return; }
      const body = await answer.json().catch(() => ({}));
      said.textContent = body.error?.message ?? `The server answered ${answer.status}; try again.`;
    } catch {
      said.textContent = "The server does not answer; check that it is running, then try again.";
    }
    button.disabled = false;
  };
}
"""

_SIGN_OUT_JS = """
export default function ({ parentElement }) {
  const button = parentElement.querySelector("button");
  button.onclick = async () => {
    button.disabled = true;
    try {
      await fetch("/api/v1/session", { method: "DELETE", headers: { "X-Requested-With": "workbench" } });
    } finally {
      window.location.assign("/");
    }
  };
}
"""


def draw_password_form() -> None:
    """Name and password; the browser posts them, keeps the cookie and loads the page again."""
    html = _FORM.format(fields=_NAME + _PASSWORD, weight="first")
    st.components.v2.component("ner_sign_in_password", html=html, css=_CSS, js=_SIGN_IN_JS)(key="password_form")


def draw_key_form() -> None:
    """A field for an API key, in the same way."""
    html = _FORM.format(fields=_KEY, weight="")
    st.components.v2.component("ner_sign_in_key", html=html, css=_CSS, js=_SIGN_IN_JS)(key="key_form")


def draw_sign_out_button() -> None:
    """A button that ends the session and returns to the sign-in page."""
    html = '<button class="quiet" type="button">Sign out</button>'
    st.components.v2.component("ner_sign_out", html=html, css=_CSS, js=_SIGN_OUT_JS)(key="sign_out_button")
