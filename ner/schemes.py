"""Four ways to count one matching of gold and found spans, from strict to lenient (SemEval 2013, task 9.1).

| scheme | right | half right | wrong |
|---|---|---|---|
| strict | borders and label | | everything else that overlaps |
| exact | borders | | overlaps with other borders |
| partial | borders | overlaps | |
| type | overlaps with the same label | | overlaps with another label |

All come from the six outcomes of one matching, so a more lenient scheme never scores lower than a stricter one. Tools
that match anew for each scheme, or in the order of the text (nervaluate), differ where a span overlaps several.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ner.outcomes import Outcome

Scheme = Literal["strict", "exact", "partial", "type"]
SCHEMES: tuple[Scheme, ...] = ("strict", "exact", "partial", "type")

_RIGHT: dict[Scheme, tuple[Outcome, ...]] = {
    "strict": ("correct",),
    "exact": ("correct", "wrong_label"),
    "partial": ("correct", "wrong_label"),
    "type": ("correct", "wrong_border"),
}
_HALF: dict[Scheme, tuple[Outcome, ...]] = {"strict": (), "exact": (), "partial": ("wrong_border", "both"), "type": ()}
_PAIRED: tuple[Outcome, ...] = ("correct", "wrong_label", "wrong_border", "both")


@dataclass(frozen=True, slots=True)
class SchemeScore:
    """Precision, recall and F1 in [0, 1], 0 where undefined, and the counts; half right counts one half."""

    precision: float
    recall: float
    f1: float
    right: int
    half: int
    wrong: int
    missed: int
    spurious: int


def scheme_scores(outcomes: Mapping[str, int]) -> dict[Scheme, SchemeScore]:
    """Every scheme's score from the number of pairs with each outcome (see `ner.outcomes`)."""
    return {scheme: _score(scheme, outcomes) for scheme in SCHEMES}


def _score(scheme: Scheme, outcomes: Mapping[str, int]) -> SchemeScore:
    right = sum(outcomes.get(outcome, 0) for outcome in _RIGHT[scheme])
    half = sum(outcomes.get(outcome, 0) for outcome in _HALF[scheme])
    paired = sum(outcomes.get(outcome, 0) for outcome in _PAIRED)
    missed, spurious = outcomes.get("missed", 0), outcomes.get("spurious", 0)
    credit = right + half / 2
    found, wanted = paired + spurious, paired + missed
    return SchemeScore(
        precision=credit / found if found else 0.0,
        recall=credit / wanted if wanted else 0.0,
        f1=2 * credit / (found + wanted) if found + wanted else 0.0,
        right=right,
        half=half,
        wrong=paired - right - half,
        missed=missed,
        spurious=spurious,
    )
