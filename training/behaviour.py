"""Must-pass examples: texts that every version has to answer exactly, whatever its scores are."""

from collections.abc import Callable, Sequence
from typing import Any

from ner.documents import LabelledText
from ner.outcomes import key_of
from ner.predictions import Tagger
from training.evaluation import tag_all


def check_behaviour(
    tagger: Tagger, examples: Sequence[LabelledText], should_stop: Callable[[], bool]
) -> dict[str, Any]:
    """How many examples there are, and those that are broken, each with what was expected and what was found.

    An example holds when the spans and labels found are those expected, no more and no fewer.
    Raises RunCancelled when `should_stop` says so.
    """
    broken = [
        {"text": example.text, "expected": _spans(example.spans), "found": _spans(answer.spans)}
        for example, answer in zip(examples, tag_all(tagger, examples, should_stop), strict=True)
        if {key_of(span) for span in example.spans} != {key_of(span) for span in answer.spans}
    ]
    return {"examples": len(examples), "broken": broken}


def _spans(spans: Sequence[Any]) -> list[list[Any]]:
    return sorted([span.start, span.end, span.label] for span in spans)
