"""The Quality page and its table as time goes by, over the real API."""

import csv
import datetime as dt
import io

import pytest
from streamlit.testing.v1 import AppTest

from ner.database import utc_now
from tests.dashboards.traffic_log import logged, write_log
from tests.workbench.world import PLACES, World
from workbench import browser

PAGE = """
import streamlit as st
from workbench.browser import guarded
from workbench.pages import quality
st.session_state.setdefault("quality_parts", "Over time")
guarded(quality.page)()
"""


@pytest.fixture
def worse_since_yesterday(world: World) -> World:
    """A version that was sure of its answers yesterday and is not today."""
    world.add_stable("1.0.0", PLACES)
    answers = {"confidences": [0] * 9 + [2], "expected_entities": 2.2}
    yesterday = utc_now() - dt.timedelta(days=1)
    with world.database.transaction() as connection:
        write_log(connection, [logged(at=yesterday, expected_correct=1.9, **answers) for _ in range(80)])
        write_log(connection, [logged(at=utc_now(), expected_correct=0.9, **answers) for _ in range(80)])
    return world


def test_the_page_says_by_how_much_f1_fell_when_answers_became_unsure(worse_since_yesterday: World) -> None:
    with worse_since_yesterday.api("viewer") as http:
        browser.connect(http)
        page = AppTest.from_string(PAGE, default_timeout=60).run()
        assert not page.exception
        said = [caption.value for caption in page.caption if "from the day before" in caption.value]
        assert len(said) == 1
        assert said[0].startswith("F1 estimated (all answers, without labels): lower, -47.6 points")


def test_the_table_holds_the_same_numbers_when_it_is_asked_for(worse_since_yesterday: World) -> None:
    with worse_since_yesterday.api("viewer") as http:
        points = http.get("/api/v1/quality/over-time").json()["points"]
        answer = http.get("/api/v1/quality/over-time/csv")
        assert http.get("/api/v1/quality/over-time", params={"by": "year"}).status_code == 422
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    f1 = [float(row["value"]) for row in rows if row["figure"] == "f1"]
    assert f1 == [point["estimated"]["f1"]["value"] for point in points]
    assert [row["figure"] for row in rows][-1] == "change"
