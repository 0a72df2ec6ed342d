"""From the probability that a model computes to the share of such spans that are right.

First all scores of the CRF are divided by one temperature (Guo et al. 2017), which changes every marginal and no best
tag. Then, for each label that is frequent enough to be fitted, the log-odds go through a rising straight line (Platt
1999). Both are fitted on documents that the model did not learn from, and kept in the package as `calibration.json`.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ner.errors import BrokenPackage
from registry.crf import Crf, Emissions

FILE = "calibration.json"
_CERTAIN = 1e-9
_STEEPEST = 40.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """`temperature` in nats per nat; `lines` holds (slope, offset) of the log-odds by label, the slope above 0.

    Labels without a line keep the tempered marginal.
    """

    temperature: float = 1.0
    lines: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def tempered(self, crf: Crf, emissions: Emissions) -> tuple[Crf, Emissions]:
        """The CRF and its emissions with every score divided by the temperature."""
        if self.temperature == 1.0:
            return crf, emissions
        scale = 1.0 / self.temperature
        cooled = Crf(crf.tags, crf.transitions * scale, crf.start * scale, crf.end * scale)
        return cooled, np.asarray(emissions * np.float32(scale))

    def confidence(self, label: str, marginal: float) -> float:
        """The calibrated confidence of one span, in [0, 1], rising with its marginal."""
        line = self.lines.get(label)
        if line is None:
            return marginal
        # Plain numbers: one span at a time, an array would cost ten times its worth.
        slope, offset = line
        inside = min(max(marginal, _CERTAIN), 1 - _CERTAIN)
        log_odds = slope * (math.log(inside) - math.log1p(-inside)) + offset
        return 1.0 / (1.0 + math.exp(-min(max(log_odds, -_STEEPEST), _STEEPEST)))

    def save(self, folder: Path) -> None:
        """Write `calibration.json` into a package folder."""
        stored = {
            "temperature": self.temperature,
            "labels": {label: {"slope": slope, "offset": offset} for label, (slope, offset) in self.lines.items()},
        }
        (folder / FILE).write_text(json.dumps(stored, ensure_ascii=False, indent=1), encoding="utf-8")


def load_calibration(folder: Path) -> Calibration | None:
    """The calibration of a package; None where it has none. Raises BrokenPackage where it cannot be read."""
    path = folder / FILE
    if not path.exists():
        return None
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        lines = {label: (float(line["slope"]), float(line["offset"])) for label, line in stored["labels"].items()}
        calibration = Calibration(float(stored["temperature"]), lines)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenPackage(f"{path} is not a calibration: {error}.") from error
    numbers = [calibration.temperature, *(number for line in lines.values() for number in line)]
    if not np.isfinite(numbers).all() or calibration.temperature <= 0 or any(slope <= 0 for slope, _ in lines.values()):
        raise BrokenPackage(f"{path} is not a calibration: temperature and slopes must be numbers above 0.")
    return calibration


def fit_line(marginals: Sequence[float], is_right: Sequence[bool], *, pull: float = 1.0) -> tuple[float, float]:
    """Slope and offset of the log-odds by penalised maximum likelihood, with Newton's method.

    The penalty `pull` draws the line to (1, 0), "leave it as it is": few spans move it little. The slope stays above 0.
    """
    odds = _log_odds(np.asarray(marginals, dtype=np.float64))
    right = np.asarray(is_right, dtype=np.float64)
    # The logarithm of the slope is fitted, so that no confidence can fall where a marginal rises.
    log_slope, offset = 0.0, 0.0
    for _ in range(50):
        turned = np.exp(log_slope) * odds
        share = _share(turned + offset)
        slack, weight = share - right, np.maximum(share * (1 - share), _CERTAIN)
        gradient = np.array([(slack * turned).sum() + pull * log_slope, slack.sum() + pull * offset])
        cross = (weight * turned).sum()
        curvature = np.array([[(weight * turned**2).sum() + pull, cross], [cross, weight.sum() + pull]])
        change = np.clip(np.linalg.solve(curvature, gradient), -1.0, 1.0)
        log_slope, offset = log_slope - change[0], offset - change[1]
        if np.abs(change).max() < _CERTAIN:
            break
    return float(np.exp(log_slope)), float(offset)


def _log_odds(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.clip(shares, _CERTAIN, 1 - _CERTAIN)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def _share(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(log_odds, -_STEEPEST, _STEEPEST))))
