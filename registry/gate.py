"""May a version become the stable one? What its own figures say: pass, fail, or not enough evidence, with reasons."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

GateOutcome = Literal["pass", "fail", "not enough evidence"]
MARGIN = 0.01
"""F1 that a version may lose against the stable one, on the same documents, and still count as no worse."""
FEWEST_ENTITIES = 100


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """The outcome, and one sentence for each reason."""

    outcome: GateOutcome
    reasons: list[str]


def judge(performance: Mapping[str, Any]) -> GateVerdict:
    """The verdict on a version by its `performance.json`.

    A broken must-pass example fails it; so does an F1 that is surely below the stable version's by more than the
    margin. It passes when it surely is not, on enough entities. Surely: with the paired 95 % interval.
    """
    broken = broken_examples(performance)
    if broken:
        texts = "; ".join(f"“{text}”" for text in broken[:3])
        return GateVerdict("fail", [f"{len(broken)} must-pass examples are answered wrongly: {texts}."])
    if performance["entities"] < FEWEST_ENTITIES:
        seen = performance["entities"]
        return GateVerdict(
            "not enough evidence", [f"The test part holds {seen} entities; {FEWEST_ENTITIES} are needed."]
        )
    baseline = performance.get("baseline")
    if not baseline:
        return GateVerdict("not enough evidence", ["There was no stable version to compare with."])
    change = baseline["difference"]
    seen = (
        f"Against version {baseline['version']} on the same documents F1 changes by {100 * change['difference']:+.1f} "
        f"points (95 % interval {100 * change['low']:+.1f} to {100 * change['high']:+.1f})"
    )
    if change["high"] < -MARGIN:
        return GateVerdict("fail", [f"{seen}: worse by more than {100 * MARGIN:g} point."])
    if change["low"] >= -MARGIN:
        return GateVerdict("pass", [f"{seen}: not worse by more than {100 * MARGIN:g} point."])
    return GateVerdict("not enough evidence", [f"{seen}: it may be worse by more than {100 * MARGIN:g} point."])


def broken_examples(performance: Mapping[str, Any]) -> list[str]:
    """The texts of the must-pass examples that the version answers wrongly."""
    return [example["text"] for example in (performance.get("behaviour") or {}).get("broken", [])]
