"""The four schemes against nervaluate, and against each other."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nervaluate import Evaluator

from ner.documents import EntitySpan
from ner.outcomes import OUTCOMES, match_spans
from ner.schemes import SCHEMES, scheme_scores

LABELS = ["geo", "org", "per"]
_THEIRS = {"strict": "strict", "exact": "exact", "partial": "partial", "type": "ent_type"}
Spans = list[EntitySpan]


@st.composite
def one_to_one(draw: st.DrawFn) -> tuple[Spans, Spans]:
    """Spans of which each overlaps at most one of the other side: room for one pair every 20 characters."""
    gold, found = [], []
    for place in range(draw(st.integers(0, 6))):
        for side in (gold, found):
            if draw(st.booleans()):
                start = 20 * place + draw(st.integers(0, 4))
                side.append(EntitySpan(start, start + draw(st.integers(5, 9)), draw(st.sampled_from(LABELS))))
    return gold, found


def _outcomes(documents: list[tuple[Spans, Spans]]) -> Counter[str]:
    return Counter(outcome for gold, found in documents for outcome, _, _ in match_spans(gold, found))


def _as_theirs(spans: Spans) -> list[dict[str, object]]:
    return [{"label": span.label, "start": span.start, "end": span.end - 1} for span in spans]


@given(st.lists(one_to_one(), min_size=1, max_size=6))
def test_every_scheme_equals_nervaluate_when_no_span_overlaps_two(documents: list[tuple[Spans, Spans]]) -> None:
    gold, found = ([_as_theirs(pair[side]) for pair in documents] for side in (0, 1))
    theirs = Evaluator(gold, found, tags=LABELS, loader="dict").evaluate()["overall"]
    for scheme, ours in scheme_scores(_outcomes(documents)).items():
        other = theirs[_THEIRS[scheme]]
        assert (ours.right, ours.half, ours.wrong, ours.missed, ours.spurious) == (
            other.correct,
            other.partial,
            other.incorrect,
            other.missed,
            other.spurious,
        )
        assert (ours.precision, ours.recall) == pytest.approx((other.precision, other.recall))
        assert ours.f1 == pytest.approx(other.f1)


@given(st.fixed_dictionaries({outcome: st.integers(0, 50) for outcome in OUTCOMES}))
def test_a_lenient_scheme_never_scores_lower_than_a_stricter_one(outcomes: dict[str, int]) -> None:
    scores = {scheme: score.f1 for scheme, score in scheme_scores(outcomes).items()}
    assert scores["strict"] <= scores["exact"] <= scores["partial"]
    assert scores["strict"] <= scores["type"]


def test_nervaluate_is_known_to_differ_when_a_span_overlaps_two() -> None:
    # It pairs in the order of the text: the short overlap first, and nothing is left for the long one.
    gold = [EntitySpan(0, 12, "per")]
    found = [EntitySpan(0, 2, "geo"), EntitySpan(4, 12, "per")]
    ours = scheme_scores(_outcomes([(gold, found)]))["type"]
    theirs = Evaluator([_as_theirs(gold)], [_as_theirs(found)], tags=LABELS, loader="dict").evaluate()
    assert (ours.right, ours.spurious) == (1, 1)
    assert (theirs["overall"]["ent_type"].correct, theirs["overall"]["ent_type"].incorrect) == (0, 1)


def test_nothing_scores_zero_when_there_is_nothing() -> None:
    assert {score.f1 for score in scheme_scores({}).values()} == {0.0}
    assert tuple(scheme_scores({})) == SCHEMES
