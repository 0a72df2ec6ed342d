"""The loss of single judgements against enumeration of every path, and what it does to a model."""

import itertools
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.offers import PartialLabels
from ner.documents import EntitySpan
from ner.tags import TokenSpan, decode_tags, tag_names
from training.crf_layer import CrfLayer
from training.judged_loss import judged_loss, judgements_of
from training.sentences import Sentence, cut_judged

TAGS = tag_names(["a", "b"])
TIME = 5


def _shapes(dtype: str) -> list[tf.TensorSpec]:
    floats, whole = [tf.TensorSpec([None, None, size], dtype) for size in (len(TAGS), None)], tf.int32
    return [
        *(floats[0], tf.TensorSpec([None], whole), floats[0]),
        *(tf.TensorSpec([None, None, None], whole), floats[1], floats[1]),
    ]


_POSSIBLE = {
    length: [
        (path, set(decode_tags([TAGS[tag] for tag in path])))
        for path in itertools.product(range(len(TAGS)), repeat=length)
        if all(
            TAGS[tag][0] != "I" or (place and TAGS[path[place - 1]][1:] == TAGS[tag][1:])
            for place, tag in enumerate(path)
        )
    ]
    for length in range(1, TIME + 1)
}


def _layer(seed: int, spread: float = 1.0, dtype: str = "float32") -> CrfLayer:
    random = np.random.default_rng(seed)
    layer = CrfLayer(TAGS, dtype=dtype)
    layer.build(None)
    for weight in layer.weights:
        weight.assign(spread * random.normal(size=weight.shape))
    return layer


def _loss(layer: CrfLayer, emissions: Any, lengths: list[int], sentences: list[Sentence]) -> Any:
    found = judgements_of(sentences, TAGS, TIME)
    dtype = layer.variable_dtype
    compute = tf.function(lambda *parts: judged_loss(layer, *parts), input_signature=_shapes(dtype))
    return compute(
        tf.constant(emissions, dtype),
        tf.constant(lengths, tf.int32),
        tf.constant(found.allowed, dtype),
        tf.constant(found.entries),
        *(tf.constant(part, dtype) for part in (found.ends, found.lasts)),
    )


def _enumerated(layer: CrfLayer, scores: Any, accepted: list[TokenSpan], rejected: list[TokenSpan]) -> float:
    crf = layer.learned()
    every, agreeing = [], []
    for path, spans in _POSSIBLE[len(scores)]:
        steps = sum(crf.transitions[pair] for pair in itertools.pairwise(path))
        total = crf.start[path[0]] + crf.end[path[-1]] + steps + sum(scores[np.arange(len(path)), path])
        every.append(total)
        if set(accepted) <= spans and not set(rejected) & spans:
            agreeing.append(total)
    return float(np.logaddexp.reduce(every) - np.logaddexp.reduce(agreeing))


def _judged(draw: Any, length: int) -> Sentence:
    every = [(s, e, x) for s in range(length) for e in range(s + 1, length + 1) for x in "ab"]
    chosen = draw(st.lists(st.sampled_from(every), unique=True, max_size=5))
    accepted: list[TokenSpan] = []
    for span in chosen[: draw(st.integers(0, 2))]:
        if all(span[1] <= other[0] or other[1] <= span[0] for other in accepted):
            accepted.append(span)
    return Sentence(["w"] * length, accepted, [span for span in chosen if span not in accepted])


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-9), ("float32", 2e-3)])
@settings(max_examples=15, deadline=None)
@given(data=st.data(), seed=st.integers(0, 1000), spread=st.sampled_from([0.1, 1.0, 3.0]))
def test_the_loss_equals_enumeration_whatever_was_judged(
    dtype: str, tolerance: float, data: st.DataObject, seed: int, spread: float
) -> None:
    lengths = data.draw(st.lists(st.integers(1, TIME), min_size=2, max_size=3))
    sentences = [data.draw(st.composite(_judged)(length)) for length in lengths]
    layer = _layer(seed, spread, dtype)
    emissions = spread * np.random.default_rng(seed + 1).normal(size=(len(lengths), TIME, len(TAGS)))
    losses = _loss(layer, emissions, lengths, sentences).numpy()
    for loss, scores, length, one in zip(losses, emissions, lengths, sentences, strict=True):
        assert loss == pytest.approx(_enumerated(layer, scores[:length], one.spans, one.rejected), abs=tolerance)


def test_sentences_keep_what_was_judged_in_them_and_leave_out_what_no_tokens_cover() -> None:
    text = "Ada met Bob. Nothing was said. Cyd left Oslo."
    judged = PartialLabels(
        "1",
        text,
        [EntitySpan(0, 3, "a"), EntitySpan(8, 10, "a"), EntitySpan(31, 34, "other")],
        [EntitySpan(8, 11, "b"), EntitySpan(0, 7, "b"), EntitySpan(0, 3, "b")],
    )
    sentences = cut_judged([judged, PartialLabels("2", "Unjudged text.", [], [])], ["a", "b"])
    assert [(one.spans, sorted(one.rejected)) for one in sentences if one.words[0] == "Ada"] == [
        ([(0, 1, "a")], [(0, 1, "b"), (0, 2, "b"), (2, 3, "b")])
    ]
    assert len(sentences) == 1


def test_what_was_not_judged_costs_nothing() -> None:
    losses = _loss(
        _layer(1), np.random.default_rng(2).normal(size=(1, TIME, len(TAGS))), [4], [Sentence(["w"] * 4, [])]
    )
    assert losses.numpy() == pytest.approx([0.0], abs=1e-4)


def test_a_rejected_span_stays_possible_longer_shorter_and_with_another_label() -> None:
    layer, emissions = _layer(3), np.zeros((1, TIME, len(TAGS)), np.float32)
    for tag, token in ((1, 0), (2, 1), (2, 2), (0, 3), (0, 4)):
        emissions[0, token, tag] = 60.0
    sure = float(_loss(layer, emissions, [5], [Sentence(["w"] * 5, [], [(0, 3, "a")])])[0])
    other = [(0, 2, "a"), (0, 4, "a"), (0, 3, "b"), (1, 3, "a")]
    beside = float(_loss(layer, emissions, [5], [Sentence(["w"] * 5, [], other)])[0])
    assert 20 < sure < 100
    assert beside < 2


def test_the_gradient_is_finite_and_equals_differences_where_the_model_was_sure_of_a_rejected_span() -> None:
    layer, judged = _layer(4), [Sentence(["w"] * 4, [(3, 4, "b")], [(0, 2, "a"), (0, 1, "a"), (1, 2, "b")])]
    emissions = np.random.default_rng(5).normal(size=(1, TIME, len(TAGS)))
    emissions[0, 0, 1] = emissions[0, 1, 2] = 8.0
    with tf.GradientTape() as tape:
        scores = tf.constant(emissions, tf.float32)
        tape.watch(scores)
        found = judgements_of(judged, TAGS, TIME)
        loss = judged_loss(
            layer, scores, tf.constant([4]), found.allowed, tf.constant(found.entries), found.ends, found.lasts
        )
    gradient = tape.gradient(loss, scores).numpy()
    assert np.isfinite(gradient).all()
    for token, tag in ((0, 1), (1, 2), (2, 0), (3, 3)):
        moved = [emissions.copy() for _ in range(2)]
        moved[0][0, token, tag] += 0.05
        moved[1][0, token, tag] -= 0.05
        up, down = (_enumerated(layer, one[0, :4], judged[0].spans, judged[0].rejected) for one in moved)
        assert gradient[0, token, tag] == pytest.approx((up - down) / 0.1, abs=0.01)
