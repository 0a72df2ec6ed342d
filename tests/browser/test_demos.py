"""A demo link in every state that a guest may meet, in a real browser: what the page says, and how it looks."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from ner import tables
from ner.database import Database, utc_now
from tests.browser.conftest import Scheme, Visit, picture
from tests.running import RunningWorkbench

pytestmark = [pytest.mark.browser, pytest.mark.slow]
_SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])


def _link(running: RunningWorkbench, **asked: Any) -> dict[str, Any]:
    with running.client() as client:
        return dict(client.post("/api/v1/demos", json={"hours": 1, **asked}).raise_for_status().json())


def _ask(page: Page, text: str) -> None:
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_role("button", name="Find entities").click()


@_SCHEMES
def test_a_passphrase_opens_the_demo_and_a_wrong_one_does_not(
    visit: Visit, workbench_server: RunningWorkbench, scheme: Scheme
) -> None:
    link = _link(workbench_server, passphrase="correct horse")
    with visit(scheme, may_fail=True) as page:
        page.goto(link["url"])
        expect(page.get_by_text("This demo opens with a passphrase.")).to_be_visible()
        picture(page, f"demo-passphrase-{scheme}")
        page.get_by_label("Passphrase").fill("wrong horse")
        page.get_by_role("button", name="Open the demo").click()
        expect(page.get_by_text("This is not the passphrase of this demo.")).to_be_visible()
        expect(page.get_by_label("Text", exact=True)).to_have_count(0)
        picture(page, f"demo-passphrase-wrong-{scheme}")
        page.get_by_label("Passphrase").fill("correct horse")
        page.get_by_role("button", name="Open the demo").click()
        _ask(page, "John lives in New York")
        expect(page.get_by_text("New York").last).to_be_visible()


@_SCHEMES
@pytest.mark.parametrize("end", ["expired", "closed"])
def test_an_ended_link_says_how_it_ended_and_what_to_do(
    visit: Visit, workbench_server: RunningWorkbench, end: str, scheme: Scheme
) -> None:
    link = _link(workbench_server)
    if end == "closed":
        with workbench_server.client() as client:
            client.delete(f"/api/v1/demos/{link['id']}").raise_for_status()
    else:
        _expire(workbench_server, link["id"])
    with visit(scheme, may_fail=True) as page:
        page.goto(link["url"])
        sentence = {"expired": "This demo link expired on", "closed": "This demo was closed on"}[end]
        expect(page.get_by_text(sentence)).to_contain_text("ask whoever sent")
        expect(page.get_by_label("Text", exact=True)).to_have_count(0)
        picture(page, f"demo-{end}-{scheme}")


def _expire(running: RunningWorkbench, demo_id: str) -> None:
    database = Database(f"sqlite:///{running.home / 'workbench.db'}")
    with database.transaction() as connection:
        past = utc_now() - dt.timedelta(minutes=1)
        changed = tables.demos.update().where(tables.demos.c.token_hash == demo_id).values(expires_at=past)
        assert connection.execute(changed).rowcount == 1
    database.close()


@pytest.fixture(scope="module")
def asked_too_often(workbench_server: RunningWorkbench) -> str:
    """A link at which somebody guessed for as long as it let them: each guess is slow on purpose."""
    link = _link(workbench_server, passphrase="correct horse")
    token = link["url"].split("token=")[1]
    with workbench_server.client() as client:
        for _ in range(31):
            answer = client.post("/api/v1/demos/enter", json={"token": token, "passphrase": "another horse"})
    assert answer.status_code == 429
    return str(link["url"])


@_SCHEMES
def test_a_link_that_was_asked_too_often_says_when_to_come_back(
    visit: Visit, asked_too_often: str, scheme: Scheme
) -> None:
    with visit(scheme, may_fail=True) as page:
        page.goto(asked_too_often)
        page.get_by_label("Passphrase").fill("correct horse")
        page.get_by_role("button", name="Open the demo").click()
        expect(page.get_by_text("asked too often in the last hour; try again in")).to_be_visible()
        expect(page.get_by_label("Passphrase")).to_be_visible()
        picture(page, f"demo-rate-limited-{scheme}")


class _Page(BaseHTTPRequestHandler):
    """A page of somebody else's site, with the demo in it."""

    body = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _site() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_site_that_the_link_names_embeds_it_and_another_may_not(
    visit: Visit, workbench_server: RunningWorkbench
) -> None:
    with _site() as named, _site() as other, visit(may_fail=True) as page:
        origin = f"http://127.0.0.1:{named.server_port}"
        link = _link(workbench_server, frame_origins=[origin])
        style = "<body style='font-family: sans-serif; margin: 2rem'><h1>Our intranet</h1>"
        _Page.body = f"<!doctype html><title>intranet</title>{style}{link['iframe']}".encode()
        page.goto(origin)
        inside = page.frame_locator("iframe")
        inside.get_by_role("button", name="Find entities").click()
        expect(inside.get_by_role("gridcell").filter(has_text="Berlin").first).to_be_visible()
        picture(page, "demo-embedded")
        page.goto(f"http://127.0.0.1:{other.server_port}")
        expect(page.get_by_role("heading", name="Our intranet")).to_be_visible()
        expect(page.frame_locator("iframe").get_by_role("button", name="Find entities")).to_have_count(0)
