"""Two versions on the same documents: where they differ, and which is right more often."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ner.documents import Document, EntitySpan, outermost
from ner.predictions import ScoredSpan
from ner.scoring import paired_f1_difference, performance, span_differences

Found = Sequence[Sequence[ScoredSpan]]

FEWEST_FOR_AN_INTERVAL = 10
_RESAMPLES = 500
_SCORE_PARTS = ("scheme", "documents", "entities", "precision", "recall", "f1", "f1_interval")


def compare(documents: Sequence[Document], left: Found, right: Found) -> dict[str, Any]:
    """The parts of the API's CompareResponse: documents (those that differ most come first), how many differ, counts
    of each kind of difference, and, where documents are gold, the strict scores and their paired difference.

    With fewer than ten gold documents nothing is known about the difference beyond these documents, so its interval
    is [-1, 1].
    """
    compared = [_document(*sides) for sides in zip(documents, left, right, strict=True)]
    kinds = Counter(difference["kind"] for document in compared for difference in document["differences"])
    return {
        "documents": sorted(compared, key=_differences, reverse=True),
        "compared": len(compared),
        "different": sum(document["is_different"] for document in compared),
        "counts": dict(kinds),
        **_scores(documents, left, right),
    }


def _document(document: Document, left: Sequence[ScoredSpan], right: Sequence[ScoredSpan]) -> dict[str, Any]:
    differences = [
        {"kind": kind, "left": ours and _suggestion(ours), "right": theirs and _suggestion(theirs)}
        for kind, ours, theirs in span_differences(left, right)
    ]
    return {
        "document_id": document.id or None,
        "text": document.text,
        "left": [_suggestion(span) for span in left],
        "right": [_suggestion(span) for span in right],
        "gold": [_settled(document.text, span) for span in document.spans] if document.is_gold else None,
        "differences": differences,
        "is_different": any(difference["kind"] != "match" for difference in differences),
    }


def _differences(document: dict[str, Any]) -> int:
    kinds = [difference["kind"] for difference in document["differences"]]
    return len(kinds) - kinds.count("match")


def _suggestion(span: ScoredSpan) -> dict[str, Any]:
    return {"start": span.start, "end": span.end, "label": span.label, "confidence": span.confidence}


def _settled(text: str, span: EntitySpan) -> dict[str, Any]:
    return {"start": span.start, "end": span.end, "label": span.label, "text": span.surface(text)}


def _scores(documents: Sequence[Document], left: Found, right: Found) -> dict[str, Any]:
    settled = [index for index, document in enumerate(documents) if document.is_gold]
    if not settled:
        return {"left_score": None, "right_score": None, "f1_difference": None}
    gold = [outermost(documents[index].spans) for index in settled]
    ours, theirs = [left[index] for index in settled], [right[index] for index in settled]
    difference = paired_f1_difference(gold, ours, theirs, resamples=_RESAMPLES)
    if len(settled) < FEWEST_FOR_AN_INTERVAL:
        difference |= {"low": -1.0, "high": 1.0}
    return {"left_score": _score(gold, ours), "right_score": _score(gold, theirs), "f1_difference": difference}


def _score(gold: Sequence[Sequence[EntitySpan]], found: Found) -> dict[str, Any]:
    figures = performance(gold, found, resamples=_RESAMPLES)
    return {name: figures[name] for name in _SCORE_PARTS}
