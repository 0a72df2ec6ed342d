"""Network and CRF in one call of compiled code: the same as one after the other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ner.tags import tag_names
from registry.calibration import Calibration
from registry.compiled import COMPILED
from registry.crf import constrained
from registry.decoding import CompiledDecoder, Found
from registry.recurrence import CompiledRecurrence, fused
from registry.sequences import pack

pytestmark = pytest.mark.skipif(not COMPILED, reason="built without a compiler")
TAGS = tag_names(["a", "b", "c"])


def _parts(seed: int, units: int) -> tuple[np.random.Generator, CompiledRecurrence, CompiledDecoder]:

    random = np.random.default_rng(seed)
    size = len(TAGS)
    shapes = [(2, units, 4 * units), (2, units, size), (size,)]
    weights = [random.normal(scale=0.4, size=shape).astype(np.float32) for shape in shapes]
    crf = constrained(TAGS, random.normal(size=(size, size)), random.normal(size=size), random.normal(size=size))
    return random, CompiledRecurrence(*weights), CompiledDecoder(crf, Calibration(1.4))


@given(
    seed=st.integers(0, 2**32),
    lengths=st.lists(st.integers(1, 20), min_size=1, max_size=12),
    units=st.sampled_from([4, 20, 100]),
)
@settings(max_examples=60, deadline=None)
def test_it_finds_what_network_and_decoder_find_one_after_the_other(seed: int, lengths: list[int], units: int) -> None:

    random, recurrence, decoder = _parts(seed, units)
    lengths = sorted(lengths, reverse=True)
    gates = random.normal(scale=3.0, size=(9, 2, 4 * units)).astype(np.float32)
    places = random.integers(0, 9, size=sum(lengths)).astype(np.intp)
    packed = pack(lengths[0], lengths)
    emissions = np.zeros((len(lengths), lengths[0], len(TAGS)), dtype=np.float32)
    emissions[packed.sequences, packed.steps] = recurrence(gates, places[packed.words], packed)
    sizes = np.array(lengths, dtype=np.int32)

    expected = decoder(emissions, sizes)
    found = Found.room_for(len(lengths), lengths[0])
    answer = decoder.read(found, fused(recurrence, decoder.crf, gates, places, sizes, found))

    assert answer.spans == expected.spans
    np.testing.assert_array_equal(answer.starts, expected.starts)


@pytest.mark.parametrize(
    ("lengths", "place", "message"),
    [
        ([2, 3], 0, "longest must come first"),
        ([3, 1], 0, "sum be the number of words"),
        ([4, 1], 0, "4 is not from 1 to 3"),
        ([3, 2], 9, "places: 9 is not below 9"),
    ],
)
def test_what_does_not_fit_is_refused_instead_of_read_beyond(lengths: list[int], place: int, message: str) -> None:

    _, recurrence, decoder = _parts(1, 4)
    gates, places = np.zeros((9, 2, 16), dtype=np.float32), np.full(5, place, dtype=np.intp)
    found = Found.room_for(2, 3)
    with pytest.raises(ValueError, match=message):
        fused(recurrence, decoder.crf, gates, places, np.array(lengths, dtype=np.int32), found)
