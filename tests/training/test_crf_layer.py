"""The CRF layer's loss against enumeration, and its written-out gradient against automatic differentiation."""

import itertools
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from ner.tags import tag_names
from training.crf_layer import CrfLayer

TAGS = tag_names(["a", "b"])
SIZE = len(TAGS)


def _layer(seed: int = 0, spread: float = 1.0) -> CrfLayer:
    random = np.random.default_rng(seed)
    layer = CrfLayer(TAGS)
    layer.build(None)
    for weight in layer.weights:
        weight.assign(spread * random.normal(size=weight.shape))
    return layer


def _batch(seed: int = 0, spread: float = 1.0) -> tuple[Any, Any, Any]:
    """Emissions (4, 5, tags), possible tags and lengths."""
    random = np.random.default_rng(seed)
    emissions = tf.constant(spread * random.normal(size=(4, 5, SIZE)), tf.float32)
    tags = tf.constant([[0, 1, 2, 2, 0], [1, 2, 3, 4, 4], [3, 0, 1, 0, 0], [0, 0, 0, 0, 0]], tf.int32)
    return emissions, tags, tf.constant([5, 3, 2, 1], tf.int32)


def _enumerated_loss(layer: CrfLayer, scores: np.ndarray[Any, Any], tags: Any) -> float:
    crf = layer.learned()

    def score(path: Any) -> float:
        steps = sum(crf.transitions[pair] for pair in itertools.pairwise(path))
        return float(
            crf.start[path[0]] + crf.end[path[-1]] + steps + sum(row[t] for row, t in zip(scores, path, strict=True))
        )

    every = np.array([score(path) for path in itertools.product(range(SIZE), repeat=len(scores))])
    return float(np.logaddexp.reduce(every) - score(tuple(tags)))


@pytest.mark.parametrize("spread", [0.1, 1.0, 4.0])
def test_the_loss_of_each_sentence_equals_enumeration(spread: float) -> None:
    layer, (emissions, tags, lengths) = _layer(1, spread), _batch(2, spread)
    losses = layer.negative_log_likelihood(emissions, tags, lengths).numpy()
    for loss, scores, path, length in zip(losses, emissions.numpy(), tags.numpy(), lengths.numpy(), strict=True):
        assert loss == pytest.approx(_enumerated_loss(layer, scores[:length], path[:length]), abs=1e-4)


def _plain_loss(layer: CrfLayer, emissions: Any, tags: Any, lengths: Any) -> Any:
    """The same loss by the textbook recursion in log space, left to automatic differentiation."""
    barrier, opening = (
        np.where(np.isfinite(part), 0.0, -1e4) for part in (layer.learned().transitions, layer.learned().start)
    )
    steps, start = (
        layer.transitions.value + tf.cast(barrier, tf.float32),
        layer.start.value + tf.cast(opening, tf.float32),
    )
    forward = start + emissions[:, 0]
    path = tf.gather(start, tags[:, 0]) + tf.gather(emissions[:, 0], tags[:, 0], batch_dims=1)
    for token in range(1, emissions.shape[1]):
        inside = token < lengths
        following = tf.reduce_logsumexp(forward[:, :, None] + steps, axis=1) + emissions[:, token]
        forward = tf.where(inside[:, None], following, forward)
        step = tf.gather_nd(steps, tags[:, token - 1 : token + 1]) + tf.gather(
            emissions[:, token], tags[:, token], batch_dims=1
        )
        path += tf.where(inside, step, 0.0)
    last = tf.gather(tags, lengths - 1, batch_dims=1)
    return tf.reduce_logsumexp(forward + layer.end.value, axis=1) - path - tf.gather(layer.end.value, last)


def test_the_gradient_equals_automatic_differentiation_of_the_textbook_recursion() -> None:
    layer, (emissions, tags, lengths) = _layer(3), _batch(4)
    weights = tf.constant([1.0, -2.0, 0.5, 3.0])
    sources = [emissions, layer.transitions.value, layer.start.value, layer.end.value]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(emissions)
        ours = tf.reduce_sum(weights * layer.negative_log_likelihood(emissions, tags, lengths))
        plain = tf.reduce_sum(weights * _plain_loss(layer, emissions, tags, lengths))
    assert float(ours) == pytest.approx(float(plain), abs=1e-4)
    for left, right in zip(tape.gradient(ours, sources), tape.gradient(plain, sources), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-4)


def test_padding_changes_neither_loss_nor_gradient() -> None:
    layer, (emissions, tags, lengths) = _layer(5), _batch(6)
    noise = tf.random.stateless_normal([4, 3, SIZE], seed=[1, 2]) * 50
    longer, longer_tags = tf.concat([emissions, noise], axis=1), tf.pad(tags, [[0, 0], [0, 3]], constant_values=1)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([emissions, longer])
        short = layer.negative_log_likelihood(emissions, tags, lengths)
        long = layer.negative_log_likelihood(longer, longer_tags, lengths)
    np.testing.assert_allclose(short, long, atol=1e-5)
    gradient = tape.gradient(long, longer).numpy()
    np.testing.assert_allclose(gradient[:, :5], tape.gradient(short, emissions), atol=1e-5)
    assert not gradient[:, 5:].any()


def test_loss_and_gradient_stay_finite_when_scores_are_thousands_apart() -> None:
    layer, (emissions, tags, lengths) = _layer(), _batch(7, 1000.0)
    with tf.GradientTape() as tape:
        tape.watch(emissions)
        loss = layer.negative_log_likelihood(emissions, tags, lengths)
    assert np.isfinite(loss).all()
    assert np.isfinite(tape.gradient(loss, emissions)).all()


def test_forbidden_transitions_stay_forbidden_whatever_is_learned() -> None:
    layer = _layer()
    layer.transitions.assign(np.full((SIZE, SIZE), 7.0))
    crf = layer.learned()
    assert crf.transitions[TAGS.index("O"), TAGS.index("I-a")] == -np.inf
    assert crf.transitions[TAGS.index("B-a"), TAGS.index("I-a")] == 7.0


def test_the_layer_is_rebuilt_from_its_config() -> None:
    assert CrfLayer.from_config(_layer().get_config()).tags == tuple(TAGS)
