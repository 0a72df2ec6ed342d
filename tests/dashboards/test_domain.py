import random

import numpy as np
import pytest

from dashboards.domain import BUCKETS, foreign_share, out_of_reference, reference_of
from dashboards.windows import Window, tagged_window
from ner.predictions import Tagged
from tests.dashboards.traffic_log import a_text


def a_window(seed: int, count: int, *, strange_documents: int = 0) -> Window:
    """Texts of which the first `strange_documents` have words of their own."""
    generator = random.Random(seed)
    pairs = [a_text(generator) for _ in range(count)]
    for place in range(strange_documents):
        text, tagged = pairs[place]
        other = tuple(generator.randrange(50) * 7_919 + 13 for _ in tagged.word_sample)
        pairs[place] = text, Tagged(tagged.spans, tagged.tokens, tagged.unknown_tokens, other)
    return tagged_window([text for text, _ in pairs], [tagged for _, tagged in pairs])


@pytest.fixture(scope="module")
def profile() -> dict[str, str]:
    return {"reference_documents": reference_of(a_window(1, 2_000))}


@pytest.mark.parametrize("count", [50, 500, 4_000, 20_000])
def test_no_text_is_foreign_when_nothing_has_changed_whatever_the_volume(profile: dict[str, str], count: int) -> None:
    effect = foreign_share(a_window(count, count), profile)
    assert effect is not None
    assert effect.low < 0.005
    assert effect.low <= effect.size <= effect.high


def test_the_share_of_foreign_texts_is_bounded_from_below_when_some_are_mixed_in(profile: dict[str, str]) -> None:
    effect = foreign_share(a_window(3, 1_000, strange_documents=150), profile)
    assert effect is not None
    assert 0.05 < effect.low < effect.size <= 0.155


def test_foreign_texts_stand_out_when_each_is_placed_among_the_reference() -> None:
    def codes(window: Window) -> np.ndarray:
        return np.array([[abs(w) % BUCKETS + BUCKETS * (w < 0) for w in words[:16]] + [2 * BUCKETS] * (16 - len(words))
                         for words in window.words])  # fmt: skip

    place = out_of_reference(codes(a_window(1, 1_000)), codes(a_window(2, 1_000, strange_documents=100)))
    assert np.median(place[:100]) > 0.95
    assert 0.4 < place[100:].mean() < 0.55
    assert ((place >= 0) & (place <= 1)).all()


def test_copies_of_one_text_do_not_look_foreign_when_they_come_a_thousand_times(profile: dict[str, str]) -> None:
    usual = a_window(5, 40)
    copies = Window(
        *(np.tile(part, 25) for part in (usual.characters, usual.tokens, usual.unknown)),
        usual.labels,
        np.tile(usual.entities, (25, 1)),
        np.tile(usual.confidences, (25, 1)),
        usual.words * 25,
        np.tile(usual.ids, 25),
    )
    effect = foreign_share(copies, profile)
    assert effect is not None
    assert effect.size < 0.2


@pytest.mark.parametrize("profile", [{}, {"reference_documents": ""}])
def test_nothing_is_said_when_a_profile_holds_no_documents(profile: dict[str, str]) -> None:
    assert foreign_share(a_window(6, 100), profile) is None


def test_nothing_is_said_when_there_is_next_to_no_traffic(profile: dict[str, str]) -> None:
    assert foreign_share(a_window(7, 5), profile) is None
