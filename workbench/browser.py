"""Who sits at the browser: their session, the API as they may use it, and how a page says what went wrong."""

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, ParamSpec

import httpx
import streamlit as st

from ner.roles import Role, as_role, reaches
from ner.settings import Settings, load_settings
from workbench.api_client import ApiClient, ApiError, RetryPolicy
from workbench.api_transport import HttpCaller

COOKIE = "ner_session"
PAGE_TIMEOUT_SECONDS = 20.0
LOG = logging.getLogger(__name__)
Given = ParamSpec("Given")


@dataclass(frozen=True, slots=True)
class Visitor:
    """A signed-in person or key."""

    name: str
    role: Role
    is_person: bool = True

    def reaches(self, needed: Role) -> bool:
        """Whether this visitor's role holds what `needed` holds."""
        return reaches(self.role, needed)


class _Door:
    """The process's way to the API: opened at the first call, or given by whoever composes the process."""

    caller: Any = None
    is_given = False


def connect(caller: HttpCaller | None) -> None:
    """Reach the API through `caller` from now on; None returns to the address in the settings."""
    _Door.caller, _Door.is_given = caller, caller is not None


def address(settings: Settings) -> str:
    """Where the screens find the API: NER_URL where it is set, or the address this server listens on."""
    if "url" in settings.model_fields_set:
        return settings.url
    host = "127.0.0.1" if settings.host in {"0.0.0.0", "::", ""} else settings.host
    return f"http://{host}:{settings.port}"


def _caller() -> Any:
    if _Door.caller is None:
        _Door.caller = httpx.Client(base_url=address(load_settings()), cookies=no_cookies())
    return _Door.caller


def no_cookies() -> CookieJar:
    """A jar that keeps nothing: every visitor's calls go through one HTTP client, each with its own token."""
    return CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))


def api(*, timeout_seconds: float = PAGE_TIMEOUT_SECONDS) -> ApiClient:
    """The API as the person at this browser may use it."""
    session = st.context.cookies.get(COOKIE)
    retry = RetryPolicy(attempts=3, longest_pause_seconds=1.0)
    limit = None if _Door.is_given else timeout_seconds
    return ApiClient(_caller(), session=session, timeout_seconds=limit, retry=retry)


def visitor() -> Visitor | None:
    """Who is signed in; None for nobody. Asked of the API on every full run, so an ended session shows at once."""
    try:
        body = api().session()
    except ApiError as error:
        if error.status in {401, 403}:
            return None
        raise
    return Visitor(str(body["name"]), as_role(str(body["role"])), body["kind"] == "person")


def public_address() -> str:
    """The address in the browser's bar without its path, for snippets and links."""
    url = httpx.URL(st.context.url or address(load_settings()))
    return f"{url.scheme}://{url.netloc.decode()}"


def guarded(page: Callable[Given, None]) -> Callable[Given, None]:
    """The page, or a part of it, with whatever goes wrong in it said in one sentence."""

    @functools.wraps(page)
    def run(*args: Given.args, **kwargs: Given.kwargs) -> None:
        try:
            page(*args, **kwargs)
        except ApiError as error:
            explain(error)
        except Exception:
            LOG.exception("A page failed: %s", page)
            st.error("This page could not be drawn. Reload it; if that does not help, the server's log says why.")

    return run


def explain(error: ApiError) -> None:
    """Show a refusal as the server's sentence, with what helps to find it in the log."""
    if error.status == 401:
        st.warning("Your session has ended. Reload this page to sign in again.", icon=":material/lock:")
        return
    reference = f"  \n:small[Request {error.request_id}]" if error.request_id else ""
    st.error(f"{error.message}{reference}", icon=":material/error:")
