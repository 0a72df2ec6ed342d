"""A domain classifier: can recent documents be told from those that a version was measured on, and how many stand out?

Naive Bayes on the hashed words of each document, trained to tell the two sides apart and asked only about documents
that it was not trained on (cross-fitting). The effect is the excess share of recent documents that look more foreign
than 95 % of the reference: a lower bound on the total variation distance of the two sides, and so on the share of
foreign text in a mixture (Ben-David et al. 2010, "A theory of learning from different domains", lemma 1). Where
nothing changed its expectation is zero at every volume, because a held-out document of either side scores alike.
"""

import base64
import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboards.effects import Effect
from dashboards.windows import Window

Words = Sequence[Sequence[int]]
Reals = NDArray[np.float64]
Integers = NDArray[np.int64]

BUCKETS = 4_096
REFERENCE_DOCUMENTS = 1_500
FEWEST_REFERENCE = 100

_FOLDS = 5
_TAIL = 0.05
USUAL = 1 - _TAIL
"""Documents that look more foreign than this share of the reference stand out."""
_SMOOTHING = 12.0
_Z = 2.576
_EMPTY = 2 * BUCKETS  # pads documents of few words; scores nothing
_WIDTH = 16


def reference_of(window: Window) -> str:
    """An even selection of at most 1,500 documents for a profile, as base64 of 16 little-endian uint16 each.

    Words are folded into 4,096 buckets beside the bit that the model knows them: less than the log of traffic tells.
    """
    order = np.random.default_rng(0).permutation(len(window))[:REFERENCE_DOCUMENTS]
    folded = _folded([window.words[index] for index in order])
    return base64.b64encode(folded.astype("<u2").tobytes()).decode("ascii")


def foreign_share(window: Window, profile: Mapping[str, Any]) -> Effect | None:
    """The excess share of recent documents that look foreign, with its 99 % interval.

    None where the profile holds fewer than 100 reference documents, or recent ones are too few to cross-fit.
    """
    places, reference, recent = foreignness(window, profile), _reference(profile), window.words
    if places is None:
        return None
    share = float((places > USUAL).mean())
    size = share - _TAIL
    now_error = _Z * math.sqrt(max(share * (1 - share), _TAIL * (1 - _TAIL)) / len(recent))
    training_error = _Z * math.sqrt(_TAIL * (1 - _TAIL) / len(reference))
    half = math.hypot(now_error, training_error)
    return Effect(max(0.0, size), max(0.0, size - half), min(1.0, max(0.0, size + half)), now_error, training_error)


def foreignness(window: Window, profile: Mapping[str, Any]) -> Reals | None:
    """For each recent document the share of training documents that look less foreign; None as in `foreign_share`."""
    reference, recent = _reference(profile), _folded(window.words)
    if len(reference) < FEWEST_REFERENCE or len(recent) < 2 * _FOLDS:
        return None
    return out_of_reference(reference, recent)


def has_reference(profile: Mapping[str, Any]) -> bool:
    """Whether a profile holds enough documents: those of versions that learned from little text, or were registered
    before profiles kept any, do not."""
    return len(_reference(profile)) >= FEWEST_REFERENCE


def _reference(profile: Mapping[str, Any]) -> Integers:
    known = np.frombuffer(base64.b64decode(profile.get("reference_documents") or ""), "<u2")
    return known.astype(np.int64).reshape(-1, _WIDTH)


def out_of_reference(reference: Integers, recent: Integers) -> Reals:
    """For each recent document, the share of held-out reference documents that look less foreign: in [0, 1]."""
    folds, recent_folds = _fold(reference), _fold(recent)
    place = np.zeros(len(recent))
    for fold in range(_FOLDS):
        inside, asked = folds == fold, recent_folds == fold
        weights = _log_odds(recent[~asked], reference[~inside])
        ordered = np.sort(weights[reference[inside]].sum(axis=1))
        scores = weights[recent[asked]].sum(axis=1)
        below, upto = (np.searchsorted(ordered, scores, side=side) for side in ("left", "right"))
        place[asked] = (below + upto) / 2 / max(1, len(ordered))
    return place


def _folded(words: Words) -> Integers:
    """One row of 16 buckets a document; the upper half of the buckets is for words that the model does not know."""
    table = np.full((len(words), _WIDTH), _EMPTY, np.int64)
    lengths = np.fromiter((min(len(sample), _WIDTH) for sample in words), np.int64, len(words))
    kept = np.fromiter(chain.from_iterable(sample[:_WIDTH] for sample in words), np.int64, int(lengths.sum()))
    table[np.arange(_WIDTH) < lengths[:, None]] = np.abs(kept) % BUCKETS + BUCKETS * (kept < 0)
    return table


def _fold(documents: Integers) -> Integers:
    """The fold of each document follows from its words, so that copies of a text never teach and answer at once."""
    return np.asarray((documents * np.arange(1, _WIDTH + 1) * 2_654_435_761 >> 7).sum(axis=1) % _FOLDS, np.int64)


def _log_odds(recent: Integers, reference: Integers) -> Reals:
    """What a word in each bucket says for "recent", with the scores of padding set to nothing.

    A bucket that was seldom seen says what its half says: each side is smoothed by how many of its words the model
    knows, and both are brought to the size of the reference, so that volume does not weigh.
    """
    seen = [
        np.bincount(side.ravel(), minlength=_EMPTY + 1)[:_EMPTY].reshape(2, BUCKETS) for side in (recent, reference)
    ]
    halves = [side.sum(axis=1, keepdims=True) / max(1, side.sum()) for side in seen]
    usual = np.maximum((halves[0] + halves[1]) / 2, 1e-9)
    size = seen[1].sum()
    smooth = [
        side / max(1, side.sum()) * size + _SMOOTHING * np.maximum(half / usual, 0.01)
        for side, half in zip(seen, halves, strict=True)
    ]
    now, then = (np.log(side / side.sum()).ravel() for side in smooth)
    return np.append(now - then, 0.0)
