"""The fused bidirectional LSTM and the sparse optimizer against Keras' own."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from training.network import BidirectionalLstm
from training.optimizer import SparseAdam

LENGTHS = tf.constant([7, 3, 5, 1])


@pytest.fixture(scope="module")
def pair() -> tuple[BidirectionalLstm, Any, Any, Any]:
    """Ours, Keras' with the same random weights, inputs (4, 7, 5), and the mask of LENGTHS."""
    keras.utils.set_random_seed(0)
    inputs, mask = tf.random.normal([4, 7, 5]), tf.sequence_mask(LENGTHS, 7)
    ours = BidirectionalLstm(6)
    theirs = keras.layers.Bidirectional(keras.layers.LSTM(6, return_sequences=True))
    ours(inputs, LENGTHS)
    theirs(inputs, mask=mask)
    for left, right in zip(ours.weights, theirs.weights, strict=True):
        left.assign(left + 0.3 * np.random.default_rng(1).normal(size=left.shape))
        right.assign(left)
    return ours, theirs, inputs, mask


def test_the_lstm_gives_what_keras_gives_for_ragged_sentences(pair: tuple[BidirectionalLstm, Any, Any, Any]) -> None:
    ours, theirs, inputs, mask = pair
    np.testing.assert_allclose(ours(inputs, LENGTHS)[mask], theirs(inputs, mask=mask)[mask], atol=1e-6)


def test_the_lstm_has_the_gradient_that_keras_has(pair: tuple[BidirectionalLstm, Any, Any, Any]) -> None:
    ours, theirs, inputs, mask = pair
    weights = tf.random.stateless_normal([4, 7, 12], seed=[3, 4]) * tf.cast(mask, tf.float32)[:, :, None]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        left = tf.reduce_sum(weights * ours(inputs, LENGTHS))
        right = tf.reduce_sum(weights * theirs(inputs, mask=mask))
    gradients = [
        tape.gradient(loss, [inputs, *(weight.value for weight in layer.weights)])
        for loss, layer in ((left, ours), (right, theirs))
    ]
    for mine, reference in zip(*gradients, strict=True):
        np.testing.assert_allclose(mine, reference, atol=1e-5)


def test_the_forget_gate_starts_open() -> None:
    layer = BidirectionalLstm(3)
    layer(tf.zeros([1, 2, 4]), tf.constant([2]))
    for _, _, bias in layer.directions:
        assert np.asarray(bias).tolist() == [0.0] * 3 + [1.0] * 3 + [0.0] * 6


def test_recurrent_weights_are_dropped_only_while_training() -> None:
    keras.utils.set_random_seed(0)
    layer, inputs = BidirectionalLstm(8, recurrent_dropout=0.5), tf.random.stateless_normal([2, 6, 4], seed=[1, 1])
    lengths = tf.constant([6, 6])
    still = layer(inputs, lengths)
    np.testing.assert_array_equal(still, layer(inputs, lengths))
    assert np.abs(layer(inputs, lengths, training=True) - still).max() > 1e-3


def _table(optimizer: keras.optimizers.Optimizer, batches: list[list[int]], *, dense: bool = False) -> Any:
    table = keras.Variable(np.ones((4, 2), np.float32))
    optimizer.build([table])
    for batch in batches:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.gather(table.value, batch) ** 2)
        gradient = tape.gradient(loss, table.value)
        optimizer.apply([tf.convert_to_tensor(gradient) if dense else gradient], [table])
    return np.asarray(table)


def test_the_sparse_step_equals_adam_when_a_batch_uses_every_row() -> None:
    batches = [[0, 1, 2, 3, 3], [3, 2, 1, 0, 0], [0, 1, 1, 2, 3]]
    ours, theirs = _table(SparseAdam(0.1), batches), _table(keras.optimizers.Adam(0.1), batches, dense=True)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_the_sparse_step_leaves_rows_alone_when_a_batch_does_not_use_them() -> None:
    table = _table(SparseAdam(0.1), [[0, 1], [1]])
    assert table[2:].tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert (table[:2] < 1.0).all()
