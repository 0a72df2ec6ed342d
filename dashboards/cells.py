"""What a version says about its test part, tag by tag and span by span: more than scores, less than texts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ner.documents import EntitySpan, LabelledText, text_digest
from ner.outcomes import Marked, match_spans
from ner.predictions import ScoredSpan, Tagged
from ner.scoring import scores_by_class
from ner.tags import encode_tags, tag_names
from ner.tokens import align, tokenize

MOST_PER_CELL = 500
"""So many spans of one cell of the confusion matrix are remembered; nobody reads more."""


def tag_scores(
    gold: Sequence[LabelledText], answers: Sequence[Tagged], *, resamples: int = 1000
) -> dict[str, dict[str, Any]]:
    """Precision, recall, F1 with its 95 % interval and support of each IOB2 tag (B-per, I-per, ...), token by token.

    Tags that neither side uses are left out, and so is O, which would flatter.
    """
    labels = sorted({s.label for one in gold for s in one.spans} | {s.label for one in answers for s in one.spans})
    names = tag_names(labels)[1:]
    index = {name: place for place, name in enumerate(names)}
    counts = np.zeros((len(gold), max(1, len(names)), 3), dtype=np.int64)
    for document, (one, answer) in enumerate(zip(gold, answers, strict=True)):
        tokens = tokenize(one.text)
        found = [span.span for span in answer.spans]
        for wanted_tag, found_tag in zip(_tags(tokens, one.spans), _tags(tokens, found), strict=True):
            if found_tag != "O":
                counts[document, index[found_tag]] += (wanted_tag == found_tag, 1, 0)
            if wanted_tag != "O":
                counts[document, index[wanted_tag]] += (0, 0, 1)
    used = [place for place in range(len(names)) if counts[:, place].any()]
    return scores_by_class(counts[:, used], [names[place] for place in used], resamples=resamples)


def cells(gold: Sequence[LabelledText], answers: Sequence[Tagged]) -> dict[str, Any]:
    """The content of a package's `cells.json`: which spans stand behind each cell of the confusion matrix.

    A span is [the text's digest, outcome, [start, end, label] or null, [start, end, label, confidence] or null]; of a
    cell at most 500 are kept, the first ones in the order of the documents. No text is in it.
    """
    kept: list[list[Any]] = []
    seen: Counter[tuple[str, str | None, str | None]] = Counter()
    for one, answer in zip(gold, answers, strict=True):
        for outcome, wanted, found in match_spans(one.spans, answer.spans):
            cell = outcome, wanted.label if wanted else None, found.label if found else None
            seen[cell] += 1
            if seen[cell] <= MOST_PER_CELL:
                kept.append([text_digest(one.text), outcome, _place(wanted), _place(found)])
    return {"format": 1, "spans": kept}


def behind_cell(
    content: Mapping[str, Any], *, true: str | None, predicted: str | None, outcome: str | None = None
) -> dict[str, list[dict[str, Any]]]:
    """The spans of one cell by the digest of their text: outcome, gold and found. A label None stands for "none"."""
    found: dict[str, list[dict[str, Any]]] = {}
    for digest, became, wanted, said in content["spans"]:
        is_here = (wanted and wanted[2]) == true and (said and said[2]) == predicted
        if is_here and outcome in (None, became):
            found.setdefault(digest, []).append({"outcome": became, "gold": wanted, "found": said})
    return found


def _tags(tokens: Sequence[tuple[int, int]], spans: Sequence[EntitySpan]) -> list[str]:
    aligned, _ = align(tokens, spans)
    free, end = [], 0
    for first, last, label in sorted(aligned):
        if first >= end:
            free.append((first, last, label))
            end = last
    return encode_tags(len(tokens), free)


def _place(span: Marked | ScoredSpan | None) -> list[Any] | None:
    if span is None:
        return None
    place: list[Any] = [span.start, span.end, span.label]
    return [*place, round(span.confidence, 4)] if isinstance(span, ScoredSpan) else place
