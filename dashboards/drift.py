"""Is recent traffic still like the text that a version was measured on?

Up to six measures, each with its figure now and in training, an effect size with a 99 % interval, and a threshold for
the effect. "drifted" when the whole interval lies above the threshold, "steady" when it lies below, else "not enough
evidence": so neither a busy day nor a quiet one raises an alarm by itself.
"""

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sqlalchemy.engine import Connection

from dashboards import domain, effects
from dashboards.effects import Effect, Estimate
from dashboards.windows import Window, traffic_window
from ner.database import utc_now

Verdict = Literal["steady", "drifted", "not enough evidence"]

FEWEST_DOCUMENTS = 30
_MOST_MORE_DOCUMENTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Measure:
    """One way in which text can drift. `more` and `less` complete the sentence "Recent texts ...". The threshold is at
    least the share `relative` of the figure in training, so that a version used to strange words is not easily alarmed.
    "steady" is said when the whole interval lies below `tolerated`, where that is more than the threshold: for an
    effect of which any is a reason to look, but which no number of documents shows to be nothing.
    """

    name: str
    title: str
    effect_name: str
    unit: Literal["share", "characters", "distance", "excess"]
    threshold: float
    more: str
    less: str
    relative: float = 0.0
    tolerated: float = 0.0


MEASURES = {
    measure.name: measure
    for measure in (
        Measure("text_length", "Text length", "largest gap between the two distributions", "characters", 0.20,
                "are longer", "are shorter"),
        Measure("unknown_words", "Unknown words", "difference in the share of tokens", "share", 0.01,
                "hold more words that the model does not know", "hold fewer words that the model does not know",
                relative=0.2),
        Measure("vocabulary_overlap", "Vocabulary overlap", "difference in the share of distinct words", "share", 0.03,
                "share more of the model's vocabulary", "share less of the model's vocabulary"),
        Measure("entity_mix", "Entity mix", "Jensen-Shannon distance", "distance", 0.15,
                "hold other kinds of entities", "hold other kinds of entities"),
        Measure("confidence", "Confidence", "difference in the mean confidence", "share", 0.05,
                "are answered with more confidence", "are answered with less confidence"),
        Measure("foreign_texts", "Foreign texts", "share of texts that a classifier tells from training, at least",
                "excess", 0.005, "hold foreign ones", "hold foreign ones", tolerated=0.05),
    )
}  # fmt: skip


def drift(connection: Connection, version: str, profile: Mapping[str, Any], *, hours: float = 24) -> dict[str, Any]:
    """Compare the last `hours` of a version's traffic with its profile.

    Returns "verdict" and "sentence" for the whole, "documents" seen (and "read", of which there are at most about
    20,000), "measures" and, for drawing, "pictures" of both sides. Each measure holds "now" and "training", "effect"
    with "effect_interval" and "threshold", "verdict", "more_documents" (how many would settle it; None where not
    known or not needed) and a "sentence".
    """
    window, total = traffic_window(connection, version, since=utc_now() - dt.timedelta(hours=hours))
    measures = judged_measures(window, profile)
    drifted = [str(measure["title"]).lower() for measure in measures if measure["verdict"] == "drifted"]
    steady = [measure for measure in measures if measure["verdict"] == "steady"]
    verdict: Verdict = "drifted" if drifted else "steady" if len(steady) == len(measures) else "not enough evidence"
    return {
        "version": version,
        "hours": hours,
        "documents": total,
        "read": len(window),
        "training_documents": profile.get("documents", 0),
        "verdict": verdict,
        "sentence": _overall(verdict, drifted, len(steady), len(measures), total, hours),
        "measures": measures,
        "pictures": _pictures(window, profile),
    }


