"""Who sits at the browser, and where the screens find the API."""

import httpx
import pytest

from ner.settings import Settings
from workbench import browser
from workbench.app import screens_of
from workbench.browser import Visitor

EVERYBODY = {
    *("Try", "Compare", "Search", "Guidelines", "History", "Snapshots"),
    *("Versions", "Quality", "Drift", "Traffic", "Alerts"),
}
ANNOTATORS = EVERYBODY | {"Correct", "Judge"}
REVIEWERS = ANNOTATORS | {"Agreement"}
ENGINEERS = REVIEWERS | {"Train", "Sources"}


def a_setting(**values: object) -> Settings:
    return Settings(_env_file=None, **values)  # type: ignore[arg-type, call-arg]


@pytest.mark.parametrize(
    ("values", "address"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"port": 9000}, "http://127.0.0.1:9000"),
        ({"host": "0.0.0.0", "port": 80}, "http://127.0.0.1:80"),
        ({"url": "http://api:8000", "port": 9000}, "http://api:8000"),
    ],
)
def test_the_api_is_where_the_settings_say(values: dict[str, object], address: str) -> None:
    assert browser.address(a_setting(**values)) == address


@pytest.mark.parametrize(
    ("role", "seen"),
    [
        ("viewer", EVERYBODY),
        ("annotator", ANNOTATORS),
        ("reviewer", REVIEWERS),
        ("engineer", ENGINEERS),
        ("admin", ENGINEERS | {"Access"}),
    ],
)
def test_the_menu_holds_what_the_role_may_see(role: str, seen: set[str]) -> None:
    person = Visitor("ada", role)  # type: ignore[arg-type]
    titles = {screen.title for screen in screens_of(person)}
    assert titles == seen


def test_nobodys_menu_is_empty() -> None:
    assert screens_of(None) == []


def test_cookies_of_one_visitor_never_reach_another() -> None:
    sent = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("Cookie"))
        return httpx.Response(200, headers={"Set-Cookie": "ner_session=ada; Path=/"})

    with httpx.Client(
        transport=httpx.MockTransport(answer), base_url="http://127.0.0.1", cookies=browser.no_cookies()
    ) as shared:
        shared.get("/api/v1/session")
        shared.get("/api/v1/session")
    assert sent == [None, None]
