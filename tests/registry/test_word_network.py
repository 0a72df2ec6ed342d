"""Both forms of what words bring to the gates, against the formulas, word by word in float64."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ner.errors import BrokenPackage
from registry.compiled import COMPILED
from registry.features import CHARACTERS, COLUMNS, PIECES, FeatureRows
from registry.word_network import (
    PARTS,
    WORDS,
    CompiledWordNetwork,
    Entrance,
    NumpyWordNetwork,
    load_word_network,
    open_word_network,
)
from tests.registry.processors import PROCESSORS, compiled_for

Parts = dict[str, NDArray[np.float32]]
TABLES = {"words": 9, "pieces": 11, "characters": 7}


def _parts(random: np.random.Generator, units: int, sizes: tuple[int, int, int, int]) -> Parts:
    word, piece, character, filters = sizes
    shapes = {
        "words": (TABLES["words"], word),
        "pieces": (TABLES["pieces"], piece),
        "characters": (TABLES["characters"], character),
        "convolution": (3, character, filters),
        "lift": (filters,),
        "kernel": (word + PIECES * piece + filters, 8 * units),
        "bias": (8 * units,),
    }
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def _rows(random: np.random.Generator, count: int) -> FeatureRows:
    ends = [TABLES["words"], *[TABLES["pieces"]] * PIECES, *[TABLES["characters"]] * CHARACTERS]
    return random.integers(0, ends, size=(count, COLUMNS)).astype(np.int32)


def _expected(parts: Parts, row: NDArray[np.int32]) -> NDArray[np.float64]:
    exact = {name: value.astype(np.float64) for name, value in parts.items()}
    letters = exact["characters"][row[1 + PIECES :]]
    nothing = np.zeros((1, letters.shape[1]))
    read = np.concatenate([nothing, letters, nothing])
    filters = [
        sum(read[place + tap] @ exact["convolution"][tap] for tap in range(3)) + exact["lift"]
        for place in range(CHARACTERS)
    ]
    pieces = exact["pieces"][row[1 : 1 + PIECES]].ravel()
    inputs = np.concatenate([exact["words"][row[0]], pieces, np.maximum(0.0, filters).max(axis=0)])
    return np.asarray(inputs @ exact["kernel"] + exact["bias"])


@contextmanager
def _form(code: str) -> Iterator[Any]:
    if code == "numpy":
        yield NumpyWordNetwork
        return
    with compiled_for(code):
        yield CompiledWordNetwork


@pytest.mark.parametrize("code", ["numpy", *PROCESSORS])
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(1, 15),
    networks=st.integers(1, 3),
    units=st.sampled_from([4, 12, 100]),
    sizes=st.tuples(*[st.integers(1, 20)] * 4),
)
@settings(max_examples=40, deadline=None)
def test_what_words_bring_is_what_the_formulas_say(
    code: str, seed: int, count: int, networks: int, units: int, sizes: tuple[int, int, int, int]
) -> None:
    random = np.random.default_rng(seed)
    all_parts = [_parts(random, units, sizes) for _ in range(networks)]
    rows = _rows(random, count)
    with _form(code) as form:
        network = form([Entrance.of(parts) for parts in all_parts])
        gates = network(rows)
    assert (network.directions, network.width) == (2 * networks, 4 * units)
    assert gates.shape == (count, 2 * networks, 4 * units)
    for word, (number, parts) in itertools.product(range(count), enumerate(all_parts)):
        found = gates[word, 2 * number : 2 * number + 2].ravel()
        np.testing.assert_allclose(found, _expected(parts, rows[word]), rtol=1e-3, atol=1e-3)


def _save(folder: Path, parts: Parts) -> None:
    np.savez(folder / WORDS, **{f"{name}_0": value for name, value in parts.items()})  # type: ignore[arg-type]


def test_what_is_loaded_is_what_was_saved(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    parts, rows = _parts(random, 8, (5, 4, 3, 2)), _rows(random, 6)
    _save(tmp_path, parts)
    np.testing.assert_array_equal(load_word_network(tmp_path)(rows), open_word_network([Entrance.of(parts)])(rows))


@pytest.mark.parametrize("part", PARTS)
def test_a_package_is_refused_when_a_table_is_missing_or_does_not_fit(tmp_path: Path, part: str) -> None:
    parts = _parts(np.random.default_rng(0), 8, (5, 4, 3, 2))
    _save(tmp_path, {name: value for name, value in parts.items() if name != part})
    with pytest.raises(BrokenPackage, match=WORDS):
        load_word_network(tmp_path)
    _save(tmp_path, parts | {part: np.repeat(parts[part], 2, axis=-1)})
    with pytest.raises(BrokenPackage, match=WORDS):
        load_word_network(tmp_path)


def test_networks_of_different_sizes_are_refused(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    networks = [_parts(random, units, (5, 4, 3, 2)) for units in (4, 8)]
    arrays = {f"{name}_{number}": value for number, parts in enumerate(networks) for name, value in parts.items()}
    np.savez(tmp_path / WORDS, **arrays)  # type: ignore[arg-type]
    with pytest.raises(BrokenPackage, match="not of one size"):
        load_word_network(tmp_path)


@pytest.mark.skipif(not COMPILED, reason="built without a compiler")
@pytest.mark.parametrize("column", [0, 1, PIECES, 1 + PIECES, COLUMNS - 1])
@pytest.mark.parametrize("number", [-1, 100, 2**31 - 1])
def test_compiled_code_reads_no_row_that_a_table_does_not_have(column: int, number: int) -> None:
    random = np.random.default_rng(0)
    network, rows = CompiledWordNetwork([Entrance.of(_parts(random, 8, (5, 4, 3, 2)))]), _rows(random, 3)
    rows[1, column] = number
    with pytest.raises(ValueError, match="rows"):
        network(rows)
