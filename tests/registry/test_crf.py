"""The CRF against brute force: every tag sequence is enumerated."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ner.errors import BrokenPackage
from ner.tags import tag_names
from registry.crf import best_tags, constrained, iob2_constraints, load_crf, marginals, span_probabilities
from tests.registry.enumeration import Case, cases, enumerated, sequences


@given(cases())
@settings(max_examples=60, deadline=None)
def test_the_best_tags_score_as_high_as_the_best_of_allsequences(case: Case) -> None:
    crf, emissions, lengths = case
    for path, scores, length in zip(best_tags(crf, emissions, lengths), emissions, lengths, strict=True):
        every = dict(sequences(crf, scores[:length]))
        found = tuple(int(tag) for tag in path[:length])
        assert every[found] == pytest.approx(max(every.values()), abs=1e-9)
        assert not path[length:].any()


@given(cases())
@settings(max_examples=60, deadline=None)
def test_span_probabilities_equal_enumeration(case: Case) -> None:
    crf, emissions, lengths = case
    expected = [enumerated(crf, scores[:length]) for scores, length in zip(emissions, lengths, strict=True)]
    found = span_probabilities(crf, emissions, lengths, [list(shares) for shares in expected])
    for shares, probabilities in zip(expected, found, strict=True):
        assert probabilities == pytest.approx(list(shares.values()), abs=1e-9)


@given(cases(), st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_what_lies_past_a_sentence_changes_nothing(case: Case, seed: int) -> None:
    crf, emissions, lengths = case
    noise = 100 * np.random.default_rng(seed).normal(size=(len(lengths), 3, len(crf.tags)))
    longer = np.concatenate([emissions, noise], axis=1)
    spans = [[(0, 1, "a")] for _ in lengths]
    assert span_probabilities(crf, longer, lengths, spans) == span_probabilities(crf, emissions, lengths, spans)
    assert np.array_equal(best_tags(crf, longer, lengths)[:, : emissions.shape[1]], best_tags(crf, emissions, lengths))


def test_probabilities_are_finite_when_scores_are_hundreds_of_nats_apart() -> None:
    tags = tag_names(["a"])
    crf = constrained(tags, np.zeros((3, 3)), np.zeros(3), np.zeros(3))
    emissions = np.array([[[0.0, -5000.0, 5000.0]] * 40])
    [[probability]] = span_probabilities(crf, emissions, np.array([40]), [[(0, 40, "a")]])
    assert 0.0 <= probability <= 1.0


def test_a_span_of_a_very_long_sentence_keeps_its_probability() -> None:
    crf = constrained(tag_names(["a"]), np.zeros((3, 3)), np.zeros(3), np.zeros(3))
    emissions = np.zeros((1, 3000, 3))
    [[middle]] = span_probabilities(crf, emissions, np.array([3000]), [[(1500, 1501, "a")]])
    short = span_probabilities(crf, emissions[:, :101], np.array([101]), [[(50, 51, "a")]])[0][0]
    assert middle == pytest.approx(short, abs=1e-12)


def test_inside_tags_stand_only_after_a_tag_of_their_label() -> None:
    allowed, may_start = iob2_constraints(["O", "B-a", "I-a", "B-b", "I-b"])
    assert may_start.tolist() == [True, True, False, True, False]
    assert allowed[:, 2].tolist() == [False, True, True, False, False]
    assert allowed[:, [0, 1, 3]].all()


def test_there_are_no_probabilities_when_there_are_no_spans() -> None:
    crf = constrained(tag_names(["a"]), np.zeros((3, 3)), np.zeros(3), np.zeros(3))
    assert span_probabilities(crf, np.zeros((2, 3, 3)), np.array([3, 1]), [[], []]) == [[], []]


@given(cases())
@settings(max_examples=10, deadline=None)
def test_a_saved_crf_is_the_same_when_loaded(tmp_path_factory: pytest.TempPathFactory, case: Case) -> None:
    crf = case[0]
    path = tmp_path_factory.mktemp("crf") / "crf.json"
    crf.save(path)
    loaded = load_crf(path)
    assert loaded.tags == crf.tags
    for name in ("transitions", "start", "end"):
        assert np.array_equal(getattr(loaded, name), getattr(crf, name))


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"tags": ["O"], "transitions": [[0]], "start": [0]})])
def test_a_broken_crf_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "crf.json").write_text(content, encoding="utf-8")
    with pytest.raises(BrokenPackage, match="is not a CRF"):
        load_crf(tmp_path / "crf.json")


@given(cases())
@settings(max_examples=40, deadline=None)
def test_tag_probabilities_are_those_of_enumeration_and_b_tags_sum_to_the_expected_entities(case: Case) -> None:
    crf, emissions, lengths = case
    found = marginals(crf, emissions, lengths, [[] for _ in lengths])
    starts = [number for number, tag in enumerate(crf.tags) if tag.startswith("B-")]
    for shares, scores, length in zip(found.tags, emissions, lengths, strict=True):
        every = list(sequences(crf, scores[:length]))
        best = max(score for _, score in every)
        weights = [np.exp(score - best) for _, score in every]
        expected = np.zeros((length, len(crf.tags)))
        for (path, _), weight in zip(every, weights, strict=True):
            expected[np.arange(length), path] += weight / sum(weights)
        assert shares[:length] == pytest.approx(expected, abs=1e-9)
        assert not shares[length:].any()
        entities = sum(enumerated(crf, scores[:length]).values())
        assert shares[:, starts].sum() == pytest.approx(entities, abs=1e-9)
