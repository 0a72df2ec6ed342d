"""Both forms of the recurrence against the textbook's formulas, sentence by sentence in float64."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from registry.compiled import COMPILED, kernels
from registry.recurrence import (
    CompiledRecurrence,
    Floats,
    NumpyRecurrence,
    Recurrence,
    open_recurrence,
)
from registry.sequences import pack
from tests.registry.processors import PROCESSORS, compiled_for

NEEDS_COMPILED = pytest.mark.skipif(not COMPILED, reason="built without a compiler")
FORMS = [pytest.param(CompiledRecurrence, marks=NEEDS_COMPILED), NumpyRecurrence]
Form = Callable[[Floats, Floats, Floats], Recurrence]


@contextmanager
def _running(code: str) -> Iterator[Form]:
    """NumPy's form, or the compiled one as it is for a kind of processor."""
    if code == "numpy":
        yield NumpyRecurrence
        return
    with compiled_for(code):
        yield CompiledRecurrence


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(-values)))


def _hidden(gates: NDArray[np.float64], recurrent: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hidden states (tokens, units) of one sentence in one direction; halves in the weights are undone first."""
    units = len(recurrent)
    full = np.repeat([2.0, 2.0, 2.0, 1.0], units)
    hidden, cell, states = np.zeros(units), np.zeros(units), []
    for row in gates:
        inputs, forget, output, candidate = np.split(full * (row + hidden @ recurrent), 4)
        cell = _sigmoid(forget) * cell + _sigmoid(inputs) * np.tanh(candidate)
        hidden = _sigmoid(output) * np.tanh(cell)
        states.append(hidden)
    return np.array(states)


def _expected(weights: Any, gates: Floats, sentence: NDArray[np.intp]) -> NDArray[np.float64]:
    recurrent, kernel, bias = (part.astype(np.float64) for part in weights)
    scores = np.zeros((len(sentence), len(bias))) + bias
    for direction, matrix in enumerate(recurrent):
        turn = 1 if direction % 2 == 0 else -1
        read = gates[sentence[::turn], direction].astype(np.float64)
        scores += (_hidden(read, matrix) @ kernel[direction])[::turn]
    return scores


@pytest.mark.parametrize("code", ["numpy", *PROCESSORS])
@given(
    seed=st.integers(0, 2**32),
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=15),
    networks=st.integers(1, 2),
    units=st.sampled_from([4, 12, 20, 100]),
    tags=st.integers(1, 35),
)
@settings(max_examples=60, deadline=None)
def test_scores_are_those_of_the_formulas(
    code: str, seed: int, lengths: list[int], networks: int, units: int, tags: int
) -> None:
    random = np.random.default_rng(seed)
    directions = 2 * networks
    shapes = [(directions, units, 4 * units), (directions, units, tags), (tags,)]
    weights = [random.normal(scale=0.3, size=shape).astype(np.float32) for shape in shapes]
    gates = random.normal(scale=3.0, size=(9, directions, 4 * units)).astype(np.float32)
    sentences = [random.integers(0, 9, size=length) for length in lengths]
    packed = pack(max(lengths), lengths)

    with _running(code) as form:
        scores = form(*weights)(gates, np.concatenate(sentences)[packed.words], packed)

    for number, sentence in enumerate(sentences):
        rows = (packed.sequences == number) & (packed.steps < len(sentence))
        np.testing.assert_allclose(scores[rows], _expected(weights, gates, sentence), atol=2e-4)


@NEEDS_COMPILED
def test_a_kind_of_processor_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot run 'x86-64-v9'"):
        kernels.choose("x86-64-v9")


@pytest.mark.parametrize("form", FORMS)
def test_gates_that_are_shut_or_wide_open_stay_finite(form: Form) -> None:
    weights = [np.zeros(shape, dtype=np.float32) for shape in [(2, 4, 16), (2, 4, 3), (3,)]]
    weights[1] += 1.0
    gates = np.where(np.arange(32).reshape(1, 2, 16) % 2, 1e30, -1e30).astype(np.float32)
    scores = form(*weights)(gates, np.zeros(5, dtype=np.intp), pack(5, [5]))
    assert np.isfinite(scores).all()


@NEEDS_COMPILED
@pytest.mark.parametrize(
    ("place", "width", "message"), [(9, 16, "places: 9 is not below 9"), (-1, 16, "places: -1"), (0, 12, "gates")]
)
def test_the_compiled_form_refuses_what_does_not_fit_instead_of_reading_beyond(
    place: int, width: int, message: str
) -> None:
    weights = [np.zeros(shape, dtype=np.float32) for shape in [(2, 4, 16), (2, 4, 3), (3,)]]
    gates = np.zeros((9, 2, width), dtype=np.float32)
    with pytest.raises(ValueError, match=message):
        CompiledRecurrence(*weights)(gates, np.array([0, place], dtype=np.intp), pack(2, [2]))


def test_the_fastest_form_that_fits_is_opened() -> None:
    def opened(units: int) -> type:
        shapes = [(2, units, 4 * units), (2, units, 3), (3,)]
        return type(open_recurrence(*(np.zeros(shape, dtype=np.float32) for shape in shapes)))

    assert opened(8) is (CompiledRecurrence if COMPILED else NumpyRecurrence)
    assert opened(6) is NumpyRecurrence
