"""What texts like its own look like to a version: kept in its package, and what traffic is compared with."""

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from dashboards import domain, effects
from dashboards.effects import Estimate
from dashboards.windows import tagged_window
from ner.predictions import Tagged

_WORDS_KEPT = 2_000


def build_profile(texts: Sequence[str], tagged: Sequence[Tagged], training_words: Collection[str]) -> dict[str, Any]:
    """The content of a version's `profile.json`: what texts like its own look like to it, in some 90 kB.

    `texts` were not trained on (the dev and test parts) and `tagged` are the version's own answers for them, so that
    the profile is what traffic will be compared with, like for like.
    """
    window = tagged_window(texts, tagged)
    unknown, confidence = effects.unknown_rate(window), effects.mean_confidence(window)
    overlap = effects.vocabulary_overlap(window, effects.sample_size(window))
    pooled = [word for words in window.words for word in words]
    kept = np.random.default_rng(0).permutation(len(pooled))[:_WORDS_KEPT]
    levels = np.linspace(0, 1, effects.QUANTILES)
    return {
        "format": 1,
        "documents": len(window),
        "tokens": int(window.tokens.sum()),
        "training_words": len(training_words),
        "characters": {"quantiles": np.quantile(window.characters, levels).tolist() if len(window) else []},
        "unknown_words": _as_json(unknown),
        "vocabulary_overlap": None
        if overlap is None
        else {
            "words_per_sample": overlap.words,
            "value": overlap.value,
            "error": overlap.deviation / math.sqrt(overlap.samples),
            "deviation": overlap.deviation,
        },
        "entities": {
            label: int(count) for label, count in zip(window.labels, window.entities.sum(axis=0), strict=True)
        },
        "confidence": {"histogram": window.confidences.sum(axis=0).tolist(), "mean": _as_json(confidence)},
        "word_sample": [pooled[index] for index in kept],
        "reference_documents": domain.reference_of(window),
    }


def _as_json(estimate: Estimate | None) -> dict[str, float] | None:
    return {"value": estimate.value, "error": estimate.error} if estimate else None
