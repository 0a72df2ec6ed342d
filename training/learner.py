"""One network with its CRF while it learns: the compiled step, the average of its weights, and its scores."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from registry.crf import Crf
from registry.features import COLUMNS, Vocabulary
from training.batches import Batch
from training.checkpoints import Arrays
from training.crf_layer import CrfLayer
from training.judged_loss import Judgements, judged_loss
from training.network import Network
from training.optimizer import SparseAdam

_ROWS = tf.TensorSpec([None, None, COLUMNS], tf.int32)
_TAGS = tf.TensorSpec([None, None], tf.int32)
_LENGTHS = tf.TensorSpec([None], tf.int32)
_PLACES = tf.TensorSpec([None, None, None], tf.int32)
_FLAGS = tf.TensorSpec([None, None, None], tf.float32)


@dataclass(frozen=True, slots=True)
class Parameters:
    """The recipe's hyper-parameters.

    `epochs` is the most there may be for each member. `word_dropout` d makes a word seen n times unknown with chance
    d / (d + n); `token_dropout` is the chance that everything about a token is hidden; `warmup` the share of all steps
    in which the learning rate rises, before it falls to zero; `averaging` the share of the averaged weights that a
    step keeps; `members` the number of networks that learn one after another and answer together, 0
    for two, or one on a large corpus.
    """

    epochs: int
    patience: int
    members: int
    batch_size: int
    learning_rate: float
    warmup: float
    averaging: float
    gradient_clip: float
    word_dimension: int
    piece_dimension: int
    character_dimension: int
    character_filters: int
    lstm_units: int
    word_count: int
    piece_count: int
    word_dropout: float
    token_dropout: float
    input_dropout: float
    recurrent_dropout: float
    output_dropout: float
    seed: int


class Learner:
    """A network and its CRF, and the two compiled functions over them.

    Besides the weights that learn, a moving average of them is kept (Polyak and Juditsky 1992), which scores better
    and hardly depends on where in an epoch one stops.
    """

    def __init__(self, vocabulary: Vocabulary, tags: Sequence[str], parameters: Parameters) -> None:
        self.network = Network(vocabulary.sizes(), len(tags), parameters)
        self._crf = CrfLayer(tags, name="crf")
        self._crf.build(None)
        self.network(np.zeros((1, 2, COLUMNS), np.int32), np.array([2], np.int32))
        self._variables = self.network.trainable_variables + self._crf.trainable_variables
        self._averages = [tf.Variable(variable.value, trainable=False) for variable in self._variables]
        self._averaging, self._clip = parameters.averaging, parameters.gradient_clip
        self._optimizer = SparseAdam(parameters.learning_rate)
        self._optimizer.build(self._variables)
        self._compiled_step = tf.function(self._step, input_signature=[_ROWS, _TAGS, _LENGTHS])
        allowed = tf.TensorSpec([None, None, len(tags)], tf.float32)
        self._compiled_judged_step = tf.function(
            self._judged_step, input_signature=[_ROWS, _LENGTHS, allowed, _PLACES, _FLAGS, _FLAGS]
        )
        self._compiled_emit = tf.function(self._emit, input_signature=[_ROWS, _LENGTHS])

    def learn(self, batch: Batch, learning_rate: float) -> float:
        """One update; the mean loss of the batch's sentences, in nats."""
        self._optimizer.learning_rate.assign(learning_rate)
        return float(self._compiled_step(batch.rows, batch.tags, batch.lengths))

    def learn_judged(self, batch: Batch, judged: Judgements, learning_rate: float) -> float:
        """One update by sentences of which only single spans are known; their mean loss, in nats."""
        self._optimizer.learning_rate.assign(learning_rate)
        parts = judged.allowed, judged.entries, judged.ends, judged.lasts
        return float(self._compiled_judged_step(batch.rows, batch.lengths, *parts))

    def emit(self, batch: Batch) -> NDArray[np.float32]:
        """Scores of tags, (batch, time, tags)."""
        emissions: NDArray[np.float32] = self._compiled_emit(batch.rows, batch.lengths).numpy()
        return emissions

    @property
    def crf(self) -> Crf:
        """The CRF's scores as they are now."""
        return self._crf.learned()

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The average of the weights stands in for the weights."""
        learning = [variable.numpy() for variable in self._variables]
        self.restore(self.averages())
        try:
            yield
        finally:
            self.restore(learning)

    def averages(self) -> Arrays:
        """The average of the weights, to be given to `restore`."""
        return [average.numpy() for average in self._averages]

    def candidate(self) -> Arrays:
        """The weights that are kept if this epoch is the best: the average."""
        return self.averages()

    def state(self) -> Arrays:
        """Everything that decides how it goes on: weights, dropout's random states, moments, the average."""
        return [variable.numpy() for variable in self._everything()]

    def resume(self, state: Sequence[Any]) -> None:
        """Go on from a state."""
        for variable, value in zip(self._everything(), state, strict=True):
            variable.assign(value)

    def _everything(self) -> list[Any]:
        return [*self.network.variables, *self._crf.variables, *self._optimizer.variables, *self._averages]

    def restore(self, weights: Sequence[Any]) -> None:
        """Put weights in place."""
        for variable, value in zip(self._variables, weights, strict=True):
            variable.assign(value)

    def _step(self, rows: Any, tag_ids: Any, lengths: Any) -> Any:
        with tf.GradientTape() as tape:
            emissions = self.network(rows, lengths, training=True)
            loss = tf.reduce_mean(self._crf.negative_log_likelihood(emissions, tag_ids, lengths))
        self._update(tape, loss)
        return loss

    def _judged_step(self, rows: Any, lengths: Any, *judged: Any) -> Any:
        with tf.GradientTape() as tape:
            emissions = self.network(rows, lengths, training=True)
            loss = tf.reduce_mean(judged_loss(self._crf, emissions, lengths, *judged))
        self._update(tape, loss)
        return loss

    def _update(self, tape: Any, loss: Any) -> None:
        gradients = tape.gradient(loss, [variable.value for variable in self._variables])
        gradients, _ = tf.clip_by_global_norm(gradients, self._clip)
        self._optimizer.apply(gradients, self._variables)
        # Early on the average follows closely, or the first random weights would stay in it.
        step = tf.cast(self._optimizer.iterations, tf.float32)
        share = 1.0 - tf.minimum(self._averaging, step / (step + 10.0))
        for average, variable in zip(self._averages, self._variables, strict=True):
            average.assign_sub(share * (average - variable.value))

    def _emit(self, rows: Any, lengths: Any) -> Any:
        return self.network(rows, lengths, training=False)


class Committee:
    """Networks that answer together: the mean of their scores, under the mean of their CRFs.

    The mean of the scores of several CRFs is a CRF again (a product of experts; Hinton 2002), so decoding and
    marginals stay exact, and one graph with one set of transitions serves.
    """

    def __init__(self, members: Sequence[Learner]) -> None:
        self.members = list(members)
        learned = [member.crf for member in members]
        self.crf = Crf(
            learned[0].tags,
            np.mean([crf.transitions for crf in learned], axis=0),
            np.mean([crf.start for crf in learned], axis=0),
            np.mean([crf.end for crf in learned], axis=0),
        )

    def emit(self, batch: Batch) -> NDArray[np.float32]:
        """Scores of tags, (batch, time, tags)."""
        scores = [member.emit(batch) for member in self.members]
        return np.asarray(np.mean(scores, axis=0), dtype=np.float32)
