"""The CRF as a Keras layer: it owns the transition scores and gives the loss.

The loss is the negative log-likelihood of the right tags. Its gradient is written out (expected minus observed
counts; Sutton & McCallum 2012, section 4.1.2) rather than left to automatic differentiation through the time loop,
which is several times slower.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from registry.crf import Crf, constrained, iob2_constraints

# Forbidden transitions, and the floor under a tag's score against the best of its token, in nats: far enough to
# mean "never", near enough for float32.
_FORBIDDEN = -1e4
_DEEPEST = -60.0


@keras.saving.register_keras_serializable(package="ner_workbench")
class CrfLayer(keras.layers.Layer):
    """Linear-chain CRF over IOB2 `tags`. Called with emissions (batch, time, tags), it passes them on unchanged."""

    def __init__(self, tags: Sequence[str], **settings: Any) -> None:
        super().__init__(**settings)
        self.tags = tuple(tags)
        allowed, may_start = iob2_constraints(self.tags)
        self._barrier = np.where(allowed, 0.0, _FORBIDDEN).astype(self.variable_dtype)
        self._start_barrier = np.where(may_start, 0.0, _FORBIDDEN).astype(self.variable_dtype)

    def build(self, input_shape: Any) -> None:  # noqa: ARG002 - the shape follows from the tags
        size = len(self.tags)
        self.transitions = self.add_weight(shape=(size, size), initializer="zeros", name="transitions")
        self.start = self.add_weight(shape=(size,), initializer="zeros", name="start")
        self.end = self.add_weight(shape=(size,), initializer="zeros", name="end")
        self.built = True

    def call(self, emissions: Any) -> Any:
        return emissions

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "tags": list(self.tags)}

    def negative_log_likelihood(self, emissions: Any, tag_ids: Any, lengths: Any) -> Any:
        """One loss per sentence, in nats: (batch,). `tag_ids` is (batch, time); what lies past a length is ignored."""
        transitions, start = self.allowed_scores()
        mask = _inside(emissions, lengths)
        observed = self._path_score(emissions, tag_ids, lengths, mask, transitions, start)
        return _log_partition(emissions, mask, transitions, start, self.end + 0.0) - observed

    def log_partition(self, emissions: Any, lengths: Any) -> Any:
        """log Z of each sentence over all possible paths: (batch,)."""
        return _log_partition(emissions, _inside(emissions, lengths), *self.allowed_scores(), self.end + 0.0)

    def allowed_scores(self) -> tuple[Any, Any]:
        """The scores of transitions and of starting, those of impossible ones so low that they never count."""
        return self.transitions + self._barrier, self.start + self._start_barrier

    def _path_score(self, emissions: Any, tag_ids: Any, lengths: Any, mask: Any, transitions: Any, start: Any) -> Any:
        size = len(self.tags)
        chosen = ops.one_hot(tag_ids, size) * mask[:, :, None]
        pairs = tag_ids[:, :-1] * size + tag_ids[:, 1:]
        steps = ops.take(ops.reshape(transitions, (-1,)), pairs) * mask[:, 1:]
        last = ops.take_along_axis(tag_ids, lengths[:, None] - 1, axis=1)[:, 0]
        ends = ops.take(start, tag_ids[:, 0]) + ops.take(self.end, last)
        return ops.sum(emissions * chosen, axis=(1, 2)) + ops.sum(steps, axis=1) + ends

    def learned(self) -> Crf:
        """The scores as serving reads them."""
        return constrained(self.tags, *(np.asarray(part) for part in (self.transitions, self.start, self.end)))


def _inside(emissions: Any, lengths: Any) -> Any:
    return ops.cast(ops.arange(ops.shape(emissions)[1])[None, :] < lengths[:, None], emissions.dtype)


@ops.custom_gradient
def _log_partition(emissions: Any, mask: Any, transitions: Any, start: Any, end: Any) -> tuple[Any, Callable[..., Any]]:
    """log Z of each sentence by the scaled forward recursion; (batch,)."""
    best = ops.max(emissions, axis=2, keepdims=True)
    potentials = ops.transpose(ops.exp(ops.maximum(emissions - best, _DEEPEST)), (1, 0, 2))
    kept = ops.transpose(mask, (1, 0))[:, :, None]
    steps, opening, closing = ops.exp(transitions), ops.exp(start), ops.exp(end)
    forward, scales = _forward(potentials, kept, steps, opening)
    log_scales = ops.sum(ops.log(scales) * kept[:, :, 0], axis=0) + ops.sum(best[:, :, 0] * mask, axis=1)
    final = ops.sum(forward[-1] * closing, axis=1)
    log_z = log_scales + ops.log(final)

    def gradient(*upstream: Any, **_: Any) -> tuple[Any, ...]:
        weight = (upstream[0] if upstream else 1.0) * ops.ones_like(log_z)
        backward = _backward(potentials, kept, steps, closing)
        tags = forward * backward
        tags = tags / ops.sum(tags, axis=2, keepdims=True) * kept * weight[None, :, None]
        incoming = potentials[1:] * backward[1:]
        total = ops.sum(ops.matmul(forward[:-1], steps) * incoming, axis=2, keepdims=True)
        left = forward[:-1] * (kept[1:] * weight[None, :, None]) / total
        size = ops.shape(transitions)[0]
        pairs = ops.matmul(ops.transpose(ops.reshape(left, (-1, size))), ops.reshape(incoming, (-1, size))) * steps
        last = forward[-1] * closing * (weight / final)[:, None]
        return ops.transpose(tags, (1, 0, 2)), ops.zeros_like(mask), pairs, ops.sum(tags[0], 0), ops.sum(last, 0)

    return log_z, gradient


def _forward(potentials: Any, kept: Any, steps: Any, opening: Any) -> tuple[Any, Any]:
    """Rows summing to one, and the sums they were divided by; past the end of a sentence its last row stays."""
    first = opening * potentials[0]
    first_scale = ops.sum(first, axis=1, keepdims=True)

    def advance(before: tuple[Any, Any], step: tuple[Any, Any]) -> tuple[Any, Any]:
        row, _ = before
        potential, keep = step
        following = ops.matmul(row, steps) * potential
        scale = ops.sum(following, axis=1, keepdims=True)
        return keep * following / scale + (1.0 - keep) * row, scale

    rows, scales = tf.scan(advance, (potentials[1:], kept[1:]), (first / first_scale, first_scale))
    forward = ops.concatenate([(first / first_scale)[None], rows], axis=0)
    return forward, ops.concatenate([first_scale[None], scales], axis=0)[:, :, 0]


def _backward(potentials: Any, kept: Any, steps: Any, closing: Any) -> Any:
    """Backward rows, scaled; at and past the last token of a sentence the row is `closing`."""
    last = ops.ones_like(potentials[0]) * closing
    back = ops.transpose(steps)

    def retreat(row: Any, step: tuple[Any, Any]) -> Any:
        potential, keep = step
        previous = ops.matmul(potential * row, back)
        previous = previous / ops.sum(previous, axis=1, keepdims=True)
        return keep * previous + (1.0 - keep) * row

    rows = tf.scan(retreat, (potentials[1:], kept[1:]), last, reverse=True)
    return ops.concatenate([rows, last[None]], axis=0)
