"""Both forms of the decoder against brute force and against each other, and what the compiled one refuses."""

import shutil
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ner.tags import tag_names
from registry.calibration import Calibration
from registry.compiled import COMPILED
from registry.crf import Crf, constrained
from registry.decoding import CompiledDecoder, Decoder, NumpyDecoder, open_decoder
from tests.registry.enumeration import Case, cases, enumerated, sequences

NEEDS_COMPILED = pytest.mark.skipif(not COMPILED, reason="built without a compiler")
FORMS = [pytest.param(CompiledDecoder, marks=NEEDS_COMPILED), NumpyDecoder]
Form = Callable[[Crf, Calibration], Decoder]


def test_what_is_installed_is_compiled_where_there_is_a_compiler() -> None:
    assert COMPILED or shutil.which("cc") is None


@pytest.mark.parametrize("form", FORMS)
@given(case=cases(), temperature=st.sampled_from([1.0, 0.5, 1.7]))
@settings(max_examples=40, deadline=None)
def test_spans_are_of_a_best_sequence_and_shares_equal_enumeration_of_the_cooled_crf(
    form: Form, case: Case, temperature: float
) -> None:
    crf, scores, lengths = case
    emissions = scores.astype(np.float32)
    calibration = Calibration(temperature)
    decoded = form(crf, calibration)(emissions, lengths.astype(np.int32))
    cooled, cooled_emissions = calibration.tempered(crf, emissions)
    # Written down in float64: sums of float32 would not be exact enough to compare with.
    exact, exact_cooled = emissions.astype(np.float64), np.asarray(cooled_emissions, dtype=np.float64)
    for spans, starts, own, tempered, length in zip(
        decoded.spans, decoded.starts, exact, exact_cooled, lengths, strict=True
    ):
        every = dict(sequences(crf, own[:length]))
        path = _path_of(crf, [span[:3] for span in spans], int(length))
        assert every[path] == pytest.approx(max(every.values()), abs=1e-9)
        shares = enumerated(cooled, tempered[:length])
        assert [span[3] for span in spans] == pytest.approx([shares[span[:3]] for span in spans], abs=1e-9)
        assert starts.sum() == pytest.approx(sum(shares.values()), abs=1e-9)
        assert not starts[length:].any()


def _path_of(crf: Crf, spans: list[tuple[int, int, str]], length: int) -> tuple[int, ...]:
    tags = ["O"] * length
    for first, end, label in spans:
        tags[first:end] = [f"B-{label}"] + [f"I-{label}"] * (end - first - 1)
    return tuple(crf.tags.index(tag) for tag in tags)


@NEEDS_COMPILED
@given(st.integers(0, 2**32), st.integers(1, 12), st.sampled_from([0.5, 3.0, 60.0]))
@settings(max_examples=60, deadline=None)
def test_both_forms_say_the_same_of_long_sentences_and_many_labels(seed: int, labels: int, spread: float) -> None:
    random = np.random.default_rng(seed)
    tags = tag_names([f"label-{number}" for number in range(labels)])
    size = len(tags)
    crf = constrained(tags, random.normal(size=(size, size)), random.normal(size=size), random.normal(size=size))
    lengths = random.integers(1, 129, size=random.integers(1, 9)).astype(np.int32)
    emissions = (spread * random.normal(size=(len(lengths), lengths.max(), size))).astype(np.float32)
    calibration = Calibration(1.3)
    compiled, reference = (form(crf, calibration)(emissions, lengths) for form in (CompiledDecoder, NumpyDecoder))
    assert [[span[:3] for span in some] for some in compiled.spans] == [
        [span[:3] for span in some] for some in reference.spans
    ]
    shares, expected = ([span[3] for some in found.spans for span in some] for found in (compiled, reference))
    assert shares == pytest.approx(expected, abs=1e-9)
    np.testing.assert_allclose(compiled.starts, reference.starts, atol=1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_probabilities_are_finite_when_scores_are_thousands_of_nats_apart(form: Form) -> None:
    crf = constrained(tag_names(["a"]), np.zeros((3, 3)), np.zeros(3), np.zeros(3))
    emissions = np.array([[[0.0, -5000.0, 5000.0]] * 40], dtype=np.float32)
    decoded = form(crf, Calibration())(emissions, np.array([40], dtype=np.int32))
    assert all(0.0 <= span[3] <= 1.0 + 1e-12 for span in decoded.spans[0])
    assert np.isfinite(decoded.starts).all()


@NEEDS_COMPILED
@pytest.mark.parametrize(
    ("length", "tags", "message"),
    [(4, 3, "4 is not from 1 to 3"), (0, 3, "0 is not from 1 to 3"), (3, 5, "transitions")],
)
def test_the_compiled_form_refuses_what_does_not_fit_instead_of_reading_beyond(
    length: int, tags: int, message: str
) -> None:
    crf = constrained(tag_names(["a"]), np.zeros((3, 3)), np.zeros(3), np.zeros(3))
    emissions = np.zeros((1, 3, tags), dtype=np.float32)
    with pytest.raises(ValueError, match=message):
        CompiledDecoder(crf, Calibration())(emissions, np.array([length], dtype=np.int32))


def test_the_fastest_form_is_opened() -> None:
    crf = constrained(tag_names(["a"]), np.zeros((3, 3)), np.zeros(3), np.zeros(3))
    assert isinstance(open_decoder(crf, Calibration()), CompiledDecoder if COMPILED else NumpyDecoder)
