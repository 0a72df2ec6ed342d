"""Words and colours: the same everywhere, and safe whatever a text holds."""

import datetime as dt
import html
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import look

NOW = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "–"), (0, "0 s"), (59.4, "59 s"), (60, "1 min"), (200, "3 min 20 s"), (3600, "1 h 0 min")],
)
def test_a_duration_is_worded_as_people_say_it(seconds: float | None, words: str) -> None:
    assert look.duration(seconds) == words


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(0, "just now"), (-0.5, "in a moment"), (5, "5 min ago"), (-180, "in 3 h"), (47 * 60, "47 h ago"),
     (49 * 60, "2 days ago"), (-100 * 60, "in 4 days")],
)  # fmt: skip
def test_a_moment_is_worded_from_now(minutes: float, words: str) -> None:
    moment = NOW - dt.timedelta(minutes=minutes)
    assert look.ago(moment.isoformat(), NOW) == words


def test_a_moment_without_a_zone_is_read_as_utc() -> None:
    assert look.as_moment("2026-05-04T12:00:00") == NOW


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        ({"difference": 0.03, "low": 0.01, "high": 0.05}, "1.1.0 is better than 1.0.0 by 3.0 points"),
        ({"difference": -0.03, "low": -0.05, "high": -0.01}, "1.1.0 is worse than 1.0.0 by 3.0 points"),
        ({"difference": 0.01, "low": -0.01, "high": 0.03}, "do not settle which is better"),
        ({"difference": 0.0, "low": -0.01, "high": 0.01}, "score the same"),
        ({"difference": 0.2, "low": -1.0, "high": 1.0}, "too few documents"),
        (None, "no settled truth"),
    ],
)
def test_a_difference_says_only_what_its_interval_allows(difference: dict[str, float] | None, words: str) -> None:
    assert words in look.difference_in_words(difference, "1.0.0", "1.1.0")


def test_a_label_has_one_colour_in_every_case() -> None:
    assert look.label_colour("PER") == look.label_colour("per") == look.label_colour("person")


def test_an_unknown_label_keeps_its_colour() -> None:
    assert look.label_colour("chemical") == look.label_colour("chemical")
    assert look.label_colour("chemical") in look.SPARE_COLOURS


@st.composite
def marked_texts(draw: st.DrawFn) -> tuple[str, list[dict[str, Any]]]:
    text = draw(st.text(alphabet=st.sampled_from("ab <>&\"'\n🎉é"), min_size=1, max_size=30))
    spans = []
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text) - 1))
        spans.append({"start": start, "end": draw(st.integers(start + 1, len(text))), "label": "per"})
    return text, spans


@given(marked_texts())
def test_the_whole_text_is_shown_and_nothing_of_it_is_markup(marked: tuple[str, list[dict[str, Any]]]) -> None:
    text, spans = marked
    shown = look.highlighted(text, spans)
    without_labels = re.sub(r'<span class="ner-label">.*?</span>', "", shown)
    assert html.unescape(re.sub(r"<[^>]*>", "", without_labels)) == text


def test_a_label_cannot_break_out_of_its_mark() -> None:
    shown = look.highlighted("Oslo", [{"start": 0, "end": 4, "label": '"><script>', "confidence": 0.5}])
    assert "<script>" not in shown
