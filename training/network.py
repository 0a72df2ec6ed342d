"""The network under the CRF: tables of embeddings, a character convolution, and a BiLSTM, in Keras.

The architecture follows Lample et al. (2016) and Ma & Hovy (2016), with affixes and shape beside the characters.
"""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from registry.features import PIECES


@keras.saving.register_keras_serializable(package="ner_workbench")
class BidirectionalLstm(keras.layers.Layer):
    """Both directions of an LSTM over sentences of different lengths: (batch, time, inputs) to (batch, time, 2 units).

    Equal to `keras.layers.Bidirectional(LSTM(units))` with a mask, for the tokens within each length; what it gives
    past a length is not defined. Each direction is one fused CPU kernel, about ten times faster than Keras' loop over
    masked steps. While training, `recurrent_dropout` drops recurrent weights (Merity et al. 2018).
    """

    def __init__(self, units: int, *, recurrent_dropout: float = 0.0, **settings: Any) -> None:
        super().__init__(**settings)
        self.units = units
        self.recurrent_dropout = recurrent_dropout
        self._drop = keras.layers.Dropout(recurrent_dropout)

    def build(self, input_shape: Any) -> None:
        self.directions = [self._direction(name, int(input_shape[-1])) for name in ("forward", "backward")]
        self.built = True

    def _direction(self, name: str, inputs: int) -> tuple[Any, Any, Any]:
        kernel = self.add_weight(shape=(inputs, 4 * self.units), initializer="glorot_uniform", name=f"{name}_kernel")
        recurrent = self.add_weight(
            shape=(self.units, 4 * self.units), initializer="orthogonal", name=f"{name}_recurrent"
        )
        bias = self.add_weight(shape=(4 * self.units,), initializer=_open_forget_gate, name=f"{name}_bias")
        return kernel, recurrent, bias

    def call(self, inputs: Any, lengths: Any, training: bool = False) -> Any:
        forward, backward = self.directions
        left = self._run(inputs, forward, training)
        right = tf.reverse_sequence(inputs, lengths, seq_axis=1)
        right = tf.reverse_sequence(self._run(right, backward, training), lengths, seq_axis=1)
        return ops.concatenate([left, right], axis=-1)

    def _run(self, inputs: Any, direction: tuple[Any, Any, Any], training: bool) -> Any:
        kernel, recurrent, bias = direction
        steps = tf.transpose(inputs, [1, 0, 2])
        nothing = tf.zeros([tf.shape(inputs)[0], self.units])
        no_peephole = tf.zeros([self.units])
        result = tf.raw_ops.BlockLSTM(
            seq_len_max=tf.shape(steps, out_type=tf.int64)[0],
            x=steps,
            cs_prev=nothing,
            h_prev=nothing,
            w=_kernel_order(ops.concatenate([kernel, self._drop(recurrent, training=training)], axis=0)),
            wci=no_peephole,
            wcf=no_peephole,
            wco=no_peephole,
            b=_kernel_order(bias),
            forget_bias=0.0,
            cell_clip=0.0,
            use_peephole=False,
        )
        return tf.transpose(result.h, [1, 0, 2])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "recurrent_dropout": self.recurrent_dropout}


def _kernel_order(weights: Any) -> Any:
    """Keras' gates input, forget, cell, output along the last axis to BlockLSTM's input, cell, forget, output.

    BlockLSTMV2 has Keras' order, but TensorFlow 2.21 gives it the gradient of BlockLSTM, which is wrong for it.
    """
    entry, forget, cell, output = tf.split(weights, 4, axis=-1)
    return tf.concat([entry, cell, forget, output], axis=-1)


def _open_forget_gate(shape: tuple[int, ...], dtype: Any = None) -> Any:
    units = shape[0] // 4
    return ops.concatenate([ops.zeros(units, dtype), ops.ones(units, dtype), ops.zeros(2 * units, dtype)])


class Network(keras.Model):
    """Rows of feature ids (batch, time, columns) and lengths (batch,) to scores of tags (batch, time, tags)."""

    def __init__(self, sizes: dict[str, int], tags: int, parameters: Any) -> None:
        super().__init__(name="network")
        self.words = keras.layers.Embedding(sizes["words"], parameters.word_dimension, name="words")
        self.pieces = keras.layers.Embedding(sizes["pieces"], parameters.piece_dimension, name="pieces")
        self.characters = keras.layers.Embedding(sizes["characters"], parameters.character_dimension, name="characters")
        self.convolution = keras.layers.Conv1D(
            parameters.character_filters, 3, padding="same", activation="relu", name="convolution"
        )
        self.token_dropout = keras.layers.Dropout(parameters.token_dropout, noise_shape=(None, None, 1))
        # One mask for all tokens of a sentence (Gal and Ghahramani 2016).
        self.input_dropout = keras.layers.SpatialDropout1D(parameters.input_dropout)
        self.lstm = BidirectionalLstm(
            parameters.lstm_units, recurrent_dropout=parameters.recurrent_dropout, name="lstm"
        )
        self.output_dropout = keras.layers.Dropout(parameters.output_dropout)
        self.scores = keras.layers.Dense(tags, name="scores")

    def call(self, rows: Any, lengths: Any, training: bool = False) -> Any:
        batch, time = ops.shape(rows)[0], ops.shape(rows)[1]
        words = self.words(rows[:, :, 0])
        pieces = ops.reshape(self.pieces(rows[:, :, 1 : 1 + PIECES]), (batch, time, PIECES * self.pieces.output_dim))
        letters = self.characters(ops.reshape(rows[:, :, 1 + PIECES :], (batch * time, -1)))
        letters = ops.max(self.convolution(letters), axis=1)
        letters = ops.reshape(letters, (batch, time, self.convolution.filters))
        inputs = self.token_dropout(ops.concatenate([words, pieces, letters], axis=-1), training=training)
        inputs = self.input_dropout(inputs, training=training)
        hidden = self.output_dropout(self.lstm(inputs, lengths, training=training), training=training)
        return self.scores(hidden)
