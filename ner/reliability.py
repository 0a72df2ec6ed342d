"""How honest confidences are: what share of the spans announced with 80 % is right."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 10


def confidence_histogram(confidences: NDArray[np.float64]) -> list[int]:
    """Ten counts, one for each tenth of [0, 1]; 1.0 belongs to the last."""
    tenths = np.clip((confidences * BINS).astype(int), 0, BINS - 1)
    return [int(count) for count in np.bincount(tenths, minlength=BINS)]


def reliability(confidences: NDArray[np.float64], is_correct: NDArray[np.bool_]) -> dict[str, Any]:
    """Reliability bins of about equal mass, and the expected calibration error (ECE) over them.

    Equal confidences always share a bin, so there may be fewer bins than ten. ECE is the mean distance between
    confidence and precision, weighted by the spans in the bin (Naeini et al. 2015; equal mass as in Nguyen and
    O'Connor 2015). Without spans there are no bins and the error is None.
    """
    if confidences.size == 0:
        return {"reliability": [], "ece": None}
    borders = np.unique(np.quantile(confidences, np.linspace(0, 1, BINS + 1)[1:-1]))
    member = np.searchsorted(borders, confidences, side="right")
    bins, error = [], 0.0
    for index in np.unique(member):
        inside = member == index
        confidence, precision = float(confidences[inside].mean()), float(is_correct[inside].mean())
        error += abs(confidence - precision) * int(inside.sum()) / confidences.size
        bins.append(
            {
                "low": float(confidences[inside].min()),
                "high": float(confidences[inside].max()),
                "count": int(inside.sum()),
                "mean_confidence": confidence,
                "precision": precision,
            }
        )
    return {"reliability": bins, "ece": error}
