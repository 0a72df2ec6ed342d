"""Two versions on the same documents: where they differ, how sure each was, and which is right more often."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ner.documents import Document, EntitySpan, outermost
from ner.outcomes import key_of
from ner.predictions import ScoredSpan
from ner.scoring import paired_f1_difference, performance, span_differences

Found = Sequence[Sequence[ScoredSpan]]

FEWEST_FOR_AN_INTERVAL = 10
_RESAMPLES = 500
_SCORE_PARTS = ("scheme", "documents", "entities", "precision", "recall", "f1", "f1_interval")


def compare(documents: Sequence[Document], left: Found, right: Found) -> dict[str, Any]:
    """The parts of the API's CompareResponse: documents (those on which both were surest come first), how many differ,
    counts of each kind of difference, each label's part, and, where documents are gold, the strict scores and their
    paired difference.

    With fewer than ten gold documents nothing is known about the difference beyond these documents, so its interval
    is [-1, 1].
    """
    compared = compare_documents(documents, left, right)
    kinds = Counter(difference["kind"] for document in compared for difference in document["differences"])
    return {
        "documents": sorted(compared, key=_interest, reverse=True),
        "compared": len(compared),
        "different": sum(document["is_different"] for document in compared),
        "counts": dict(kinds),
        "labels": _labels(documents, left, right),
        **_scores(documents, left, right),
    }


def compare_documents(documents: Sequence[Document], left: Found, right: Found) -> list[dict[str, Any]]:
    """What both versions say about each document, in the order of the documents."""
    return [_document(*sides) for sides in zip(documents, left, right, strict=True)]


def differing(document: dict[str, Any]) -> int:
    """On how many spans the versions differ in a document of `compare_documents`."""
    return sum(difference["kind"] != "match" for difference in document["differences"])


def difference_rows(compared: dict[str, Any]) -> list[dict[str, Any]]:
    """One flat row for each difference, in the order of the documents: for CSV."""
    return [
        {"document": document["document_id"], "kind": difference["kind"]}
        | {
            f"{side}_{name}": difference[side][name] if difference[side] else None
            for side in ("left", "right")
            for name in ("start", "end", "label", "confidence")
        }
        for document in compared["documents"]
        for difference in document["differences"]
        if difference["kind"] != "match"
    ]


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
        "left_sure": _sureness(differences, "left"),
        "right_sure": _sureness(differences, "right"),
    }


def _sureness(differences: Sequence[dict[str, Any]], side: str) -> float | None:
    """The highest confidence among the spans that the other version does not have; None without such spans."""
    odd = [one[side]["confidence"] for one in differences if one["kind"] != "match" and one[side]]
    return max(odd, default=None)


def _interest(document: dict[str, Any]) -> tuple[bool, float, int]:
    """Both sure of different things comes first; then how many differences there are."""
    sure = (document["left_sure"] or 0.0) + (document["right_sure"] or 0.0)
    return document["is_different"], sure, differing(document)


def _suggestion(span: ScoredSpan) -> dict[str, Any]:
    return {"start": span.start, "end": span.end, "label": span.label, "confidence": span.confidence}


def _settled(text: str, span: EntitySpan) -> dict[str, Any]:
    return {"start": span.start, "end": span.end, "label": span.label, "text": span.surface(text)}


def _labels(documents: Sequence[Document], left: Found, right: Found) -> list[dict[str, Any]]:
    """What each label gains and loses from left to right. `gained` and `lost` are right answers where documents are
    gold: spans that only the right version, or only the left one, has as gold has them.
    """
    names = sorted({span.label for side in (left, right) for spans in side for span in spans})
    settled = [place for place, document in enumerate(documents) if document.is_gold]
    gold = [outermost(documents[place].spans) for place in settled]
    names = sorted({*names, *(span.label for spans in gold for span in spans)})
    return [
        _label_counts(name, left, right)
        | _label_scores(name, gold, [left[p] for p in settled], [right[p] for p in settled])
        for name in names
    ]


def _label_counts(name: str, left: Found, right: Found) -> dict[str, Any]:
    both, ours, theirs = 0, 0, 0
    for one, other in zip(left, right, strict=True):
        first, second = _keys(one, name), _keys(other, name)
        both += len(first & second)
        ours += len(first - second)
        theirs += len(second - first)
    return {"label": name, "both": both, "only_left": ours, "only_right": theirs}


def _label_scores(name: str, gold: Sequence[Sequence[EntitySpan]], left: Found, right: Found) -> dict[str, Any]:
    mine = [[span for span in spans if span.label == name] for spans in gold]
    entities = sum(map(len, mine))
    if not gold or not entities:
        return {"entities": entities, "gained": 0, "lost": 0, "f1_difference": None}
    ours, theirs = ([[span for span in spans if span.label == name] for spans in side] for side in (left, right))
    gained = lost = 0
    for wanted, first, second in zip(mine, ours, theirs, strict=True):
        keys, one, other = _keys(wanted, name), _keys(first, name), _keys(second, name)
        gained += len((other - one) & keys)
        lost += len((one - other) & keys)
    difference = paired_f1_difference(mine, ours, theirs, resamples=_RESAMPLES)
    if sum(bool(spans) for spans in mine) < FEWEST_FOR_AN_INTERVAL:
        difference |= {"low": -1.0, "high": 1.0}
    return {"entities": entities, "gained": gained, "lost": lost, "f1_difference": difference}


def _keys(spans: Sequence[EntitySpan] | Sequence[ScoredSpan], name: str) -> set[tuple[int, int, str]]:
    return {key_of(span) for span in spans if span.label == name}


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
