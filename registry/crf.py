"""Linear-chain CRF over IOB2 tags in NumPy: the best tag sequence, and the exact probability of a span.

Formulas: Sutton & McCallum, "An Introduction to Conditional Random Fields" (2012), section 4.1; span probability by
the constrained forward-backward algorithm of Culotta & McCallum, "Confidence Estimation for Information Extraction"
(2004). Everything is computed in float64 for whole batches of sentences of different lengths.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ner.errors import BrokenPackage
from ner.tags import TokenSpan, split_tag
from registry.sequences import reaching, turned_places

Emissions: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
"""Scores of tags: (sentences, tokens, tags). Rows past a sentence's length are ignored."""
Lengths: TypeAlias = NDArray[np.int32] | NDArray[np.int64]
"""Tokens of each sentence, each at least 1."""
Scores: TypeAlias = NDArray[np.float64]
TagIds: TypeAlias = NDArray[np.intp]

# A tag this many nats below the best of its token counts as exactly this many: no sum can underflow to zero.
_DEEPEST = -300.0


@dataclass(frozen=True, slots=True)
class Crf:
    """Tags, and the learned scores of `transitions[from, to]`, of starting and of ending with a tag.

    Transitions that IOB2 forbids are minus infinity.
    """

    tags: tuple[str, ...]
    transitions: Scores
    start: Scores
    end: Scores

    def save(self, path: Path) -> None:
        """Write as JSON; forbidden transitions are null."""
        stored = {
            "tags": list(self.tags),
            "transitions": [_to_json(row) for row in self.transitions],
            "start": _to_json(self.start),
            "end": _to_json(self.end),
        }
        path.write_text(json.dumps(stored), encoding="utf-8")


def load_crf(path: Path) -> Crf:
    """The CRF that `Crf.save` wrote. Raises BrokenPackage."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return constrained(
            stored["tags"],
            np.array([_from_json(row) for row in stored["transitions"]]),
            np.array(_from_json(stored["start"])),
            np.array(_from_json(stored["end"])),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BrokenPackage(f"{path} is not a CRF: {error}.") from error


def _to_json(scores: Scores) -> list[float | None]:
    return [float(score) if np.isfinite(score) else None for score in scores]


def _from_json(scores: Sequence[float | None]) -> list[float]:
    return [-np.inf if score is None else score for score in scores]


def constrained(tags: Sequence[str], transitions: Scores, start: Scores, end: Scores) -> Crf:
    """A CRF whose forbidden transitions are minus infinity, whatever was learned for them."""
    allowed, may_start = iob2_constraints(tags)
    return Crf(
        tuple(tags),
        np.where(allowed, transitions, -np.inf).astype(np.float64),
        np.where(may_start, start, -np.inf).astype(np.float64),
        np.asarray(end, dtype=np.float64),
    )


def iob2_constraints(tags: Sequence[str]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """`(allowed[from, to], may_start[tag])`: I-x stands only after B-x or I-x."""
    parts = [split_tag(tag) for tag in tags]
    allowed = [[letter != "I" or label == before for letter, label in parts] for _, before in parts]
    return np.array(allowed), np.array([letter != "I" for letter, _ in parts])


def best_tags(crf: Crf, emissions: Emissions, lengths: Lengths) -> TagIds:
    """Viterbi: ids of the best tag sequence of each sentence, (sentences, tokens); 0 past a sentence's end."""
    sentences, tokens, tags = emissions.shape
    counts, ends = reaching(tokens, lengths), np.asarray(lengths, dtype=np.intp) - 1
    scores = emissions.transpose(1, 0, 2).astype(np.float64)
    scores[0] += crf.start
    reached, best = np.empty((sentences, tags, tags)), np.empty((sentences, tags))
    before = scores[0][:, :, None]
    for row, count in zip(scores[1:], counts[1:], strict=True):
        np.add(before[:count], crf.transitions, out=reached[:count])
        np.maximum.reduce(reached[:count], axis=1, out=best[:count])
        row += best
        before = row[:, :, None]
    return _backwards(crf, scores, counts, ends)


def _backwards(crf: Crf, scores: Scores, counts: Sequence[int], ends: TagIds) -> TagIds:
    """The tags by which the best scores (tokens, sentences, tags) were reached; `ends` are the places of last tags."""
    tokens, sentences, _ = scores.shape
    into = np.ascontiguousarray(crf.transitions.T)
    closing = (scores[ends, np.arange(sentences)] + crf.end).argmax(axis=1)
    path = np.empty((tokens, sentences), dtype=np.intp)
    path[-1] = current = closing
    goes_on = np.arange(tokens)[:, None] < ends
    for token in range(tokens - 2, -1, -1):
        count = counts[token + 1]
        came_from = (scores[token, :count] + into.take(current[:count], axis=0)).argmax(axis=1)
        np.copyto(current[:count], came_from, where=goes_on[token, :count])
        path[token] = current
    path[np.arange(tokens)[:, None] > ends] = 0
    return path.T


