"""What single judgements teach a CRF: the probability that they are right, everything else being unknown.

The loss of a sentence is log Z over all paths minus log Z over the paths that agree with what was judged (marginal
likelihood of partial labels; Tsuboi et al. 2008). An accepted span fixes its tags and that it ends there. A rejected
span forbids the paths that hold exactly this span with this label. That cannot be said of tags alone, since I-x may
belong to an entity that started elsewhere; so an entity that starts where a rejected one did is carried in a state of
its own, and may not end where that one ended. Masses are only added, never subtracted: a span that the model was sure
of and that was rejected loses no digits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.crf_layer import CrfLayer
from training.sentences import Sentence

_NEVER = -1e4


@dataclass(frozen=True, slots=True)
class Judgements:
    """What was judged in a batch of sentences of at most `time` tokens.

    `allowed` (batch, time, tags): 1 where a tag may stand. A track is one start and label at which spans were rejected:
    `entries` (batch, time, tracks) is the id of its B tag at its start and 0 elsewhere; `ends` (batch, time + 1,
    tracks) is 1 where an entity of the track may not end, `lasts` 1 at the last of them.
    """

    allowed: NDArray[np.float32]
    entries: NDArray[np.int32]
    ends: NDArray[np.float32]
    lasts: NDArray[np.float32]


def judgements_of(sentences: Sequence[Sentence], tags: Sequence[str], time: int) -> Judgements:
    """The accepted spans of each sentence (`spans`) and its `rejected` ones, as arrays. Spans are within the sentence,
    accepted ones do not overlap, and no span is both."""
    ids = {tag: number for number, tag in enumerate(tags)}
    tracks = [sorted({(first, label) for first, _, label in one.rejected}) for one in sentences]
    size, count = len(sentences), max(1, max(map(len, tracks), default=1))
    allowed = np.ones((size, time, len(tags)), np.float32)
    entries = np.zeros((size, time, count), np.int32)
    ends, lasts = (np.zeros((size, time + 1, count), np.float32) for _ in range(2))
    for row, sentence in enumerate(sentences):
        for first, end, label in sentence.spans:
            allowed[row, first:end] = 0
            allowed[row, first, ids[f"B-{label}"]] = 1
            allowed[row, first + 1 : end, ids[f"I-{label}"]] = 1
            if end < time:
                allowed[row, end, ids[f"I-{label}"]] = 0
        for place, (first, label) in enumerate(tracks[row]):
            stops = [stop for start, stop, name in sentence.rejected if (start, name) == (first, label)]
            entries[row, first, place] = ids[f"B-{label}"]
            ends[row, stops, place] = 1
            lasts[row, max(stops), place] = 1
    return Judgements(allowed, entries, ends, lasts)


def judged_loss(
    layer: CrfLayer, emissions: Any, lengths: Any, allowed: Any, entries: Any, ends: Any, lasts: Any
) -> Any:
    """One loss per sentence, in nats: (batch,). `emissions` are (batch, time, tags); the rest is of `Judgements`."""
    agreeing = _log_agreeing(layer, emissions + (1.0 - allowed) * _NEVER, lengths, entries, ends, lasts)
    return layer.log_partition(emissions, lengths) - agreeing


def _log_agreeing(layer: CrfLayer, emissions: Any, lengths: Any, entries: Any, ends: Any, lasts: Any) -> Any:
    """log of the mass of the paths that agree. Rows are masses in log space: of each tag outside of the tracks, and of
    each track, in which the state is B-x or I-x."""
    steps, start = layer.allowed_scores()
    end, never = layer.end + 0.0, tf.constant(_NEVER, emissions.dtype)
    size, count = emissions.shape[2], tf.shape(entries)[2]
    # The tag in which each track started, and the I tag that goes on with it, which follows its B tag.
    begins = tf.reduce_max(entries, axis=1)
    inside = tf.minimum(begins + 1, size - 1)
    inside_hot = tf.one_hot(inside, size, dtype=emissions.dtype)
    first = start + emissions[:, 0]
    free, tracked = _enter(first, entries[:, 0], tf.fill([tf.shape(entries)[0], count], never))
    state = begins

    def advance(before: Any, token: Any) -> Any:
        free, tracked, state = before
        score = emissions[:, token]
        # What ends here leaves its track for any tag but its own I, unless this is the end that was rejected.
        out = tracked[:, :, None] + tf.gather(steps, state)
        stay = tf.reduce_sum(out * inside_hot, axis=2)
        is_last = lasts[:, token] > 0
        leaving = out + inside_hot * _NEVER + (ends[:, token] * _NEVER)[:, :, None]
        # After the last rejected end nothing more can go wrong: going on is as good as any other entity.
        merged = tf.where(is_last, stay, never)[:, :, None] + (1.0 - inside_hot) * _NEVER
        parts = tf.concat([free[:, :, None] + steps, leaving, merged], axis=1)
        into = tf.reduce_logsumexp(parts, axis=1) + score
        own = tf.where(is_last, never, stay + tf.gather(score, inside, batch_dims=1))
        new_free, new_tracked = _enter(into, entries[:, token], own)
        new_state = tf.where(entries[:, token] > 0, begins, inside)
        runs = (token < lengths)[:, None]
        return (
            tf.where(runs, new_free, free),
            tf.where(runs, new_tracked, tracked),
            tf.where(runs, new_state, state),
        )

    tokens = tf.shape(emissions)[1]
    _, free, tracked, state = tf.while_loop(
        lambda token, *_: token < tokens,
        lambda token, *rows: (token + 1, *advance(rows, token)),
        (tf.constant(1), free, tracked, state),
    )
    closing = tracked + tf.gather(end, state) + tf.gather(ends, lengths, batch_dims=1) * _NEVER
    return tf.reduce_logsumexp(tf.concat([free + end, closing], axis=1), axis=1)


def _enter(free: Any, entries: Any, tracked: Any) -> tuple[Any, Any]:
    """Move the mass of a B tag at which a track starts into the track."""
    starts = entries > 0
    hot = tf.one_hot(entries, free.shape[1], dtype=free.dtype)
    moved = tf.reduce_max(hot * tf.cast(starts, free.dtype)[:, :, None], axis=1)
    tracked = tf.where(starts, tf.gather(free, entries, batch_dims=1), tracked)
    return tf.where(moved > 0, tf.constant(_NEVER, free.dtype), free), tracked