def judged_measures(window: Window, profile: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The measures of `drift`, of documents from wherever they come. "foreign_texts" is among them where the profile
    holds documents to compare with: what can never be known shall not keep a version from being steady."""
    measures = [
        _text_length(window, profile),
        _unknown_words(window, profile),
        _vocabulary_overlap(window, profile),
        _entity_mix(window, profile),
        _confidence(window, profile),
    ]
    return [*measures, _foreign_texts(window, profile)] if domain.has_reference(profile) else measures


def _overall(verdict: Verdict, drifted: Sequence[str], steady: int, measures: int, total: int, hours: float) -> str:
    seen = f"{total:,} answers in the last {hours:g} hours"
    if verdict == "drifted":
        return f"Recent text differs from the training text in {', '.join(drifted)} ({seen})."
    if verdict == "steady":
        return f"Recent text looks like the training text ({seen})."
    if total == 0:
        return f"This version has answered nothing in the last {hours:g} hours."
    return f"{steady} of {measures} measures are steady, for the rest there is not enough evidence yet ({seen})."


def _text_length(window: Window, profile: Mapping[str, Any]) -> dict[str, Any]:
    quantiles = (profile.get("characters") or {}).get("quantiles") or []
    now = float(np.median(window.characters)) if len(window) else None
    training = quantiles[len(quantiles) // 2] if quantiles else None
    effect = (
        effects.largest_gap(window.characters, quantiles, profile["documents"]) if len(window) and quantiles else None
    )
    return _judged("text_length", window, now, training, effect)


def _unknown_words(window: Window, profile: Mapping[str, Any]) -> dict[str, Any]:
    return _shifted("unknown_words", window, effects.unknown_rate(window), _estimate(profile.get("unknown_words")))


def _confidence(window: Window, profile: Mapping[str, Any]) -> dict[str, Any]:
    training = _estimate((profile.get("confidence") or {}).get("mean"))
    return _shifted("confidence", window, effects.mean_confidence(window), training)


def _vocabulary_overlap(window: Window, profile: Mapping[str, Any]) -> dict[str, Any]:
    known = profile.get("vocabulary_overlap")
    found = effects.vocabulary_overlap(window, known["words_per_sample"]) if known else None
    if found is None or known is None:
        more = _until_a_sample(window, known["words_per_sample"]) if known else None
        return _judged("vocabulary_overlap", window, None, known and known["value"], None, more)
    now = Estimate(found.value, max(found.deviation, known["deviation"]) / math.sqrt(found.samples))
    return _shifted("vocabulary_overlap", window, now, _estimate(known))


def _until_a_sample(window: Window, words: int) -> int | None:
    have = sum(len(part) for part in window.words)
    return math.ceil((words - have) * len(window) / have) if have else None


def _entity_mix(window: Window, profile: Mapping[str, Any]) -> dict[str, Any]:
    labels, now, training = effects.aligned(window, profile.get("entities") or {})
    if not labels or not training.sum() or not now.sum():
        return _judged("entity_mix", window, None, None, None)
    return _judged("entity_mix", window, None, None, effects.mix_distance(now, training))


def _foreign_texts(window: Window, profile: Mapping[str, Any]) -> dict[str, Any]:
    return _judged("foreign_texts", window, None, None, domain.foreign_share(window, profile))


def _shifted(name: str, window: Window, now: Estimate | None, training: Estimate | None) -> dict[str, Any]:
    effect = effects.shift(now, training) if now and training else None
    return _judged(name, window, now.value if now else None, training.value if training else None, effect)


def _judged(
    name: str,
    window: Window,
    now: float | None,
    training: float | None,
    effect: Effect | None,
    more_documents: int | None = None,
) -> dict[str, Any]:
    measure = MEASURES[name]
    threshold = max(measure.threshold, measure.relative * (training or 0.0))
    tolerated = max(threshold, measure.tolerated)
    verdict: Verdict = "not enough evidence"
    if effect is not None and len(window) >= FEWEST_DOCUMENTS:
        if effect.low > threshold:
            verdict = "drifted"
        elif effect.high < tolerated:
            verdict = "steady"
    if verdict == "not enough evidence" and more_documents is None:
        more_documents = _more_documents(len(window), effect, tolerated)
    return {
        "name": name,
        "title": measure.title,
        "unit": measure.unit,
        "now": now,
        "training": training,
        "effect": effect and effect.size,
        "effect_interval": effect and [effect.low, effect.high],
        "effect_name": measure.effect_name,
        "threshold": threshold,
        "verdict": verdict,
        "more_documents": more_documents,
        "sentence": _sentence(measure, verdict, now, training, effect, more_documents),
    }


def _more_documents(documents: int, effect: Effect | None, threshold: float) -> int | None:
    """How many more would shrink the interval to one side of the threshold, if the effect stays as it is."""
    if documents < FEWEST_DOCUMENTS:
        return FEWEST_DOCUMENTS - documents
    if effect is None:
        return None
    allowed = (effect.size - threshold) ** 2 - effect.training_error**2
    if allowed <= 0:
        return None
    more = max(1, math.ceil(documents * (effect.now_error**2 / allowed - 1)))
    # To two digits: more would promise too much.
    return round(more, min(0, 2 - len(str(more)))) if more <= _MOST_MORE_DOCUMENTS else None


def _sentence(
    measure: Measure,
    verdict: Verdict,
    now: float | None,
    training: float | None,
    effect: Effect | None,
    more_documents: int | None,
) -> str:
    if verdict == "not enough evidence":
        if more_documents is not None:
            return f"About {more_documents:,} more documents are needed to tell."
        if effect is None:
            return "There is nothing to compare yet."
        return "So near the threshold that more traffic hardly helps to tell."
    figures = ""
    if now is not None and training is not None:
        figures = f": {_figure(measure, now)} now, {_figure(measure, training)} in training"
    if verdict == "steady" and measure.tolerated and effect is not None:
        return f"As in training: at most {100 * effect.high:.1f} % of recent texts stand out."
    if verdict == "steady":
        return f"As in training{figures}."
    if measure.unit == "excess" and effect is not None:
        return (
            f"At least {100 * effect.low:.1f} % of recent texts look foreign beside those of training, "
            f"most likely {100 * effect.size:.1f} % or more."
        )
    is_more = now is None or training is None or now >= training
    return f"Recent texts {measure.more if is_more else measure.less}{figures}."


def _figure(measure: Measure, value: float) -> str:
    return f"{value:,.0f} characters in the median" if measure.unit == "characters" else f"{100 * value:.1f} %"


def _pictures(window: Window, profile: Mapping[str, Any]) -> dict[str, Any]:
    labels, now, training = effects.aligned(window, profile.get("entities") or {})
    levels = np.linspace(0, 1, effects.QUANTILES)
    return {
        "text_length": {
            "now": np.quantile(window.characters, levels).tolist() if len(window) else [],
            "training": (profile.get("characters") or {}).get("quantiles") or [],
        },
        "entity_mix": {"labels": list(labels), "now": now.sum(axis=0).tolist(), "training": training.tolist()},
        "confidence": {
            "now": window.confidences.sum(axis=0).tolist(),
            "training": (profile.get("confidence") or {}).get("histogram") or [],
        },
    }


def _estimate(content: Mapping[str, float] | None) -> Estimate | None:
    return Estimate(content["value"], content["error"]) if content else None
