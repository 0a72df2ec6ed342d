"""Fitting a calibration on sentences drawn from a known CRF."""

import numpy as np
import pytest

from ner.tags import TokenSpan, decode_tags, tag_names
from registry.calibration import Calibration
from registry.crf import Crf, Emissions, constrained
from training.calibrating import Scored, fit_calibration

TAGS = tag_names(["geo", "per"])
TOKENS = 4


def _drawn(crf: Crf, emissions: Emissions, random: np.random.Generator) -> list[TokenSpan]:
    """Spans of one tag sequence, drawn with the probability that the CRF gives it (token by token, backward sums)."""
    steps, potentials = np.exp(crf.transitions), np.exp(emissions)
    backward = [np.exp(crf.end)]
    for token in range(TOKENS - 1, 0, -1):
        backward.insert(0, steps @ (potentials[token] * backward[0]))
    weights = np.exp(crf.start) * potentials[0] * backward[0]
    path = [int(random.choice(len(TAGS), p=weights / weights.sum()))]
    for token in range(1, TOKENS):
        weights = steps[path[-1]] * potentials[token] * backward[token]
        path.append(int(random.choice(len(TAGS), p=weights / weights.sum())))
    return decode_tags([TAGS[tag] for tag in path])


def _case(heat: float, sentences: int = 1500) -> tuple[Crf, list[Scored]]:
    """A model whose scores are `heat` times those that its gold was drawn with."""
    random = np.random.default_rng(1)
    size = len(TAGS)
    true = constrained(TAGS, *(random.normal(size=shape) for shape in [(size, size), size, size]))
    emissions = 2.0 * random.normal(size=(sentences, TOKENS, size))
    gold = [_drawn(true, rows, random) for rows in emissions]
    claimed = Crf(true.tags, true.transitions * heat, true.start * heat, true.end * heat)
    return claimed, [Scored(heat * emissions, np.full(sentences, TOKENS), gold)]


@pytest.mark.parametrize("heat", [0.7, 1.0, 2.5])
def test_the_temperature_is_how_much_too_sure_the_model_is(heat: float) -> None:
    fit = fit_calibration(*_case(heat))
    assert fit.calibration.temperature == pytest.approx(heat, rel=0.12)
    assert fit.error_after is not None
    assert fit.error_after < 0.03


def test_the_calibration_error_falls_when_the_model_was_too_sure() -> None:
    fit = fit_calibration(*_case(2.5))
    assert fit.error_before is not None
    assert fit.error_after is not None
    assert fit.error_after < fit.error_before / 3
    assert fit.summary()["labels"] == ["geo", "per"]


def test_a_rare_label_has_no_line_of_its_own() -> None:
    fit = fit_calibration(*_case(1.0, sentences=40))
    assert fit.calibration.lines == {}


def test_nothing_changes_when_no_span_is_found() -> None:
    crf = constrained(TAGS, np.zeros((5, 5)), np.zeros(5), np.zeros(5))
    outside = np.zeros((1, TOKENS, 5))
    outside[:, :, 0] = 9.0
    fit = fit_calibration(crf, [Scored(outside, np.array([TOKENS]), [[]])])
    assert fit.calibration == Calibration()
    assert fit.error_before is None