@dataclass(frozen=True, slots=True)
class _Lattice:
    """Scaled forward and backward sums: (tokens, sentences, tags).

    Each row of `forward` sums to one after it was divided by its `scales` (tokens, sentences); `backward` does not hold
    the potentials of its own token, and has a scale of its own in each row.
    """

    potentials: Scores
    forward: Scores
    scales: Scores
    backward: Scores


def span_probabilities(
    crf: Crf, emissions: Emissions, lengths: Lengths, spans: Sequence[Sequence[TokenSpan]]
) -> list[list[float]]:
    """The exact probability of each span: that its tokens are tagged B-x, I-x ... and that it ends there.

    `spans` holds, for each sentence, token spans within its length.
    """
    return marginals(crf, emissions, lengths, spans).spans if any(spans) else [[] for _ in spans]


@dataclass(frozen=True, slots=True)
class Marginals:
    """`spans`: the probability of each span that was asked for, by sentence. `tags`: the probability of each tag at
    each token, (sentences, tokens, tags), 0 past a sentence's end. An entity starts wherever its B tag stands, so the
    sum of a label's B column is the number of its entities to be expected."""

    spans: list[list[float]]
    tags: Scores


def marginals(crf: Crf, emissions: Emissions, lengths: Lengths, spans: Sequence[Sequence[TokenSpan]]) -> Marginals:
    """The exact probabilities of spans and of tags, from one pass in both directions at once."""
    steps = np.exp(crf.transitions)
    lattice = _run(crf, steps, emissions, lengths)
    shares = lattice.forward * lattice.backward
    weights = shares.sum(axis=2)
    ids = {tag: number for number, tag in enumerate(crf.tags)}
    paths = _Paths(lattice, steps, np.exp(crf.end), weights)
    answers = [
        [
            paths.probability(sentence, int(lengths[sentence]), first, end, ids[f"B-{label}"], ids[f"I-{label}"])
            for first, end, label in found
        ]
        for sentence, found in enumerate(spans)
    ]
    shares /= weights[:, :, None]
    shares[np.arange(shares.shape[0])[:, None] >= np.asarray(lengths)] = 0.0
    return Marginals(answers, shares.transpose(1, 0, 2))


@dataclass(frozen=True, slots=True)
class _Paths:
    """Shares of all paths: `weights` are those of all paths through each token (tokens, sentences)."""

    lattice: _Lattice
    steps: Scores
    closing: Scores
    weights: Scores

    def probability(self, sentence: int, length: int, first: int, end: int, begin: int, inside: int) -> float:
        """Share of the paths that are B-x at `first`, I-x up to `end`, and not I-x there.

        The forward row at `first` is carried along the span; each step is divided by the scale of the row that it
        enters, so that it stays comparable with all paths through the token that decides where the span ends.
        """
        potentials, scales = self.lattice.potentials, self.lattice.scales
        share, state = float(self.lattice.forward[first, sentence, begin]), begin
        for token in range(first + 1, end):
            share *= self.steps[state, inside] * potentials[token, sentence, inside] / scales[token, sentence]
            state = inside
        if end == length:
            return float(share * self.closing[state] / (self.lattice.forward[end - 1, sentence] @ self.closing))
        leaving = self.steps[state] * potentials[end, sentence]
        leaving[inside] = 0.0
        onward = leaving @ self.lattice.backward[end, sentence]
        return float(share * onward / (scales[end, sentence] * self.weights[end, sentence]))


def _run(crf: Crf, steps: Scores, emissions: Emissions, lengths: Lengths) -> _Lattice:
    """The backward pass is a forward pass over the sentence from its end, with the transitions turned round: both are
    rows of the same arrays, (tokens, 2, sentences, tags)."""
    scores = emissions.transpose(1, 0, 2).astype(np.float64)
    potentials = np.exp(np.maximum(scores - scores.max(axis=2, keepdims=True), _DEEPEST))
    tokens, sentences, _tags = potentials.shape
    turned = turned_places(tokens, lengths)
    every = np.arange(sentences)
    both = np.stack([potentials, potentials[turned, every]], axis=1)
    onward = np.stack([steps, steps.T])
    entering, scales = np.ones_like(both), np.ones((tokens, 2, sentences, 1))
    entering[0] = np.stack([np.exp(crf.start), np.exp(crf.end)])[:, None, :]
    for token, count in enumerate(reaching(tokens, lengths)):
        row, entered, scale = both[token, :, :count], entering[token, :, :count], scales[token, :, :count]
        if token:
            np.matmul(both[token - 1, :, :count], onward, out=entered)
        row *= entered
        np.add.reduce(row, axis=2, keepdims=True, out=scale)
        row /= scale
    backward = entering[turned, 1, every]
    # Whole sentences of unlikely tags would leave nothing of the product with the forward rows.
    backward /= backward.max(axis=2, keepdims=True)
    return _Lattice(potentials, both[:, 0], scales[:, 0, :, 0], backward)
