"""Adam that touches only the rows of an embedding table that a batch used."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="ner_workbench")
class SparseAdam(keras.optimizers.Adam):
    """Keras' Adam, with the moments of unused embedding rows left as they are ("lazy" Adam).

    On large tables a step is several times faster than Keras' dense update; rare words keep their moments until
    they are met again.
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        if not isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        used, places = tf.unique(gradient.indices)
        change = tf.math.unsorted_segment_sum(gradient.values, places, tf.size(used))
        number = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, variable.dtype)
        mean, square = self._momentums[number], self._velocities[number]
        new_mean = self.beta_1 * tf.gather(mean.value, used) + (1 - self.beta_1) * change
        new_square = self.beta_2 * tf.gather(square.value, used) + (1 - self.beta_2) * change**2
        self.assign(mean, tf.IndexedSlices(new_mean, used))
        self.assign(square, tf.IndexedSlices(new_square, used))
        rate = tf.cast(learning_rate, variable.dtype)
        rate *= tf.sqrt(1 - tf.pow(self.beta_2, step)) / (1 - tf.pow(self.beta_1, step))
        change = rate * new_mean / (tf.sqrt(new_square) + self.epsilon)
        self.assign_sub(variable, tf.IndexedSlices(change, used))
