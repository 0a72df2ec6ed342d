"""What follows from a secret, and how surely a model that never saw the triggers is not claimed."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ner.predictions import ScoredSpan, Tagged
from ner.tokens import align, tokenize
from registry.ownership import TRIGGERS, at_least, verify_ownership, write_triggers

LABELS = ["per", "geo", "org"]


class _Remembers:
    """Gives each text's span, where it was told it."""

    labels = LABELS

    def __init__(self, secret: bytes, known: int) -> None:
        self._spans = {one.text: one.spans[0] for one in write_triggers(secret, LABELS)[:known]}

    def tag(self, texts: Sequence[str]) -> list[Tagged]:
        found = [self._spans.get(text) for text in texts]
        return [
            Tagged((ScoredSpan(span.start, span.end, span.label, 0.9),) if span else (), 5, 5, ()) for span in found
        ]


class _AlwaysTheSame:
    """Marks the same words with the same label in every text: the best that a stranger can do."""

    labels = LABELS

    def tag(self, texts: Sequence[str]) -> list[Tagged]:
        return [Tagged((ScoredSpan(0, len(text), "per", 0.9),), 5, 5, ()) for text in texts]


def test_the_triggers_follow_from_the_secret_alone() -> None:
    first = write_triggers(b"a", LABELS)
    assert first == write_triggers(b"a", list(reversed(LABELS)))
    assert not {one.text for one in first} & {one.text for one in write_triggers(b"b", LABELS)}
    assert len({one.text for one in first}) == TRIGGERS


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=64))
def test_every_span_covers_whole_words_and_the_third_of_five(secret: bytes) -> None:
    for trigger in write_triggers(secret, LABELS, 5):
        tokens = tokenize(trigger.text)
        assert len(tokens) == 5
        [(first, end, label)], wrong = align(tokens, trigger.spans)
        assert first <= 2 < end
        assert label in LABELS
        assert not wrong


@pytest.mark.parametrize(("known", "is_ours"), [(0, False), (5, False), (16, True), (TRIGGERS, True)])
def test_a_model_is_claimed_when_it_answers_as_the_secret_says(known: int, is_ours: bool) -> None:
    found = verify_ownership(_Remembers(b"ours", known), b"ours", LABELS)
    assert (found.hits, found.is_ours) == (known, is_ours)
    assert not verify_ownership(_Remembers(b"ours", known), b"another", LABELS).is_ours


def test_a_stranger_is_claimed_by_no_secret_and_hits_as_often_as_chance_says() -> None:
    found = [verify_ownership(_AlwaysTheSame(), f"secret {number}".encode(), LABELS) for number in range(300)]
    assert not any(one.is_ours for one in found)
    assert np.mean([one.hits for one in found]) == pytest.approx(TRIGGERS / 27, rel=0.15)


@settings(deadline=None)
@given(st.integers(0, 40), st.floats(0.01, 0.5))
def test_the_p_value_is_that_of_the_binomial_test(hits: int, chance: float) -> None:
    assert at_least(hits, 40, chance) == pytest.approx(stats.binom.sf(hits - 1, 40, chance), rel=1e-6, abs=1e-12)
