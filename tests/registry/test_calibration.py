"""Calibration: one temperature over the CRF, lines of the log-odds over its marginals."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner.errors import BrokenPackage
from ner.tags import tag_names
from registry.calibration import FILE, Calibration, fit_line, load_calibration
from registry.crf import best_tags, constrained, span_probabilities

TAGS = tag_names(["geo", "per"])
LINES = {"geo": (0.5, -0.2), "per": (2.0, 0.7)}


def test_a_tempered_crf_gives_each_sequence_its_weight_to_the_power_of_one_over_the_temperature() -> None:
    random = np.random.default_rng(4)
    crf = constrained(TAGS, random.normal(size=(5, 5)), random.normal(size=5), random.normal(size=5))
    emissions = random.normal(size=(1, 3, 5)).astype(np.float32)
    cooled, scores = Calibration(2.5).tempered(crf, emissions)

    wanted = total = 0.0
    for path in itertools.product(range(5), repeat=3):
        score = crf.start[path[0]] + crf.end[path[-1]] + sum(emissions[0, place, tag] for place, tag in enumerate(path))
        score += sum(crf.transitions[pair] for pair in itertools.pairwise(path))
        weight = np.exp(score) ** (1 / 2.5)
        total += weight
        # The second token alone is "per": B-per, and then no I-per.
        if TAGS[path[1]] == "B-per" and TAGS[path[2]] != "I-per":
            wanted += weight
    [[found]] = span_probabilities(cooled, scores, np.array([3]), [[(1, 2, "per")]])
    assert found == pytest.approx(wanted / total, abs=1e-6)
    assert (best_tags(cooled, scores, np.array([3])) == best_tags(crf, emissions, np.array([3]))).all()


@given(st.floats(0, 1), st.floats(0, 1))
def test_confidences_rise_with_marginals_and_stay_within_zero_and_one(left: float, right: float) -> None:
    calibration = Calibration(1.0, LINES)
    low, high = sorted([left, right])
    for label in LINES:
        assert 0.0 <= calibration.confidence(label, low) <= calibration.confidence(label, high) <= 1.0


def test_a_marginal_is_left_alone_when_its_label_has_no_line() -> None:
    assert Calibration(1.7, LINES).confidence("tim", 0.625) == 0.625


def test_a_line_is_a_straight_line_of_the_log_odds() -> None:
    # Odds of 4 to 1, under slope 0.5 and offset -0.2.
    assert Calibration(1.0, LINES).confidence("geo", 0.8) == pytest.approx(1 / (1 + np.exp(0.2) / 2))


@pytest.mark.parametrize(("slope", "offset"), [(0.4, 0.0), (1.0, -1.0), (1.8, 0.5)])
def test_the_line_that_outcomes_were_drawn_from_is_found_again(slope: float, offset: float) -> None:
    random = np.random.default_rng(0)
    odds = random.normal(1.0, 2.0, size=40_000)
    is_right = random.random(40_000) < 1 / (1 + np.exp(-(slope * odds + offset)))
    found = fit_line(list(1 / (1 + np.exp(-odds))), list(is_right))
    assert found == pytest.approx((slope, offset), abs=0.06)


def test_a_line_stays_near_the_identity_when_few_spans_speak() -> None:
    slope, offset = fit_line([0.9, 0.8], [True, True])
    assert (slope, offset) == pytest.approx((1.0, 0.0), abs=0.5)


@pytest.mark.parametrize("is_right", [[True] * 500, [False] * 500])
def test_a_line_is_finite_when_every_span_is_right_or_none(is_right: list[bool]) -> None:
    slope, offset = fit_line([0.9] * 500, is_right)
    assert np.isfinite([slope, offset]).all()
    assert slope > 0


def test_what_is_saved_is_loaded_again(tmp_path: Path) -> None:
    assert load_calibration(tmp_path) is None
    Calibration(1.25, LINES).save(tmp_path)
    assert load_calibration(tmp_path) == Calibration(1.25, LINES)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        json.dumps({"temperature": 0, "labels": {}}),
        json.dumps({"temperature": "warm", "labels": {}}),
        json.dumps({"temperature": 1, "labels": {"geo": {"slope": -1, "offset": 0}}}),
        json.dumps({"temperature": 1, "labels": {"geo": {"slope": 1}}}),
        '{"temperature": NaN, "labels": {}}',
    ],
)
def test_a_package_is_refused_when_its_calibration_is_broken(content: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(content, encoding="utf-8")
    with pytest.raises(BrokenPackage, match="is not a calibration"):
        load_calibration(tmp_path)
